"""What a person is told about every reason."""

import pytest

from shared.domain.passback.rules.eligibility import eligibility_findings
from shared.domain.passback.rules.reasons import Actor, Finding, Reason
from tests.unit.domain.passback.test_eligibility import EVERYTHING_WRONG

FROM_POWERSCHOOL = {
    Reason.STUDENT_REFUSED,
    Reason.ASSIGNMENT_LOCKED,
    Reason.TEACHER_MISSING,
    Reason.TEACHER_DOES_NOT_TEACH_SECTION,
    Reason.DUE_DATE_REFUSED,
    Reason.CATEGORY_REFUSED,
    Reason.POINTS_REFUSED,
    Reason.GRADE_SCALE_MISSING,
    Reason.SCORE_TYPE_CHANGED,
    Reason.DUPLICATE_REFUSED,
    Reason.CREATE_REFUSED,
    Reason.UPDATE_REFUSED,
    Reason.GRANT_MISSING,
    Reason.REFUSED,
    Reason.TAKEOVER_REFUSED,
}


@pytest.mark.parametrize("reason", Reason)
def test_sentences(reason: Reason) -> None:
    """Messages and remedies are sentences for people: they begin, end, and name no field, class or code."""
    for sentence in (reason.message, reason.remedy):
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence.startswith('"')
        assert not set("_{}<>`") & set(sentence)


@pytest.mark.parametrize("reason", Reason)
def test_sources(reason: Reason) -> None:
    """A rule quotes its source; what PowerSchool refuses has none."""
    assert bool(reason.source) is (reason not in FROM_POWERSCHOOL)


def test_no_two_alike() -> None:
    """No two reasons are told in the same words."""
    assert len({reason.message for reason in Reason}) == len(Reason)


def test_nobody_can_act() -> None:
    """Where nobody can act, the remedy says that there is nothing to do."""
    for reason in Reason:
        if reason.who is Actor.NOBODY:
            assert reason.remedy.startswith("Nothing to do")


def test_detail() -> None:
    """The facts of a finding stand at the end of its message."""
    message = Finding(Reason.NAME_TOO_LONG, "31 characters").message
    assert message == "The assignment's name is longer than 30 characters (31 characters)."


def test_no_assignment_name() -> None:
    """What is told about an assignment does not repeat its name."""
    told = eligibility_findings(EVERYTHING_WRONG)
    assert told
    assert not [t for t in told if EVERYTHING_WRONG.assignment.name in t.message + t.reason.remedy]
