"""What passback remembers of a course after a sync: every assignment's state with its reasons."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.passback.rules.reasons import Finding


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
    """Who was active in a PowerSchool section, by SIS id."""

    section_sis_id: str
    section_dcid: int
    student_sis_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CourseRecord:
    """The whole course as of its last sync. `next_due_at` is the next due date of its work that was still ahead.

    `name` is Canvas's own, for people who look for the course; it is shown and never logged.
    """

    course_id: str
    synced_at: datetime
    assignments: tuple[AssignmentRecord, ...]
    next_due_at: datetime | None = None
    rosters: tuple[SectionRoster, ...] = ()
    name: str = ""

    def section(self, assignment_id: str, section_sis_id: str | None) -> SectionRecord | None:
        """Return one assignment in one section, None if there is no such record."""
        sections = next((a.sections for a in self.assignments if a.assignment_id == assignment_id), ())
        return next((section for section in sections if section.section_sis_id == section_sis_id), None)


def sections_of(record: CourseRecord | None) -> list[tuple[str, SectionRecord]]:
    """Return every section of every assignment, with the assignment's id; nothing for a course never synced."""
    assignments = record.assignments if record else ()
    return [(assignment.assignment_id, section) for assignment in assignments for section in assignment.sections]


class DeadLetterKind(StrEnum):
    """What a dead letter keeps: work that is looked at anew (a course's, provisioning), or an unreadable message."""

    COURSE = "course"
    MESSAGE = "message"
    PROVISIONING = "provisioning"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job kept for a person. `answer` is the remote answer without personal data.

    `attempt_times` are the newest failed attempts, the oldest first. A letter that a person retried stays open,
    with `retried_at`, until its work succeeds. A message has no course (an empty `course_id`), but the stream or
    queue it came from as its `source`; provisioning has the id of the run that failed last.
    """

    id: str
    course_id: str
    assignment_id: str | None
    cause: str
    answer: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    kind: DeadLetterKind = DeadLetterKind.COURSE
    attempt_times: tuple[datetime, ...] = ()
    retried_at: datetime | None = None
    source: str = ""
