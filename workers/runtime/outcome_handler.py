"""Handles outcomes of jobs: completes, defers, retries or dead-letters them.

Course syncs and provisioning runs both use this retry code.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar, assert_never

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.adapters.telemetry.exceptions import exception_fields
from shared.domain.causes import Cause, Scope
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze, next_wait
from shared.errors import LeaseLost, PassbackError, PermanentError, RequestRejected, ServiceUnavailable, TransientError
from shared.log_events import LogEvent

log = structlog.get_logger()

T = TypeVar("T")
J = TypeVar("J")
R = TypeVar("R")

ADMINISTRATOR_DELAY = timedelta(seconds=60)
# Any other error of Redis is an error in our code.
REDIS_UNAVAILABLE_ERRORS = (RedisConnectionError, RedisTimeoutError)


class OutcomeHandler(ABC, Generic[J, R]):
    """Handles the outcomes of jobs of type `J`. Subclasses store the job and return an `R`.

    `waits` are the delays between attempts. `random_fraction` returns a number in [0, 1) that shortens them.
    """

    deferred_event: LogEvent
    failed_event: LogEvent

    def __init__(self, waits: Sequence[timedelta], random_fraction: Callable[[], float]) -> None:
        self._waits = waits
        self._random_fraction = random_fraction

    def _act_on(self, outcome: Outcome, job: J) -> R:
        match outcome:
            case Done():
                return self._complete(job)
            case Snooze(cause=cause, delay=delay):
                result = self._snooze(job, outcome)
                log.warning(self.deferred_event, **self._log_fields(job), cause=cause, delay_s=_rounded(delay))
                return result
            case Retry(failures=failures):
                attempts = self._attempts(job) + 1
                wait = next_wait(attempts, self._waits, self._random_fraction)
                if wait is None:
                    return self._dead_letter(job, failures)
                cause = failures[0].cause
                result = self._retry(job, cause, attempts, wait)
                fields = {"cause": cause, "attempts": attempts, "delay_s": _rounded(wait)}
                log.warning(self.failed_event, **self._log_fields(job), **fields)
                return result
            case Discard(failure=failure):
                return self._dead_letter(job, (failure,))
            case never:
                assert_never(never)

    @abstractmethod
    def _log_fields(self, job: J) -> dict[str, object]:
        """Return the ids of the job for log lines."""

    @abstractmethod
    def _attempts(self, job: J) -> int:
        """Return how many attempts failed before this one."""

    @abstractmethod
    def _complete(self, job: J) -> R: ...

    @abstractmethod
    def _snooze(self, job: J, snooze: Snooze) -> R: ...

    @abstractmethod
    def _retry(self, job: J, cause: str, attempts: int, wait: timedelta) -> R:
        """Store the job to run again after `wait`; `attempts` include the one that failed now."""

    @abstractmethod
    def _dead_letter(self, job: J, failures: Sequence[Failure]) -> R: ...


def _rounded(delay: timedelta) -> float:
    return round(delay.total_seconds(), 3)


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
