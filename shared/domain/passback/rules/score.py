"""Decides which score of a student is sent to which section, and why one is not sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from shared.domain.passback.canvas import GradebookRow, Submission
from shared.domain.passback.course_state import StudentRecord
from shared.domain.passback.powerschool import DesiredAssignment, RosteredSection, RosteredStudent, Score
from shared.domain.passback.rules.reasons import Finding, Reason

# PowerSchool keeps scores and points as Numeric(18,6).
DECIMAL_PLACES = 6
MAX_DIGITS = 18
SMALLEST_STEP = Decimal(1).scaleb(-DECIMAL_PLACES)

# A quiz that still waits for a person has a score already, but only that of its automatic questions.
UNFINISHED = "pending_review"

Points = TypeVar("Points", Decimal, Decimal | None)


@dataclass(frozen=True, slots=True)
class StudentPlacement:
    """One student's submissions, by assignment id, and the student in PowerSchool's section.

    `student_dcid`, STUDENTS.DCID, is None where the section does not have the student: then `unplaced` says why; it is
    None if another section has the student. `unreadable` holds the assignments whose submission cannot be read: it is
    neither sent nor cleared.
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


def to_powerschool_decimal(value: Points) -> Points:
    """Return `value` as PowerSchool can hold it: unchanged up to six decimals, rounded half up beyond."""
    if value is None:
        return value
    # The remainder is computed much faster than the exponent, where the quotient has fewer digits than a Decimal has.
    if value.adjusted() < MAX_DIGITS and not value % SMALLEST_STEP:
        return value
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -DECIMAL_PLACES:
        return value
    return value.quantize(SMALLEST_STEP, ROUND_HALF_UP)


def canvas_score(submission: Submission) -> Score | None:
    """Return the score with its flags, None where Canvas has neither. Late is no flag of passback's.

    A score that Canvas keeps after a resubmission is still the student's score.

    Source: "as flags; with no score, a score of 0 goes with the flag".
    """
    missing, excused = bool(submission.missing), bool(submission.excused)
    if submission.score is not None:
        return Score(submission.score, missing, excused)
    return Score(Decimal(0), missing, excused) if missing or excused else None


def is_final(submission: Submission) -> bool:
    """Say whether a submission counts; one that does not is neither sent nor taken as cleared.

    Ignored are work that is no longer assigned to the student, and work that a person has yet to finish grading; a
    flag is sent in any case.
    """
    finished = submission.workflow_state != UNFINISHED or submission.excused or submission.missing
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
    return tuple(_placement(row, roster, rostered) for row in listed)


def with_scores(
    desired: DesiredAssignment, placements: Iterable[StudentPlacement]
) -> tuple[DesiredAssignment, tuple[StudentRecord, ...]]:
    """Return the assignment with the scores of the section's students, and why scores of some are not sent."""
    scores: dict[int, Score] = {}
    unscored: set[int] = set()
    unfinished: set[int] = set()
    flag_only: set[int] = set()
    students: list[StudentRecord] = []
    for student in placements:
        if desired.assignment_id in student.unreadable:
            students.append(student.unreadable[desired.assignment_id])
            continue
        submission = student.submissions.get(desired.assignment_id)
        dcid = student.student_dcid
        if submission is None or not is_final(submission):
            if dcid is not None and submission is not None and submission.assignment_visible is not False:
                unfinished.add(dcid)
            continue
        score = canvas_score(submission)
        if dcid is None:
            if score is not None and student.unplaced is not None:
                students.append(student.unplaced)
        elif score is None:
            unscored.add(dcid)
        else:
            scores[dcid] = score
            if submission.score is None:
                flag_only.add(dcid)
    scored = replace(
        desired,
        scores=scores,
        unscored=frozenset(unscored),
        unfinished=frozenset(unfinished),
        flag_only=frozenset(flag_only),
    )
    return scored, tuple(students)


def _placement(
    row: GradebookRow, roster: Mapping[str, RosteredStudent], rostered: Mapping[str, RosteredSection]
) -> StudentPlacement:
    student = None if row.sis_user_id is None else roster.get(row.sis_user_id)
    unreadable = {
        assignment_id: StudentRecord(row.user_id, row.sis_user_id, Finding(Reason.VALUE_UNREADABLE, fields))
        for assignment_id, fields in row.unreadable.items()
    }
    if student is not None and student.active:
        return StudentPlacement(row.submissions, student.dcid, None, unreadable)
    reason = _unplaced_reason(row, rostered)
    record = None if reason is None else StudentRecord(row.user_id, row.sis_user_id, Finding(reason))
    return StudentPlacement(row.submissions, None, record, unreadable)


def _unplaced_reason(row: GradebookRow, rostered: Mapping[str, RosteredSection]) -> Reason | None:
    """Return why the student is active in none of the row's sections; None for one who is active in another."""
    if row.sis_user_id is None:
        return Reason.STUDENT_SIS_ID_MISSING
    if not any(row.sis_user_id in section.students for section in rostered.values()):
        return Reason.STUDENT_UNKNOWN
    listed = [rostered[section_id].students for section_id in row.section_ids if section_id in rostered]
    if any(row.sis_user_id in students and students[row.sis_user_id].active for students in listed):
        return None
    return Reason.STUDENT_NOT_IN_SECTION
