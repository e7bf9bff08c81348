"""Summarizes a course for lists, so that a list need not read every course record."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State
from shared.domain.passback.rules.reasons import Reason

# Teachers do not ask for such work to be sent: it needs no attention.
ON_PURPOSE = frozenset(
    {Reason.SIS_SYNC_OFF, Reason.NOT_PUBLISHED, Reason.NOT_GRADABLE, Reason.ATTENDANCE, Reason.COURSE_GONE}
)

MAX_SEARCH_TERMS = 20
MAX_TERM_CHARS = 40


class AssignmentStatus(StrEnum):
    """How an assignment stands, over all of its sections. Defined in the order in which they need attention."""

    DEAD = "dead"
    RETRYING = "retrying"
    BLOCKED = "blocked"
    WAITING = "waiting"
    SYNCED = "synced"
    KEPT_BACK = "kept_back"
    """Blocked, and on purpose: its teacher did not ask for it to be sent."""


NEED_ATTENTION = (AssignmentStatus.DEAD, AssignmentStatus.RETRYING, AssignmentStatus.BLOCKED)


@dataclass(frozen=True, slots=True)
class CourseSummary:
    """The course as of its last sync: its assignments counted by standing, its scores and held back students."""

    course_id: str
    name: str
    synced_at: datetime
    assignments: Mapping[AssignmentStatus, int]
    scores_wanted: int = 0
    scores_there: int = 0
    students_held_back: int = 0

    @property
    def problems(self) -> int:
        """Return how many assignments need attention."""
        return sum([self.assignments.get(status, 0) for status in NEED_ATTENTION])


def summary_of(record: CourseRecord) -> CourseSummary:
    """Return the record's summary."""
    sections = [section for assignment in record.assignments for section in assignment.sections]
    counted = Counter(assignment_status(assignment) for assignment in record.assignments)
    return CourseSummary(
        course_id=record.course_id,
        name=record.name,
        synced_at=record.synced_at,
        assignments={standing: counted[standing] for standing in AssignmentStatus},
        scores_wanted=sum(section.scores_wanted for section in sections),
        scores_there=sum(section.scores_there for section in sections),
        students_held_back=sum(len(section.students) for section in sections),
    )


def assignment_status(assignment: AssignmentRecord) -> AssignmentStatus:
    """Return the assignment's standing: the one of its sections' that most needs attention."""
    standings = {_status(section) for section in assignment.sections}
    return next((standing for standing in AssignmentStatus if standing in standings), AssignmentStatus.KEPT_BACK)


def _status(section: SectionRecord) -> AssignmentStatus:
    is_on_purpose = any(finding.reason in ON_PURPOSE for finding in section.findings)
    if section.state is State.BLOCKED and is_on_purpose:
        return AssignmentStatus.KEPT_BACK
    return AssignmentStatus(section.state)


def search_terms(course_id: str, name: str) -> list[str]:
    """Return what a course is found by, sorted: its id, and the words of its name without regard to case."""
    words = re.findall(r"\w+", name.casefold())[:MAX_SEARCH_TERMS]
    return sorted({word[:MAX_TERM_CHARS] for word in (course_id, *words) if word})
