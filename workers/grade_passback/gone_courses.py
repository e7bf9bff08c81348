"""A course that Canvas has no more: reported once, and off every schedule until Canvas has it again."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.domain.outcome import Discard, Done, Failure
from shared.domain.passback.changes import PendingChanges
from shared.domain.passback.course_state import CourseRecord, State
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import AccessDenied, CourseGone, TransientError
from shared.log_events import LogEvent
from workers.grade_passback.outcome_handler import SyncReport

log = structlog.get_logger()


class CourseChecker(Protocol):
    """Asks Canvas whether it has a course."""

    def check_course(self, course_id: str) -> None:
        """Return if Canvas has the course. Raises: CourseGone."""
        ...


def close_course(
    error: CourseGone, changes: PendingChanges, records: CourseStates, dead_letters: DeadLetters, now: datetime
) -> SyncReport:
    """Take the course off every schedule; return a dead letter the first time, and for a person who asked.

    What was recorded of it says so. Links, categories and the audit stay until they are purged. Its assignments' own
    dead letters are answered by it; its own stays until somebody discards it or Canvas has the course again.
    """
    course_id = changes.course_id
    is_news = records.close(course_id, now)
    if is_news:
        log.error(LogEvent.COURSE_GONE, course_id=course_id)
        record = records.course(course_id)
        if record is not None:
            # Saving connects a course.
            records.save(_closed(record))
            records.close(course_id, now)
    letters = dead_letters.of_course(course_id)
    resolved = frozenset(letter.assignment_id for letter in letters if letter.assignment_id is not None)
    outcome = Discard(Failure(error.cause, str(error))) if is_news or changes.asked_for_by_person else Done()
    return SyncReport(outcome, resolved=resolved, full=False)


def refuse_unknown_course(canvas: CourseChecker, records: CourseStates, course_id: str) -> None:
    """Raise `CourseGone` for a course that passback does not sync and Canvas does not have.

    Where Canvas cannot say, the course may be there: its sync finds out.
    """
    if records.is_connected(course_id):
        return
    try:
        canvas.check_course(course_id)
    except (TransientError, AccessDenied):
        return


def _closed(record: CourseRecord) -> CourseRecord:
    gone = (Finding(Reason.COURSE_GONE),)
    assignments = tuple(
        replace(
            assignment,
            sections=tuple(replace(each, state=State.BLOCKED, findings=gone) for each in assignment.sections),
        )
        for assignment in record.assignments
    )
    return replace(record, assignments=assignments, next_due_at=None)
