"""Checks before each write that a sync may go on: its lease, its time slice, its deadline, a stop of the process."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.adapters.http.exchange import RequestContext
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.values import Lease
from shared.clock import Clock
from shared.errors import ServiceUnavailable
from workers.runtime.lease_renewal import DEADLINE

WriteGuard = Callable[[], None]
# A sync that has written for this long yields while other courses wait for a thread.
TIME_SLICE = timedelta(seconds=20)
STOPPING = "worker_stopping"


class SyncTimeSlice:
    """How long a course may go on before it gives way: to its deadline, and to others once its slice is over.

    A slice begins with the first write, so that a course which is slow to read still gets on in every turn.
    """

    def __init__(self, clock: Clock, deadline: datetime, slice_for: timedelta, waits: Callable[[], bool]) -> None:
        self._clock = clock
        self._deadline = deadline
        self._slice_for = slice_for
        self._waits = waits
        self._slice_ends: datetime | None = None

    def left(self) -> timedelta:
        """Return how long it may wait for its next request, zero once its deadline has passed."""
        return max(timedelta(0), self._deadline - self._clock.now())

    def over(self) -> str | None:
        """Return why the course has to give way now, None while it may go on."""
        now = self._clock.now()
        if now >= self._deadline:
            return DEADLINE
        if self._slice_ends is None:
            self._slice_ends = now + self._slice_for
        return "sync_slice" if now >= self._slice_ends and self._waits() else None


def write_guard(
    changes: SyncQueue, lease: Lease, time_slice: SyncTimeSlice, stopping: Callable[[], bool] = lambda: False
) -> WriteGuard:
    """Return the check that a sync makes right before each write.

    Raises `LeaseLost` if another worker may hold the course. Raises `ServiceUnavailable` once the time slice is
    over, so that a huge course continues in a later run, and once this process is asked to stop.
    """

    def check() -> None:
        cause = STOPPING if stopping() else time_slice.over()
        if cause is not None:
            raise should_yield(lease, cause)
        changes.renew(lease)

    return check


def request_context(
    changes: SyncQueue, lease: Lease, time_slice: SyncTimeSlice, stopping: Callable[[], bool]
) -> RequestContext:
    """Return the context of a sync's requests: courses that were claimed earlier go first.

    So a course that has begun to write ends before later ones read. Its requests wait for their turn until its
    deadline, but not in a process that is told to stop; a write that had to wait renews the lease once more. After the
    deadline, nothing more is read. A request that is under way ends where the process is told to stop.
    """

    def check_stop() -> None:
        if stopping():
            raise should_yield(lease, STOPPING)

    def check_wait() -> None:
        check_stop()
        if time_slice.left() <= timedelta(0):
            raise should_yield(lease, DEADLINE)

    def check_write() -> None:
        # The guard let the write go before it waited. The slice does not end it now: under a slow rate, a course whose
        # slice is shorter than the wait would give way in every turn and write nothing.
        check_wait()
        changes.renew(lease)

    return RequestContext(
        lease.token, time_slice.left, check_wait=check_wait, check_write=check_write, check_stop=check_stop
    )


def should_yield(lease: Lease, cause: str) -> ServiceUnavailable:
    """Return what ends a sync that goes on in a later run."""
    return ServiceUnavailable(f"sync of course {lease.course_id} gives way: {cause}", cause=cause, delay=timedelta(0))
