import pytest

from shared.adapters.http.error_text import error_messages, redact


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Student.id [9104] does not have an Association", "Student.id [9104] does not have an Association"),
        ("Unable to find AssignmentSection with id 7702", "Unable to find AssignmentSection with id 7702"),
        ("Value '97.5' is above the maximum", "Value … is above the maximum"),
        ("Score 97.5 is above 95", "Score … is above …"),
        ('Name "Some Body" is not unique', "Name … is not unique"),
        ("ask someone@district.example  about\nit", "ask … about it"),
        ("User doesn't teach the teacher's section", "User doesn't teach the teacher's section"),
    ],
)
def test_only_ids_are_kept(said: str, kept: str) -> None:
    """Quoted values, addresses and numbers that are no ids never leave the adapter."""
    assert redact(said) == kept


def test_long_texts_are_cut() -> None:
    """200 characters say enough."""
    assert len(redact("section " * 100)) == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": [{"message": "Invalid access token."}]}, ["Invalid access token."]),
        ({"errors": {"due_at": [{"message": "is invalid"}]}}, ["is invalid"]),
        ({"errorMessage": {"message": "no permission"}}, ["no permission"]),
        ({"message": "Validation Failed", "errors": [{"field": "duedate"}]}, ["Validation Failed", "duedate"]),
        ({"name": "Some Body", "params": {"student": "x"}}, []),
    ],
)
def test_every_known_shape_of_error_is_read(body: object, said: list[str]) -> None:
    """The texts of Canvas's and PowerSchool's error bodies are found, other keys are not looked at."""
    assert error_messages(body) == said
