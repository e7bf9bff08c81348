"""What all jobs need: leases that are renewed while they work, and what an error means for the job that raised it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.adapters.redis.client import Lease
from shared.adapters.telemetry.logging import exception_fields
from shared.domain.causes import Cause, Scope
from shared.domain.outcome import Discard, Failure, Outcome, Retry, Snooze
from shared.errors import LeaseLost, PassbackError, PermanentError, RequestRejected, ServiceUnavailable, TransientError
from shared.log_events import LogEvent
from workers.runtime.process_end import VitalThread

log = structlog.get_logger()

T = TypeVar("T")

DEADLINE = "sync_deadline"
ADMINISTRATOR_DELAY = timedelta(seconds=60)
# Any other error of Redis is an error in our code.
REDIS_UNAVAILABLE_ERRORS = (RedisConnectionError, RedisTimeoutError)


class LeaseRenewer(VitalThread):
    """Renews every lease of this process, four times per lease duration. Leases that are not released expire.

    `renew` raises `LeaseLost` if another process has the lease.
    """

    def __init__(self, renew: Callable[[Lease], object], lease_for: timedelta) -> None:
        super().__init__("lease-renewer")
        self._renew_lease = renew
        self._every = lease_for.total_seconds() / 4
        self._deadlines: dict[Lease, float] = {}
        self._lock = threading.Lock()

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

    def work(self) -> None:
        """Renew the leases, until their deadlines."""
        while not self.stopping.wait(self._every):
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


def outcome_of_error(error: Exception) -> Outcome:
    """Return what an error means for the job that raised it. An unexpected error is retried, then dead-lettered."""
    match error:
        case ServiceUnavailable():
            return Snooze(error.cause, error.delay)
        case TransientError():
            return Retry((Failure(error.cause, str(error)),))
        case PermanentError() if Cause(error.cause).scope is Scope.DISTRICT:
            return Snooze(error.cause, ADMINISTRATOR_DELAY, str(error))
        case RequestRejected():
            return Discard(Failure(error.cause, f"{error} {error.error_text}".strip()))
        case PermanentError():
            return Discard(Failure(error.cause, str(error)))
        case _:
            # The text of an unexpected error may quote data, so that only its type is stored.
            return Retry((Failure(f"defect_{type(error).__name__}"),))


def run_and_classify(job: Callable[[], T], unexpected: LogEvent, **context: object) -> T | Outcome:
    """Return what the job returns, or the outcome that its error means.

    Logs an unexpected error as the event `unexpected`, with the fields `context`. Raises `LeaseLost` and
    `REDIS_UNAVAILABLE_ERRORS`: neither is a result of the job.
    """
    try:
        return job()
    except (LeaseLost, *REDIS_UNAVAILABLE_ERRORS):
        raise
    except PassbackError as error:
        return outcome_of_error(error)
    except Exception as error:  # noqa: BLE001  # The only place: an unexpected error fails its own job alone.
        log.error(unexpected, **context, **exception_fields(error))  # noqa: TRY400  # without its text: that may quote data
        return outcome_of_error(error)


def rounded_seconds(delay: timedelta) -> float:
    """Return a delay for a log line."""
    return round(delay.total_seconds(), 3)
