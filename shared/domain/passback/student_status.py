"""Explains one student's status in one assignment: sent, waiting, held with reasons, or nothing to send."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import INFORMATIVE, Finding, Reason
from shared.domain.wording import plain_number

# These keep the student, not the assignment: nothing of this student goes to this section.
NOT_IN_ANY_SECTION = frozenset({Reason.STUDENT_SIS_ID_MISSING, Reason.STUDENT_UNKNOWN, Reason.STUDENT_NOT_IN_SECTION})

# Why an assignment has not the name that Canvas has.
NAME_REASONS = frozenset({Reason.NAME_TAKEN, Reason.DUPLICATE_REFUSED})


class StudentStatus(StrEnum):
    """What became of a student's score."""

    SENT = "sent"
    WAITING = "waiting"
    HELD = "held"
    NOTHING_TO_SEND = "nothing_to_send"
    NOT_IN_COURSE = "not_in_course"


class AssignmentState(StrEnum):
    """What Canvas says of the student's work."""

    SCORED = "scored"
    EMPTY = "empty"
    UNFINISHED = "unfinished"
    NOT_ASSIGNED = "not_assigned"
    NOT_READ = "not_read"


@dataclass(frozen=True, slots=True)
class StudentFacts:
    """One student's work in one section.

    `eligible` says whether the rules send the assignment at all, `findings` what was found about it in this section,
    `student_finding` what was found about this student. `wanted` is what Canvas says should be sent, `in_powerschool`
    what PowerSchool has, `agrees` whether they are equal, `is_stored_differently` whether the difference is how
    PowerSchool stores it. With `NOT_READ`, Canvas was not asked and `in_powerschool` is what was last written.
    """

    eligible: bool
    findings: Sequence[Finding] = ()
    student_finding: Finding | None = None
    work: AssignmentState = AssignmentState.EMPTY
    wanted: Score | None = None
    in_powerschool: Score | None = None
    agrees: bool = False
    is_stored_differently: bool = False
    points_possible: Decimal | None = None


@dataclass(frozen=True, slots=True)
class StudentExplanation:
    """The status with its sentence."""

    status: StudentStatus
    sentence: str


NOT_IN_COURSE = StudentExplanation(
    StudentStatus.NOT_IN_COURSE,
    "Nothing is sent: no section of the course lists a student with this SIS id. A test student is never sent.",
)

_WITH_THE_FIRST_SCORE = "It is sent with the section's first score or excuse: missing work alone creates nothing."

_NOTHING = {
    AssignmentState.EMPTY: "Nothing to send: Canvas has no score for this student.",
    AssignmentState.UNFINISHED: "Nothing to send yet: a person has to finish grading this student's work in Canvas.",
    AssignmentState.NOT_ASSIGNED: "Nothing to send: the assignment is not assigned to this student in Canvas.",
}


def score_findings(findings: Iterable[Finding], *, is_in_powerschool: bool) -> tuple[Finding, ...]:
    """Return those findings of an assignment that keep its scores back.

    One that is there, in PowerSchool, receives scores under its old name.
    """
    return tuple(finding for finding in findings if not (is_in_powerschool and finding.reason in NAME_REASONS))


def student_status(facts: StudentFacts) -> StudentExplanation:
    """Return what became of the student's score, in a sentence for a person."""
    if facts.student_finding is not None and facts.student_finding.reason in NOT_IN_ANY_SECTION:
        return _in_powerschool(facts, [facts.student_finding, *_blocking(facts)])
    if not facts.eligible:
        return _in_powerschool(facts, _blocking(facts))
    if facts.work is AssignmentState.NOT_READ:
        return _from_stored(facts)
    if facts.student_finding is not None:
        return _in_powerschool(facts, [facts.student_finding])
    return _eligible(facts)


def _eligible(facts: StudentFacts) -> StudentExplanation:
    """Answer where nothing but the writing itself can stand in the way."""
    if facts.work is not AssignmentState.SCORED:
        return StudentExplanation(StudentStatus.NOTHING_TO_SEND, f"{_NOTHING[facts.work]}{_still_there(facts)}")
    wanted = sentence_of(facts.wanted, facts.points_possible)
    if facts.agrees:
        return StudentExplanation(StudentStatus.SENT, f"Sent: {wanted}.")
    if facts.is_stored_differently:
        there = sentence_of(facts.in_powerschool, facts.points_possible)
        return StudentExplanation(StudentStatus.SENT, f"Sent: {wanted}. PowerSchool stores it as {there}.")
    if blocking := _blocking(facts):
        return _in_powerschool(facts, blocking)
    if any(finding.reason is Reason.NOT_GRADED_YET for finding in facts.findings):
        return StudentExplanation(StudentStatus.WAITING, f"Waiting: {wanted} in Canvas. {_WITH_THE_FIRST_SCORE}")
    there = f"PowerSchool has {sentence_of(facts.in_powerschool, facts.points_possible)}"
    return StudentExplanation(StudentStatus.WAITING, f"Waiting: {wanted} in Canvas, {there}. The next sync sends it.")


def sentence_of(score: Score | None, points_possible: Decimal | None) -> str:
    """Return a score in words: `8 of 10`, `missing, 0 of 10`, `excused`, `nothing`."""
    if score is None:
        return "nothing"
    out_of = "" if points_possible is None else f" of {plain_number(points_possible)}"
    points = [] if score.points is None else [f"{plain_number(score.points)}{out_of}"]
    flags = [word for word, is_set in (("missing", score.missing), ("excused", score.exempt)) if is_set]
    return ", ".join([*flags, *points]) or "nothing"


def _from_stored(facts: StudentFacts) -> StudentExplanation:
    """Answer without having asked Canvas: what was written last is all that is known."""
    blocking = [*([facts.student_finding] if facts.student_finding else []), *_blocking(facts)]
    if blocking:
        return _in_powerschool(facts, blocking)
    if facts.in_powerschool is None:
        return StudentExplanation(
            StudentStatus.NOTHING_TO_SEND, "Nothing was sent: Canvas had no new score for this student."
        )
    return StudentExplanation(StudentStatus.SENT, f"Sent: {sentence_of(facts.in_powerschool, facts.points_possible)}.")


def _blocking(facts: StudentFacts) -> list[Finding]:
    return [f for f in facts.findings if f.reason is not Reason.NOT_GRADED_YET and f.reason not in INFORMATIVE]


def _in_powerschool(facts: StudentFacts, findings: Iterable[Finding]) -> StudentExplanation:
    because = " ".join(finding.message for finding in findings)
    return StudentExplanation(StudentStatus.HELD, f"Held: {because}{_still_there(facts)}")


def _still_there(facts: StudentFacts) -> str:
    if facts.in_powerschool is None:
        return ""
    return f" PowerSchool has {sentence_of(facts.in_powerschool, facts.points_possible)}."
