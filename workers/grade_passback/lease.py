"""Checks before each write that a sync may go on: its lease, its time slice, its deadline, a stop of the process."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.adapters.http.exchange import RequestContext
from shared.adapters.redis.client import Lease
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.errors import ServiceUnavailable
from workers.runtime.lease_renewal import DEADLINE

WriteGuard = Callable[[], None]
# A sync that has written for this long yields while other courses wait for a thread.
TIME_SLICE = timedelta(seconds=20)
STOPPING = "worker_stopping"


class SyncTimeSlice:
    """How long a sync may run: until its deadline, and until its time slice ends if other courses wait.

    The slice begins with the first write, so that a course that is slow to read still makes progress in each slice.
    """

    def __init__(self, clock: Clock, deadline: datetime, slice_for: timedelta, others_wait: Callable[[], bool]) -> None:
        self._clock = clock
        self._deadline = deadline
        self._slice_for = slice_for
        self._others_wait = others_wait
        self._slice_ends: datetime | None = None

    def remaining(self) -> timedelta:
        """Return the time to the deadline, zero once it has passed."""
        return max(timedelta(0), self._deadline - self._clock.now())

    def yield_reason(self) -> str | None:
        """Return why the sync has to end now, None while it may go on."""
        now = self._clock.now()
        if now >= self._deadline:
            return DEADLINE
        if self._slice_ends is None:
            self._slice_ends = now + self._slice_for
        return "sync_slice" if now >= self._slice_ends and self._others_wait() else None


def write_guard(
    changes: SyncQueue, lease: Lease, time_slice: SyncTimeSlice, stopping: Callable[[], bool] = lambda: False
) -> WriteGuard:
    """Return the check that a sync makes right before each write.

    Raises `LeaseLost` if another worker may hold the course. Raises `ServiceUnavailable` once the time slice is
    over, so that a huge course continues in a later run, and once this process is asked to stop.
    """

    def check() -> None:
        cause = STOPPING if stopping() else time_slice.yield_reason()
        if cause is not None:
            raise should_yield(lease, cause)
        changes.renew(lease)

    return check


def request_context(
    changes: SyncQueue, lease: Lease, time_slice: SyncTimeSlice, stopping: Callable[[], bool]
) -> RequestContext:
    """Return the context of a sync's requests: courses that were claimed earlier go first.

    So a course that has begun to write ends before later ones read. Requests wait for a permit until the deadline, but
    not in a process that is asked to stop. A write that had to wait renews the lease once more. After the deadline,
    nothing more is read. A request in flight ends when the process is asked to stop.
    """

    def check_stop() -> None:
        if stopping():
            raise should_yield(lease, STOPPING)

    def check_wait() -> None:
        check_stop()
        if time_slice.remaining() <= timedelta(0):
            raise should_yield(lease, DEADLINE)

    def check_write() -> None:
        # The guard permitted the write before the wait. The time slice does not end it now: at a slow rate, a course
        # whose slice is shorter than the wait would write nothing in any slice.
        check_wait()
        changes.renew(lease)

    return RequestContext(
        lease.token, time_slice.remaining, check_wait=check_wait, check_write=check_write, check_stop=check_stop
    )


def should_yield(lease: Lease, cause: str) -> ServiceUnavailable:
    """Return the error that ends a sync which continues in a later run."""
    return ServiceUnavailable(f"sync of course {lease.course_id} gives way: {cause}", cause=cause, delay=timedelta(0))
