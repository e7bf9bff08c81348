"""What beat's ticks do. A slot in Redis lets one of several beats count; what is to be done follows from state."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from shared.adapters.redis.operations.interval_lock import IntervalLocks
from shared.adapters.redis.sync_queue.scheduled import DueDates
from shared.errors import PermanentError, TransientError
from shared.log_events import LogEvent
from shared.queues import Task
from workers.celery.beat_schedule import reconcile_tick_s
from workers.container import Container
from workers.grade_passback.scheduled.discovery import CourseDiscovery
from workers.grade_passback.scheduled.due_dates import DueDateTrigger
from workers.grade_passback.scheduled.full_sync import ScheduledFullSync
from workers.grade_passback.scheduled.reconcile import Reconciliation

log = structlog.get_logger()

# A nightly pass is spread over this long, or over half a reconciliation where that is shorter.
NIGHTLY_SPREAD = timedelta(hours=1)
BOUND_EVERY = timedelta(minutes=10)


class Housekeeping:
    """One tick of each of beat's tasks."""

    def __init__(self, service: Container) -> None:
        self._service = service
        self._slots = IntervalLocks(service.redis, service.keys)
        self._tick = timedelta(seconds=reconcile_tick_s(service.settings))
        self._interval = timedelta(seconds=service.settings.reconcile_interval_s)

    def reconcile(self) -> None:
        """Give the courses whose turn has come a look."""
        self._once_per(self._tick, Task.RECONCILE, self._reconcile)

    def nightly_sync(self) -> None:
        """Give courses that had no turn since the schedule's last due time a look."""
        self._once_per(self._tick, Task.NIGHTLY_SYNC, self._nightly_sync)

    def due_dates(self) -> None:
        """Give courses whose work was due a moment ago a look."""
        self._once_per(self._tick, Task.DUE_DATES, self._due_dates)

    def discover(self) -> None:
        """Find courses that no event told of: with the first tick of each reconciliation interval, and at the start."""
        self._once_per(self._interval, Task.DISCOVER, self._discover)

    def bound_dead_letters(self) -> None:
        """Drop dead letters that are too old or too many; each is in the log before."""
        self._once_per(BOUND_EVERY, Task.BOUND_DEAD_LETTERS, self._bound_dead_letters)

    def _once_per(self, length: timedelta, task: Task, job: Callable[[], None]) -> None:
        """Do the job unless somebody did it in this slot.

        If a system is unwell, or the job has a defect, the next tick does it instead.
        """
        slot = self._slots.take(task, length)
        if slot is None:
            return
        try:
            job()
        except TransientError as error:
            log.warning(LogEvent.SCHEDULED_TASK_DEFERRED, task=task, cause=error.cause)
            self._slots.give_back(slot)
            return
        except PermanentError as error:
            # Without the traceback: it is no defect, and the cause says what to do.
            log.error(LogEvent.SCHEDULED_TASK_FAILED, task=task, cause=error.cause)  # noqa: TRY400
        except BaseException:
            self._slots.give_back(slot)
            raise
        self._slots.done(slot)

    def _reconcile(self) -> None:
        s = self._service
        done = Reconciliation(s.changes, s.records, s.unknown_changes, s.clock, self._interval, self._tick).run()
        if done.courses or done.answered:
            log.info(LogEvent.RECONCILE_ENQUEUED, courses=done.courses, answered=done.answered)

    def _bound_dead_letters(self) -> None:
        self._service.dead_letter_queue.drop_surplus()

    def _nightly_sync(self) -> None:
        s, spread = self._service, min(NIGHTLY_SPREAD, self._interval / 2)
        schedule = s.settings.sync_schedule
        courses = ScheduledFullSync(s.changes, s.records, s.clock, schedule, lambda: s.zone, spread, self._tick).run()
        if courses:
            log.info(LogEvent.SCHEDULED_SYNC_ENQUEUED, courses=courses)

    def _due_dates(self) -> None:
        s = self._service
        courses = DueDateTrigger(s.changes, DueDates(s.redis, s.keys), s.clock).run()
        if courses:
            log.info(LogEvent.DUE_DATE_SYNCS_ENQUEUED, courses=courses)

    def _discover(self) -> None:
        s, started = self._service, self._service.clock.now()
        grace = timedelta(days=s.settings.term_grace_days)
        courses = CourseDiscovery(s.canvas, s.changes, s.records, s.clock, grace).run()
        duration_ms = round((s.clock.now() - started).total_seconds() * 1000)
        log.info(LogEvent.COURSES_DISCOVERED, courses=courses, duration_ms=duration_ms)
