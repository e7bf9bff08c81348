"""Renews leases in the background while their holders work."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.client import Lease
from shared.errors import LeaseLost
from shared.log_events import LogEvent
from workers.runtime.vital_threads import VitalThread

log = structlog.get_logger()

DEADLINE = "sync_deadline"


class LeaseRenewer:
    """Renews every lease of this process, from one thread, four times per lease duration.

    `renew` raises `LeaseLost` if another process has the lease.
    """

    def __init__(self, renew: Callable[[Lease], object], lease_for: timedelta) -> None:
        self._renew_lease = renew
        self._every = lease_for.total_seconds() / 4
        self._deadlines: dict[Lease, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = VitalThread(target=self._renew_until_stopped, name="lease-renewer")

    def start(self) -> None:
        """Start renewing."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Say whether leases are being renewed."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop renewing. Leases that are not released expire."""
        self._stopped.set()
        self._thread.join(timeout=self._every + 1)

    @contextmanager
    def holding(self, lease: Lease, max_duration: timedelta | None = None) -> Iterator[None]:
        """Renew the lease inside the block, for at most `max_duration`: a job that hangs loses its lease."""
        until = math.inf if max_duration is None else time.monotonic() + max_duration.total_seconds()
        with self._lock:
            self._deadlines[lease] = until
        try:
            yield
        finally:
            self._remove(lease)

    def _renew_until_stopped(self) -> None:
        while not self._stopped.wait(self._every):
            with self._lock:
                leases = list(self._deadlines.items())
            for lease, until in leases:
                if time.monotonic() < until:
                    self._renew(lease)
                else:
                    self._remove(lease)
                    log.warning(LogEvent.LEASE_NOT_RENEWED, **_log_fields(lease), error=DEADLINE)

    def _renew(self, lease: Lease) -> None:
        try:
            self._renew_lease(lease)
        except LeaseLost:
            # The holder finds out by itself before its next write.
            self._remove(lease)
            log.warning(LogEvent.LEASE_LOST, **_log_fields(lease))
        except RedisError as error:
            log.warning(LogEvent.LEASE_NOT_RENEWED, **_log_fields(lease), error=type(error).__name__)

    def _remove(self, lease: Lease) -> None:
        with self._lock:
            self._deadlines.pop(lease, None)


def _log_fields(lease: Lease) -> dict[str, str | int]:
    return {"token": lease.token} | ({"course_id": lease.course_id} if lease.course_id else {})


@contextmanager
def renewing(renew: Callable[[Lease], object], lease: Lease, lease_for: timedelta) -> Iterator[None]:
    """Renew one lease inside the block, from a thread of its own."""
    renewer = LeaseRenewer(renew, lease_for)
    renewer.start()
    try:
        with renewer.holding(lease):
            yield
    finally:
        renewer.stop()
