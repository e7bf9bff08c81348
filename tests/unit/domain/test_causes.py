"""What is known of the causes of failures."""

import pytest

from shared.domain.causes import Cause, Scope, is_known


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("canvas_404", Cause.CANVAS_404),
        ("canvas_503", Cause.CANVAS),
        ("powerschool_grant_missing", Cause.GRANT_MISSING),
        ("import_aborted", Cause.IMPORT_ENDED),
        ("defect_KeyError", Cause.UNEXPECTED_ERROR),
        ("malformed_event", Cause.MALFORMED),
        ("never_heard_of", Cause.UNKNOWN),
        ("", Cause.UNKNOWN),
    ],
)
def test_every_code_has_a_row(code: str, cause: Cause) -> None:
    """A code of its own, else that of all codes that begin alike, else the row of what no rule describes."""
    assert Cause(code) is cause


@pytest.mark.parametrize("cause", Cause)
def test_sentences(cause: Cause) -> None:
    """Every row says what it means and what to do, if need be in the words of the codes that begin alike."""
    assert cause.meaning.endswith((".", "on."))
    assert cause.remedy.endswith(".")


def test_scope() -> None:
    """Credentials concern the district; a locked assignment concerns all of its scores; anything else one job."""
    assert (Cause.CANVAS_401.scope, Cause.LOCKED.scope, Cause("canvas_500").scope) == (
        Scope.DISTRICT,
        Scope.ASSIGNMENT,
        Scope.JOB,
    )


@pytest.mark.parametrize("code", ["canvas_404", "canvas_503", "lease_lost", "powerschool_locked", "powerschool_500"])
def test_a_cause_is_known(code: str) -> None:
    """One with a row of its own, and the status of a system's answer."""
    assert is_known(code)


@pytest.mark.parametrize("code", ["nonsense", "", "canvas_", "canvas_5oo", "canvas", "CANVAS_404", "503"])
def test_a_misspelled_cause_is_not_known(code: str) -> None:
    """Also one that only begins like a cause."""
    assert not is_known(code)
