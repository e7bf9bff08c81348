"""Which score of a student goes to which section, and why one does not go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from shared.domain.passback.canvas import GradebookRow, Submission
from shared.domain.passback.course_state import StudentRecord
from shared.domain.passback.planning.desired import DesiredScore
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent
from shared.domain.passback.rules.reasons import Finding, Reason

# PowerSchool keeps scores and points as Numeric(18,6).
DECIMAL_PLACES = 6
MAX_DIGITS = 18
LEAST_STEP = Decimal(1).scaleb(-DECIMAL_PLACES)

# A quiz that still waits for a person has a score already, but only that of its automatic questions.
UNFINISHED = "pending_review"


class CanvasScore(msgspec.Struct, frozen=True, gc=False):
    """What Canvas says of one student's work, with the 0 that goes with a flag alone."""

    points: Decimal
    missing: bool
    exempt: bool


@dataclass(frozen=True, slots=True)
class SectionScores:
    """One assignment's scores in one section, by STUDENTS.DCID, and why some are not sent.

    `unscored` holds the section's active students of whom Canvas says nothing: no score, no flag; `unfinished` those
    whose work a person has yet to finish grading. `flag_only` are those whose score is the 0 that goes with a flag.
    """

    scores: Mapping[int, DesiredScore] = field(default_factory=dict)
    unscored: frozenset[int] = frozenset()
    students: tuple[StudentRecord, ...] = ()
    unfinished: frozenset[int] = frozenset()
    flag_only: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class StudentPlacement:
    """One student's submissions, by assignment id, and the place in PowerSchool's section that their scores go to.

    `student_dcid`, STUDENTS.DCID, is None where there is no such place: then `unplaced` says why, or nothing does where
    the student has one in another section. `unreadable` holds the assignments whose submission cannot be read: it is
    neither sent nor taken as cleared.
    """

    submissions: Mapping[str, Submission]
    student_dcid: int | None
    unplaced: StudentRecord | None = None
    unreadable: Mapping[str, StudentRecord] = field(default_factory=dict)


def is_reckonable(value: Decimal | None) -> bool:
    """Say whether the number can be compared and rounded like a score: finite, and of no more digits than one has.

    Both systems also send numbers as text, and a `Decimal` takes `NaN` and `1e999999`.
    """
    return value is None or (value.is_finite() and -MAX_DIGITS < value.adjusted() < MAX_DIGITS)


def to_powerschool_decimal(value: Decimal) -> Decimal:
    """Return `value` as PowerSchool can hold it: unchanged up to six decimals, rounded half up beyond."""
    # The remainder is told much faster than the exponent, where the quotient has fewer digits than a Decimal has.
    if value.adjusted() < MAX_DIGITS and not value % LEAST_STEP:
        return value
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -DECIMAL_PLACES:
        return value
    return value.quantize(LEAST_STEP, ROUND_HALF_UP)


def canvas_score(submission: Submission) -> CanvasScore | None:
    """Return the score with its flags, None where Canvas has neither. Late is no flag of passback's.

    A score that Canvas keeps after a resubmission is still the student's score.

    Source: "as flags; with no score, a score of 0 goes with the flag".
    """
    missing, excused = bool(submission.missing), bool(submission.excused)
    if submission.score is not None:
        return CanvasScore(submission.score, missing, excused)
    return CanvasScore(Decimal(0), missing, excused) if missing or excused else None


def counts(submission: Submission, *, send_unfinished: bool = False) -> bool:
    """Say whether a submission is to be looked at: neither sent nor taken as cleared otherwise.

    Left alone are work that is no longer assigned to the student and, unless `send_unfinished`, work that a
    person has yet to finish grading; a flag goes in any case.
    """
    finished = submission.workflow_state != UNFINISHED or send_unfinished or submission.excused or submission.missing
    return submission.assignment_visible is not False and bool(finished)


def place_students(
    section_id: str, rows: Iterable[GradebookRow], rostered: Mapping[str, RosteredSection]
) -> tuple[StudentPlacement, ...]:
    """Return the students whom Canvas lists in the section `section_id`, which must be in `rostered`.

    `rostered` holds the course's known sections by Canvas section id. A student whom Canvas lists in several
    sections is scored wherever PowerSchool has the student active, and is reported only where that is nowhere.
    """
    roster = rostered[section_id].students
    listed = (row for row in rows if section_id in row.section_ids or (row.unreadable and not row.section_ids))
    return tuple(_seat(row, roster, rostered) for row in listed)


def section_scores(
    assignment_id: str, seated: Iterable[StudentPlacement], *, send_unfinished: bool = False
) -> SectionScores:
    """Return the scores of one assignment for the section whose students these are."""
    scores: dict[int, DesiredScore] = {}
    unscored: set[int] = set()
    unfinished: set[int] = set()
    flag_only: set[int] = set()
    students: list[StudentRecord] = []
    for seat in seated:
        if assignment_id in seat.unreadable:
            students.append(seat.unreadable[assignment_id])
            continue
        submission = seat.submissions.get(assignment_id)
        dcid = seat.student_dcid
        if submission is None or not counts(submission, send_unfinished=send_unfinished):
            if dcid is not None and submission is not None and submission.assignment_visible is not False:
                unfinished.add(dcid)
            continue
        score = canvas_score(submission)
        if dcid is None:
            if score is not None and seat.unplaced is not None:
                students.append(seat.unplaced)
        elif score is None:
            unscored.add(dcid)
        else:
            scores[dcid] = DesiredScore(dcid, score.points, score.missing, score.exempt)
            if submission.score is None:
                flag_only.add(dcid)
    return SectionScores(scores, frozenset(unscored), tuple(students), frozenset(unfinished), frozenset(flag_only))


def _seat(
    row: GradebookRow, roster: Mapping[str, RosteredStudent], rostered: Mapping[str, RosteredSection]
) -> StudentPlacement:
    student = None if row.sis_user_id is None else roster.get(row.sis_user_id)
    unreadable = {
        assignment_id: StudentRecord(row.user_id, row.sis_user_id, Finding(Reason.VALUE_UNREADABLE, fields))
        for assignment_id, fields in row.unreadable.items()
    }
    if student is not None and student.active:
        return StudentPlacement(row.submissions, student.dcid, None, unreadable)
    reason = _why_unplaced(row, rostered)
    record = None if reason is None else StudentRecord(row.user_id, row.sis_user_id, Finding(reason))
    return StudentPlacement(row.submissions, None, record, unreadable)


def _why_unplaced(row: GradebookRow, rostered: Mapping[str, RosteredSection]) -> Reason | None:
    """Return why the student is active in none of the row's sections; None for one who is active in another."""
    if row.sis_user_id is None:
        return Reason.STUDENT_SIS_ID_MISSING
    if not any(row.sis_user_id in section.students for section in rostered.values()):
        return Reason.STUDENT_UNKNOWN
    own = [rostered[section_id].students for section_id in row.section_ids if section_id in rostered]
    if any(row.sis_user_id in students and students[row.sis_user_id].active for students in own):
        return None
    return Reason.STUDENT_NOT_IN_SECTION
