"""Defines how a job ends: done, snoozed, to be retried or discarded, and how long a retry waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

# Courses that failed together are retried spread over the last quarter of their wait.
JITTERED_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, with the remote system's error text without personal data.

    `assignment_id` is None where the whole course failed.
    """

    cause: str
    error_text: str = ""
    assignment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """PowerSchool agrees with Canvas, or a rule blocks the work. Blocked work is not retried."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """A system is throttled, unavailable or misconfigured: run again after `delay`, without spending an attempt.

    `error_text` says what a person must repair, without personal data; empty where waiting is enough.
    """

    cause: str
    delay: timedelta
    error_text: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The failures may be temporary. Spends an attempt; after the last one each failure becomes a dead letter."""

    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Discard:
    """The course failed with an unexpected error: it becomes a dead letter at once."""

    failure: Failure


Outcome = Done | Snooze | Retry | Discard


def next_wait(attempts: int, waits: Sequence[timedelta], jitter: Callable[[], float]) -> timedelta | None:
    """Return the wait after `attempts` failed attempts (1 or more), None where no attempt is left.

    `waits` lie between the attempts, so there is one attempt more than waits. `jitter` returns a number in
    [0, 1), such as `random.random`; the result is never longer than the wait itself and at least three quarters
    of it.
    """
    if attempts < 1:
        raise ValueError(f"attempts is {attempts}; the wait follows a failed attempt")
    if attempts > len(waits):
        return None
    return waits[attempts - 1] * (1 - JITTERED_SHARE * jitter())
