"""Scheduled tasks: reconciliation, full syncs, due dates, discovery, limits of dead letters, a check of readiness.

Celery beat sends each task once per tick, and several beats may run. A lock in Redis lets a task run once per
interval. What a task does follows from the stored state, so that a missed tick is made up for by the next one.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial

import structlog

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.operations.processes import IntervalLocks
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.sync_queue.streams import UnknownChanges
from shared.clock import Clock, last_due
from shared.domain.actions import EVERYTHING
from shared.domain.causes import Cause
from shared.domain.passback.canvas import DUE_DATE_DELAY
from shared.domain.passback.changes import ChangeCause
from shared.errors import AccessDenied, PermanentError, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import CanvasReader
from shared.queues import Task
from workers.celery.app import reconcile_tick_s
from workers.container import Container
from workers.doctor import system_findings

log = structlog.get_logger()

# A full sync of all courses is spread over this long, or over half a reconciliation where that is shorter.
FULL_SYNC_SPREAD = timedelta(hours=1)
DEAD_LETTER_INTERVAL = timedelta(minutes=10)
# A change of unknown course waits this long for others, so that many of them cost one pass over all courses.
UNKNOWN_CHANGE_TIMEOUT = timedelta(minutes=10)
# Courses are visited this share of the interval early, so that a fair share of them per tick is always in time.
RECONCILE_LEAD = 0.25
# A check of readiness reads for this share of a tick, and leaves the rest to the other tasks.
READINESS_SHARE = 2 / 3
NEVER_SYNCED = datetime(1970, 1, 2, tzinfo=UTC)


def run_scheduled(container: Container, task: Task) -> None:
    """Run the task unless it ran in this interval."""
    tick = timedelta(seconds=reconcile_tick_s(container.settings))
    interval = timedelta(seconds=container.settings.reconcile_interval_s)
    intervals = {Task.DISCOVER: interval, Task.BOUND_DEAD_LETTERS: DEAD_LETTER_INTERVAL}
    run = partial(SCHEDULED[task], container, tick, interval)
    run_once_per_interval(container, task, intervals.get(task, tick), run)


def run_once_per_interval(container: Container, task: Task, every: timedelta, run: Callable[[], None]) -> None:
    """Run the task unless it ran in this interval. After an error that may pass, the next tick runs it again."""
    locks = IntervalLocks(container.redis, container.keys)
    slot = locks.take(task, every)
    if slot is None:
        return
    try:
        run()
    except TransientError as error:
        log.warning(LogEvent.SCHEDULED_TASK_DEFERRED, task=task, cause=error.cause)
        locks.give_back(slot)
        return
    except PermanentError as error:
        # Without the traceback: the error is expected, and its cause says what to do.
        log.error(LogEvent.SCHEDULED_TASK_FAILED, task=task, cause=error.cause)  # noqa: TRY400
    except BaseException:
        locks.give_back(slot)
        raise
    locks.done(slot)


def _reconcile(s: Container, tick: timedelta, interval: timedelta) -> None:
    courses, resolved = reconcile(s.changes, s.records, s.unknown_changes, s.clock, interval, tick)
    if courses or resolved:
        log.info(LogEvent.RECONCILE_ENQUEUED, courses=courses, answered=resolved)


def _full_sync(s: Container, tick: timedelta, interval: timedelta) -> None:
    spread, schedule = min(FULL_SYNC_SPREAD, interval / 2), s.settings.sync_schedule
    courses = full_sync(s.changes, s.records, s.clock, schedule, lambda: s.zone, spread, tick)
    if courses:
        log.info(LogEvent.SCHEDULED_SYNC_ENQUEUED, courses=courses)


def _due_dates(s: Container, _tick: timedelta, _interval: timedelta) -> None:
    courses = trigger_due_dates(s.changes, s.records, s.clock)
    if courses:
        log.info(LogEvent.DUE_DATE_SYNCS_ENQUEUED, courses=courses)


def _discover(s: Container, _tick: timedelta, _interval: timedelta) -> None:
    started, grace = s.clock.now(), timedelta(days=s.settings.term_grace_days)
    try:
        courses = discover(s.canvas, s.changes, s.records, s.clock, grace)
    except AccessDenied as error:
        if error.cause != Cause.CANVAS_401:
            raise
        if s.token_end.refuse(s.clock.now()):
            log.error(LogEvent.SCHEDULED_TASK_FAILED, task=Task.DISCOVER, cause=error.cause)  # noqa: TRY400
        # Asked again at the next tick, so that the alert ends and courses are found soon after a person mended it.
        raise TransientError(str(error), cause=error.cause) from None
    s.token_end.accept()
    duration_ms = round((s.clock.now() - started).total_seconds() * 1000)
    log.info(LogEvent.COURSES_DISCOVERED, courses=courses, duration_ms=duration_ms)
    # Not known this time, where Canvas does not say it: what it said before stays for a while.
    with suppress(PermanentError, TransientError):
        s.token_end.record(s.canvas.token_ends_at(s.settings.canvas_token.get_secret_value()))


def _limit_dead_letters(s: Container, _tick: timedelta, _interval: timedelta) -> None:
    s.dead_letter_queue.enforce_limits()


def _check_readiness(s: Container, tick: timedelta, _interval: timedelta) -> None:
    if any(pause.target == EVERYTHING for pause in s.pauses.all()):
        return
    until = s.clock.now() + tick * READINESS_SHARE
    s.readiness_check.advance(lambda: system_findings(s), lambda: s.clock.now() >= until, s.stopping.is_set)


SCHEDULED: dict[Task, Callable[[Container, timedelta, timedelta], None]] = {
    Task.RECONCILE: _reconcile,
    Task.NIGHTLY_SYNC: _full_sync,
    Task.DUE_DATES: _due_dates,
    Task.DISCOVER: _discover,
    Task.BOUND_DEAD_LETTERS: _limit_dead_letters,
    Task.READINESS: _check_readiness,
}


def reconcile(
    queue: SyncQueue,
    states: CourseStates,
    unknown: UnknownChanges,
    clock: Clock,
    interval: timedelta,
    tick: timedelta,
) -> tuple[int, int]:
    """Make the courses due that were not visited for an interval. May be repeated at any time.

    Returns how many courses became due, and how many changes of unknown course are resolved by that.

    At most a fair share of all courses per tick (and at least one), so that a pass over all is spread out. Courses
    that were never visited come on top: they are few, and must not delay the others. `tick` is at most a sixteenth of
    the interval.
    """
    connected = states.count()
    # Two ticks to spare: one until a course is noticed, one for a tick that comes late.
    limit = max(1, math.ceil(connected * (tick / (interval * RECONCILE_LEAD - 2 * tick))))

    def visit(before: datetime, limit: int, origin: ChangeCause | None = None) -> int:
        # A course counts as visited even if its sync fails: that is for retries and dead letters.
        courses = states.least_recently_visited(before, limit)
        for course_id in courses:
            queue.request(course_id, ChangeCause.RECONCILE, origin=origin)
            states.mark_visited(course_id, clock.now())
        return len(courses)

    courses = visit(NEVER_SYNCED, connected, ChangeCause.DISCOVERY)
    courses += visit(clock.now() - interval * (1 - RECONCILE_LEAD), limit)
    oldest = unknown.oldest_at()
    if oldest is None or clock.now() - oldest < UNKNOWN_CHANGE_TIMEOUT:
        return courses, 0
    # Every course has to be visited after the change arrived.
    horizon = oldest + UNKNOWN_CHANGE_TIMEOUT
    visited = visit(horizon, limit, ChangeCause.UNKNOWN_COURSE)
    return courses, 0 if visited else unknown.discard_before(horizon)


def full_sync(
    queue: SyncQueue,
    states: CourseStates,
    clock: Clock,
    schedule: str,
    zone: Callable[[], tzinfo],
    spread: timedelta,
    tick: timedelta,
) -> int:
    """Make courses due that were not visited since the schedule's last due time; return how many.

    A fair share of all courses per tick, so that a change that arrives meanwhile does not wait for all of them. A
    missed night runs late, and an interrupted one goes on. `zone` is called only with a schedule: it may ask
    PowerSchool.
    """
    if not schedule:
        return 0
    now = clock.now()
    share = max(1, math.ceil(states.count() * (tick / spread)))
    courses = states.least_recently_visited(last_due(schedule, now, zone()), share)
    for course_id in courses:
        queue.request(course_id, ChangeCause.SCHEDULE)
        states.mark_visited(course_id, now)
    return len(courses)


def trigger_due_dates(queue: SyncQueue, states: CourseStates, clock: Clock) -> int:
    """Make courses due in which a due date has just passed; return how many.

    Work becomes missing then without any event. May be repeated: a date is deleted once its course is due.
    """
    passed = states.passed_due_dates(clock.now() - DUE_DATE_DELAY)
    for course_id in passed:
        queue.request(course_id, ChangeCause.DUE_DATE)
    states.delete_due_dates(passed)
    return len(passed)


def discover(canvas: CanvasReader, queue: SyncQueue, states: CourseStates, clock: Clock, grace: timedelta) -> int:
    """Connect the courses for which no event has arrived, and make them due; return how many.

    A course counts until `grace` after its end. Raises what Canvas raises.
    """
    new = 0
    for course_id in dict.fromkeys(canvas.courses_to_sync(clock.now() - grace)):
        if states.register(course_id):
            # If this process dies here, reconciliation finds a connected course that was never visited.
            queue.request(course_id, ChangeCause.RECONCILE, origin=ChangeCause.DISCOVERY)
            states.mark_visited(course_id, clock.now())
            new += 1
    return new
