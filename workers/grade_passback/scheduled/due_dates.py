"""The passing of a due date: work becomes missing without any event, so the course is looked at right after it."""

from shared.adapters.redis.sync_queue.scheduled import DueDates
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.rules.due_dates import DUE_DATE_DELAY


class DueDateTrigger:
    """Makes courses due whose work was due a moment ago."""

    def __init__(self, changes: SyncQueue, due_dates: DueDates, clock: Clock) -> None:
        self._changes = changes
        self._due_dates = due_dates
        self._clock = clock

    def run(self) -> int:
        """Make the courses due; return how many. May be repeated: a date is forgotten once its course is due."""
        passed = self._due_dates.passed(self._clock.now() - DUE_DATE_DELAY)
        for course_id in passed:
            self._changes.request(course_id, ChangeCause.DUE_DATE)
        self._due_dates.delete(passed)
        return len(passed)
