"""Defines what is stored of a course after a sync: every assignment's state with its reasons, and a summary."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.passback.powerschool import AssignmentKey, RosteredSection, Term
from shared.domain.passback.rules.reasons import Finding, Reason

# Such work is not meant to be sent: it needs no attention.
INTENTIONAL = frozenset(
    {Reason.SIS_SYNC_OFF, Reason.NOT_PUBLISHED, Reason.NOT_GRADABLE, Reason.ATTENDANCE, Reason.COURSE_GONE}
)


class State(StrEnum):
    """The state of one assignment in one section. Source: product "Outcomes"."""

    SYNCED = "synced"
    WAITING = "waiting"
    BLOCKED = "blocked"
    RETRYING = "retrying"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class StudentRecord:
    """Why one student's score is not in PowerSchool. Canvas user id always; SIS id where there is one."""

    user_id: str
    student_sis_id: str | None
    finding: Finding


@dataclass(frozen=True, slots=True)
class SectionRecord:
    """One assignment in one section. `section_sis_id` is None for a section without a SIS id.

    `scores_wanted` counts the scores that the rules send, `scores_there` those that PowerSchool holds equal.
    """

    section_sis_id: str | None
    state: State
    findings: tuple[Finding, ...] = ()
    students: tuple[StudentRecord, ...] = ()
    powerschool_assignment_id: int | None = None
    powerschool_assignment_section_id: int | None = None
    scores_wanted: int = 0
    scores_there: int = 0
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AssignmentRecord:
    """One Canvas assignment with its sections."""

    assignment_id: str
    name: str
    sections: tuple[SectionRecord, ...]


@dataclass(frozen=True, slots=True)
class SectionRoster:
    """Who was active in a PowerSchool section, by SIS id. A record of an old version has no school and term."""

    section_sis_id: str
    section_dcid: int
    student_sis_ids: tuple[str, ...]
    school_number: int | None = None
    term: Term | None = None


@dataclass(frozen=True, slots=True)
class CourseSection:
    """A section as Canvas has it. `name` is shown to people and never logged."""

    section_id: str
    sis_id: str | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class LastChange:
    """The last change in Canvas that reached PowerSchool: when its event was received, and when it was written."""

    changed_at: datetime
    written_at: datetime


@dataclass(frozen=True, slots=True)
class CourseRecord:
    """The whole course as of its last sync. `next_due_at` is the next due date of its work that was still ahead.

    `name` is Canvas's own, for people who look for the course; it is shown and never logged. A record of an old version
    has no `sections`.
    """

    course_id: str
    synced_at: datetime
    assignments: tuple[AssignmentRecord, ...]
    next_due_at: datetime | None = None
    rosters: tuple[SectionRoster, ...] = ()
    name: str = ""
    sections: tuple[CourseSection, ...] = ()
    last_change: LastChange | None = None

    def section(self, assignment_id: str, section_sis_id: str | None) -> SectionRecord | None:
        """Return one assignment in one section, None if there is no such record."""
        sections = next((a.sections for a in self.assignments if a.assignment_id == assignment_id), ())
        return next((section for section in sections if section.section_sis_id == section_sis_id), None)


def assignment_names(record: CourseRecord | None) -> dict[str, str]:
    """Return the names of the course's assignments by id."""
    return {assignment.assignment_id: assignment.name for assignment in record.assignments} if record else {}


def sections_of(record: CourseRecord | None) -> list[tuple[str, SectionRecord]]:
    """Return every section of every assignment, with the assignment's id; nothing for a course never synced."""
    assignments = record.assignments if record else ()
    return [(assignment.assignment_id, section) for assignment in assignments for section in assignment.sections]


class AssignmentStatus(StrEnum):
    """The status of an assignment over all its sections, in the order in which they need attention."""

    DEAD = "dead"
    RETRYING = "retrying"
    BLOCKED = "blocked"
    WAITING = "waiting"
    SYNCED = "synced"
    NOT_SELECTED = "kept_back"
    """Blocked because its teacher did not select it to be sent."""


NEED_ATTENTION = (AssignmentStatus.DEAD, AssignmentStatus.RETRYING, AssignmentStatus.BLOCKED)


@dataclass(frozen=True, slots=True)
class CourseSummary:
    """The course as of its last sync: numbers of assignments by status, of scores, and of students not sent.

    `schools`, `terms` and `sections` (SIS ids) are what a course is found by, beside its name. The terms are codes:
    school years, and first and last days.
    """

    course_id: str
    name: str
    synced_at: datetime
    assignments: Mapping[AssignmentStatus, int]
    scores_wanted: int = 0
    scores_there: int = 0
    students_held_back: int = 0
    schools: tuple[int, ...] = ()
    terms: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

    @property
    def problems(self) -> int:
        """Return how many assignments need attention."""
        # Asked of every course of a district: to name members of an enum takes longer than the rest.
        count, (first, second, third) = self.assignments.get, NEED_ATTENTION
        return count(first, 0) + count(second, 0) + count(third, 0)


def summary_of(record: CourseRecord) -> CourseSummary:
    """Return the record's summary."""
    sections = [section for assignment in record.assignments for section in assignment.sections]
    counted = Counter(assignment_status(assignment) for assignment in record.assignments)
    return CourseSummary(
        course_id=record.course_id,
        name=record.name,
        synced_at=record.synced_at,
        assignments={status: counted[status] for status in AssignmentStatus},
        scores_wanted=sum(section.scores_wanted for section in sections),
        scores_there=sum(section.scores_there for section in sections),
        students_held_back=sum(len(section.students) for section in sections),
        schools=tuple(sorted({r.school_number for r in record.rosters if r.school_number is not None})),
        terms=tuple(sorted({code for r in record.rosters if r.term is not None for code in r.term.codes})),
        sections=tuple(roster.section_sis_id for roster in record.rosters),
    )


def assignment_status(assignment: AssignmentRecord) -> AssignmentStatus:
    """Return the one of its sections' statuses that most needs attention."""
    statuses = {_status(section) for section in assignment.sections}
    return next((status for status in AssignmentStatus if status in statuses), AssignmentStatus.NOT_SELECTED)


def _status(section: SectionRecord) -> AssignmentStatus:
    is_intentional = any(finding.reason in INTENTIONAL for finding in section.findings)
    if section.state is State.BLOCKED and is_intentional:
        return AssignmentStatus.NOT_SELECTED
    return AssignmentStatus(section.state)


UP_TO_DATE = frozenset({State.SYNCED, State.WAITING})


def up_to_date_keys(
    record: CourseRecord | None, rosters: Mapping[str, RosteredSection]
) -> Mapping[AssignmentKey, State]:
    """Return the assignments that the last sync left synced, or waiting for a first score.

    `rosters` holds PowerSchool's sections by SIS id.

    Blocked and failed assignments are left out: their next attempt may succeed.
    """
    return {
        AssignmentKey(assignment_id, rosters[section.section_sis_id].dcid): section.state
        for assignment_id, section in sections_of(record)
        if section.state in UP_TO_DATE and section.section_sis_id is not None and section.section_sis_id in rosters
    }
