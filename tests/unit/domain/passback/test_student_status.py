"""A student's standing in one assignment, in a plain sentence."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.student_status import (
    AssignmentState,
    StudentFacts,
    StudentStatus,
    sentence_of,
    student_status,
)

EIGHT = Score(Decimal("8.50"))
SENT = StudentFacts(
    eligible=True,
    work=AssignmentState.SCORED,
    wanted=EIGHT,
    in_powerschool=EIGHT,
    agrees=True,
    points_possible=Decimal(10),
)


def test_an_equal_score_is_sent() -> None:
    """The sentence says how many of how many."""
    answer = student_status(SENT)
    assert (answer.status, answer.sentence) == (StudentStatus.SENT, "Sent: 8.5 of 10.")


def test_a_different_score_waits() -> None:
    """The sentence tells both sides."""
    answer = student_status(replace(SENT, agrees=False, in_powerschool=None))
    assert answer.status is StudentStatus.WAITING
    assert "8.5 of 10 in Canvas, PowerSchool has nothing" in answer.sentence


def test_a_rule_holds_a_score_and_says_what_is_there() -> None:
    """Every reason is told, and what an earlier sync left in PowerSchool."""
    findings = (Finding(Reason.SIS_SYNC_OFF), Finding(Reason.NOT_PUBLISHED))
    answer = student_status(replace(SENT, eligible=False, findings=findings))
    assert answer.status is StudentStatus.HELD
    assert answer.sentence == (
        'Held: "Sync to SIS" is off for this assignment. The assignment is not published in Canvas. '
        "PowerSchool has 8.5 of 10."
    )


@pytest.mark.parametrize("reason", [Reason.RETRYING, Reason.DEAD_LETTER, Reason.ASSIGNMENT_LOCKED])
def test_trouble_with_writing_holds_only_what_is_not_there(reason: Reason) -> None:
    """A score that arrived is sent, whatever became of its classmates'."""
    troubled = replace(SENT, findings=(Finding(reason),))
    assert student_status(troubled).status is StudentStatus.SENT
    assert student_status(replace(troubled, agrees=False)).status is StudentStatus.HELD


@pytest.mark.parametrize(
    "reason", [Reason.STUDENT_SIS_ID_MISSING, Reason.STUDENT_UNKNOWN, Reason.STUDENT_NOT_IN_SECTION]
)
def test_a_student_without_a_place_is_held(reason: Reason) -> None:
    """Whatever the score, a student whom PowerSchool does not have there gets none, and that comes first."""
    answer = student_status(replace(SENT, student_finding=Finding(reason), findings=(Finding(Reason.NAME_TOO_LONG),)))
    assert answer.status is StudentStatus.HELD
    assert "30 characters" in answer.sentence


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (AssignmentState.EMPTY, "no score"),
        (AssignmentState.UNFINISHED, "finish grading"),
        (AssignmentState.NOT_ASSIGNED, "not assigned"),
    ],
)
def test_without_a_score_there_is_nothing_to_send(work: AssignmentState, words: str) -> None:
    """The sentence says why there is none; that the class has none either adds nothing."""
    facts = StudentFacts(eligible=True, work=work, findings=(Finding(Reason.NOT_GRADED_YET),))
    answer = student_status(facts)
    assert answer.status is StudentStatus.NOTHING_TO_SEND
    assert words in answer.sentence


def test_a_cleared_score_is_held() -> None:
    """PowerSchool keeps it, and the sentence says what."""
    answer = student_status(
        replace(SENT, student_finding=Finding(Reason.SCORE_CLEARED), work=AssignmentState.EMPTY, wanted=None)
    )
    assert answer.status is StudentStatus.HELD
    assert answer.sentence.endswith("PowerSchool has 8.5 of 10.")


def test_from_memory_the_last_write_counts() -> None:
    """Without asking Canvas, what was written last is what is known."""
    remembered = replace(SENT, work=AssignmentState.NOT_READ, wanted=None, agrees=False)
    assert student_status(remembered).sentence == "Sent: 8.5 of 10."
    assert student_status(replace(remembered, in_powerschool=None)).status is StudentStatus.NOTHING_TO_SEND
    retrying = replace(remembered, findings=(Finding(Reason.RETRYING),))
    assert student_status(retrying).status is StudentStatus.HELD


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (Score(Decimal("1E+2")), "100 of 10"),
        (Score(Decimal("10.50")), "10.5 of 10"),
        (Score(Decimal(0), missing=True), "missing, 0 of 10"),
        (Score(None, exempt=True), "excused"),
        (Score(None), "nothing"),
        (None, "nothing"),
    ],
)
def test_a_score_in_words(score: Score | None, words: str) -> None:
    """Flags come first, decimals are kept, and 100 is not a power of ten."""
    assert sentence_of(score, Decimal(10)) == words
