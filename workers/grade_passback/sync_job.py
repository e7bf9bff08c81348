"""The job of one course: takes its lease, syncs it within its limits, handles the outcome, and counts it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog
from redis.exceptions import RedisError

from shared.adapters.http.client import RESPONSE_TIMEOUT_S, max_exchange
from shared.adapters.http.exchange import RequestContext, use_context
from shared.adapters.redis.client import Lease
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.operations.counters import Counters
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.telemetry.tracing import span
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.metrics import CounterName
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze, next_wait
from shared.domain.passback.changes import EVENT_CAUSES, ChangeCause, PendingChanges
from shared.errors import LeaseLost, ServiceUnavailable
from shared.log_events import LogEvent
from shared.ports.passback import Count
from workers.celery.app import MAX_SYNC_DURATION
from workers.grade_passback.course_sync import CourseSync, SyncReport
from workers.runtime.jobs import DEADLINE, REDIS_UNAVAILABLE_ERRORS, LeaseRenewer, rounded_seconds, run_and_classify

log = structlog.get_logger()

# A sync that has written for this long yields while other courses wait for a thread.
TIME_SLICE = timedelta(seconds=20)
STOPPING = "worker_stopping"
REPAIRS = "repairs"


@dataclass
class SyncLimits:
    """What a sync must not exceed: its lease, its deadline, its time slice, and a stop of its process.

    The slice begins with the first write, so that a course that is slow to read still makes progress in each slice. It
    ends the sync only while other courses wait.
    """

    queue: SyncQueue
    lease: Lease
    clock: Clock
    deadline: datetime
    slice_for: timedelta
    others_wait: Callable[[], bool] = lambda: False
    stopping: Callable[[], bool] = lambda: False
    _slice_ends: datetime | None = field(default=None, init=False)

    def check_write(self) -> None:
        """Check right before each write that the sync may go on, and renew its lease.

        Raises `LeaseLost` if another worker may hold the course. Raises `ServiceUnavailable` once the time slice is
        over, so that a huge course continues in a later run, and once this process is asked to stop.
        """
        self._check_time()
        now = self.clock.now()
        if self._slice_ends is None:
            self._slice_ends = now + self.slice_for
        if now >= self._slice_ends and self.others_wait():
            raise self._yields("sync_slice")
        self.queue.renew(self.lease)

    def request_context(self) -> RequestContext:
        """Return the context of the sync's requests: courses that were claimed earlier go first.

        So a course that has begun to write ends before later ones read. Requests wait for a permit until the deadline,
        but not in a process that is asked to stop. After the deadline, nothing more is read. A request in flight ends
        when the process is asked to stop.
        """
        return RequestContext(
            self.lease.token,
            lambda: max(timedelta(0), self.deadline - self.clock.now()),
            check_wait=self._check_time,
            check_write=self._check_delayed_write,
            check_stop=self._check_stop,
        )

    def _check_stop(self) -> None:
        if self.stopping():
            raise self._yields(STOPPING)

    def _check_time(self) -> None:
        self._check_stop()
        if self.clock.now() >= self.deadline:
            raise self._yields(DEADLINE)

    def _check_delayed_write(self) -> None:
        """Renew the lease of a write that had to wait. It was permitted before the wait: its time slice may be over.

        At a slow rate, a course whose slice is shorter than the wait would else write nothing in any slice.
        """
        self._check_time()
        self.queue.renew(self.lease)

    def _yields(self, cause: str) -> ServiceUnavailable:
        """Return the error that ends a sync which continues in a later run."""
        text = f"sync of course {self.lease.course_id} gives way: {cause}"
        return ServiceUnavailable(text, cause=cause, delay=timedelta(0))


@dataclass(frozen=True)
class SyncOutcomeHandler:
    """Handles the outcomes of course syncs. Every path ends the lease; unfinished work is stored.

    `waits` are the delays between attempts. `random_fraction` returns a number in [0, 1) that shortens them.
    """

    changes: SyncQueue
    dead_letters: DeadLetters
    waits: Sequence[timedelta]
    random_fraction: Callable[[], float]

    def run(self, lease: Lease, changes: PendingChanges, job: Callable[[], SyncReport]) -> SyncReport:
        """Run the job and handle its outcome. Return the job's report with the outcome that was handled.

        Never raises for an error of the job.
        """
        report = SyncReport(Done())
        try:
            try:
                report = _report(lease.course_id, job)
                self._close_dead_letters(lease.course_id, report)
                self._add_dead_letters(changes, report.dead)
                self._act_on(report.outcome, lease, changes)
            except LeaseLost:
                self._request_resync(lease)
                report = replace(report, outcome=Snooze(Cause.LEASE_LOST, timedelta(0)))
        except REDIS_UNAVAILABLE_ERRORS:
            # Without Redis nothing can be released: the lease expires, and its course is due again.
            log.warning(
                LogEvent.COURSE_SYNC_DEFERRED, course_id=lease.course_id, cause=Cause.REDIS_UNAVAILABLE, delay_s=0
            )
            report = replace(report, outcome=Snooze(Cause.REDIS_UNAVAILABLE, timedelta(0)))
        return report

    def _act_on(self, outcome: Outcome, lease: Lease, changes: PendingChanges) -> None:
        course_id = lease.course_id
        match outcome:
            case Done():
                self._release(lease)
            case Snooze(cause=cause, delay=delay):
                self.changes.reschedule(lease, delay, changes.attempts, cause)
                log.warning(
                    LogEvent.COURSE_SYNC_DEFERRED, course_id=course_id, cause=cause, delay_s=rounded_seconds(delay)
                )
            case Retry(failures=failures):
                attempts, cause = changes.attempts + 1, failures[0].cause
                wait = next_wait(attempts, self.waits, self.random_fraction)
                if wait is None:
                    self._add_dead_letters(changes, failures)
                    self._release(lease)
                    return
                self.changes.reschedule(lease, wait, attempts, cause)
                fields = {"cause": cause, "attempts": attempts, "delay_s": rounded_seconds(wait)}
                log.warning(LogEvent.COURSE_SYNC_FAILED, course_id=course_id, **fields)
            case Discard(failure=failure):
                self._add_dead_letters(changes, (failure,))
                self._release(lease)
            case never:
                assert_never(never)

    def _release(self, lease: Lease) -> None:
        if not self.changes.release(lease):
            self._request_resync(lease)

    def _request_resync(self, lease: Lease) -> None:
        """Request one more sync of a course whose lease was lost.

        A process may be suspended between the write guard and the write until its lease expires. PowerSchool has no
        fencing tokens, and takes the late write for the newer one.
        """
        log.warning(LogEvent.LEASE_LOST, course_id=lease.course_id, token=lease.token)
        self.changes.request(lease.course_id, ChangeCause.RECONCILE, origin=ChangeCause.RETRY)

    def _add_dead_letters(self, changes: PendingChanges, failures: Iterable[Failure]) -> None:
        course_id, attempts = changes.course_id, changes.attempts + 1
        for failure in failures:
            assignment_id, cause = failure.assignment_id, failure.cause
            self.dead_letters.add(
                course_id, assignment_id, cause, failure.error_text, attempts, failed_before=changes.failed_at
            )
            log.error(LogEvent.DEAD_LETTERED, course_id=course_id, assignment_id=assignment_id, cause=cause)

    def _close_dead_letters(self, course_id: str, report: SyncReport) -> None:
        """Close the dead letters whose work is done.

        A full run that is done also closes those of the whole course and of deleted assignments.
        """
        done_in_full = report.full and isinstance(report.outcome, Done)
        dead = {failure.assignment_id for failure in report.dead}
        for dead_letter in self.dead_letters.of_course(course_id):
            if dead_letter.assignment_id in report.resolved or (done_in_full and dead_letter.assignment_id not in dead):
                self.dead_letters.close(course_id, dead_letter.assignment_id)


def _report(course_id: str, job: Callable[[], SyncReport]) -> SyncReport:
    result = run_and_classify(job, LogEvent.COURSE_SYNC_UNEXPECTED_ERROR, course_id=course_id)
    return result if isinstance(result, SyncReport) else SyncReport(result)


def count_sync(count: Count, counters: Counters, changes: PendingChanges, report: SyncReport) -> None:
    """Count a sync whose outcome was handled. Counts are lost, and logged, if Redis is unavailable.

    `counters` has the latency of a change that is in PowerSchool now, and the changes of which no event told.
    """
    count(CounterName.SYNCS, *_labels(report.outcome))
    try:
        _count_missed(counters, changes, report)
        if not report.assignments_written:
            return
        count(CounterName.WRITTEN, "assignments", amount=report.assignments_written)
        count(CounterName.WRITTEN, "scores", amount=report.scores_written)
        if isinstance(report.outcome, Done) and changes.causes & EVENT_CAUSES:
            counters.observe(changes.first_event_at or changes.first_at)
    except RedisError as error:
        log.warning(LogEvent.METRICS_FLUSH_FAILED, error=type(error).__name__)


def _count_missed(counters: Counters, changes: PendingChanges, report: SyncReport) -> None:
    """Count and log changes that a pass over all courses found: no event arrived for them."""
    assignments, scores = report.missed.assignments, report.missed.scores
    if assignments:
        counters.add(REPAIRS, "assignments", assignments)
        counters.add(REPAIRS, "scores", scores)
        log.info(LogEvent.RECONCILIATION_WROTE, course_id=changes.course_id, assignments=assignments, scores=scores)


def _labels(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Done():
            return "done", ""
        case Snooze(cause=cause):
            return "waits", cause
        case Retry(failures=failures):
            return "failed", failures[0].cause
        case Discard(failure=failure):
            return "dead", failure.cause
        case never:
            assert_never(never)


@dataclass(frozen=True)
class SyncJob:
    """Syncs a claimed course, from taking its lease to handling the outcome.

    `course_sync` is called inside the job, so that an error in making it is an outcome of the course. `stopping` is
    set when the process is asked to stop. `requests_wait` says whether any worker waits to send a request.
    """

    queue: SyncQueue
    course_sync: Callable[[], CourseSync]
    outcome_handler: SyncOutcomeHandler
    lease_renewer: LeaseRenewer
    count: Callable[[PendingChanges, SyncReport], None]
    clock: Clock
    stopping: threading.Event
    requests_wait: Callable[[], bool]

    def run(self, course_id: str) -> None:
        """Sync the course. Does nothing if it is not claimed any more."""
        taken = self.queue.start_sync(course_id)
        if taken is None:
            return
        lease, changes = taken
        deadline = self.clock.now() + MAX_SYNC_DURATION
        limits = SyncLimits(
            self.queue, lease, self.clock, deadline, TIME_SLICE, self._others_wait, self.stopping.is_set
        )
        with (
            structlog.contextvars.bound_contextvars(course_id=course_id),
            # A write may begin right before the deadline.
            self.lease_renewer.holding(lease, MAX_SYNC_DURATION + max_exchange(RESPONSE_TIMEOUT_S)),
            use_context(limits.request_context()),
        ):
            with span("sync", {"course_id": course_id}) as set_attribute:
                report = self.outcome_handler.run(
                    lease, changes, lambda: self.course_sync().run(changes, limits.check_write, lease.token)
                )
                set_attribute("outcome", type(report.outcome).__name__.lower())
            self.count(changes, report)

    def _others_wait(self) -> bool:
        return self.queue.has_ready_courses() or self.requests_wait()
