"""Row errors of SIS imports in plain words."""

import pytest

from shared.domain.provisioning.imports.row_errors import KNOWN_ERRORS, RowErrorKind, explain_row_error
from shared.domain.provisioning.rows.sis_rows import SisRow

ROW = SisRow(("1501",), 100, "STUDENTS.DCID 501")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("user 77 has already claimed 1501's requested login information, skipping", RowErrorKind.LOGIN_CLAIMED),
        ("The login a@district.example is already taken", RowErrorKind.LOGIN_CLAIMED),
        ("E-mail address x for user 1501 is already claimed; ignoring", RowErrorKind.EMAIL_CLAIMED),
        ("Attempted enrolling of deleted user 1501 in course 4001", RowErrorKind.USER_DELETED),
        ("An enrollment listed a section (1) and a course (2) that are unrelated", RowErrorKind.UNRELATED_COURSE),
        ("User not found for enrollment: user 1501 does not exist", RowErrorKind.USER_UNKNOWN),
        ("User 1501 didn't exist for user enrollment", RowErrorKind.USER_UNKNOWN),
        ("Neither course 1 nor section 4001 existed for user enrollment", RowErrorKind.SECTION_UNKNOWN),
        ("An enrollment referenced a non-existent section 4001", RowErrorKind.SECTION_UNKNOWN),
        ("An enrollment referenced a non-existent course 4001", RowErrorKind.COURSE_UNKNOWN),
        ("Section 4001 references course 4001 which doesn't exist", RowErrorKind.COURSE_UNKNOWN),
        ("Course 4001 references unknown term 100-3601", RowErrorKind.TERM_UNKNOWN),
        ("Account not found: account school-100 doesn't exist", RowErrorKind.ACCOUNT_UNKNOWN),
        ("No name given for section 4001 in course 4001", RowErrorKind.VALUE_MISSING),
        ("No login_id given for user 1501", RowErrorKind.VALUE_MISSING),
        ('Improper status "paused" for an enrollment', RowErrorKind.STATUS_IMPROPER),
        ('Improper role "pupil" for an enrollment', RowErrorKind.ROLE_IMPROPER),
        ("Bad date format for term 100-3601", RowErrorKind.DATE_INVALID),
        (
            "Diffing not performed because file size difference exceeded threshold",
            RowErrorKind.TOO_LARGE_A_CHANGE,
        ),
        ("A section did not pass validation (section: 1, error: Name)", RowErrorKind.NOT_VALID),
        ("Something that nobody has seen", RowErrorKind.OTHER),
        ("", RowErrorKind.OTHER),
    ],
)
def test_kinds_of_messages_are_told_apart(message: str, kind: RowErrorKind) -> None:
    """By a few words, in either case."""
    assert {explain_row_error(text, None).code for text in (message, message.upper())} == {kind}


def test_an_explanation_names_the_record_to_mend() -> None:
    """Where the row is known."""
    assert explain_row_error("No login_id given", ROW).source == "STUDENTS.DCID 501"


def test_every_kind_is_told_once() -> None:
    """Each kind has one row, save for what no row recognises."""
    kinds = [known.kind for known in KNOWN_ERRORS]

    assert sorted(kinds) == sorted(set(RowErrorKind) - {RowErrorKind.OTHER})


def test_whose_login_it_is_is_said() -> None:
    """Both people are named by ids; the remedy does not hand over the account of who left."""
    words = (
        "An existing Canvas user with the SIS ID 1501 has already claimed 1700's user_id requested login information"
    )
    told = explain_row_error(words, SisRow(("1700",), 100, "STUDENTS.DCID 700"))

    assert (told.sentence, told.source) == (
        "Another user in Canvas has this login already (SIS ID 1501).",
        "STUDENTS.DCID 700",
    )
    assert "change that user's login" in told.remedy
