"""Defines how a job ends: done, snoozed, to be retried or discarded; how long a retry waits; and dead letters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

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


class DeadLetterKind(StrEnum):
    """What a dead letter holds: the job of a course, a provisioning run, or an unreadable message."""

    COURSE = "course"
    MESSAGE = "message"
    PROVISIONING = "provisioning"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job kept for a person. `answer` is the remote answer without personal data.

    `attempt_times` are the newest failed attempts, the oldest first. A letter that a person retried stays open,
    with `retried_at`, until its work succeeds. A message has no course (an empty `course_id`), but the stream or
    queue it came from as its `source`; provisioning has the id of the run that failed last.
    """

    id: str
    course_id: str
    assignment_id: str | None
    cause: str
    answer: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    kind: DeadLetterKind = DeadLetterKind.COURSE
    attempt_times: tuple[datetime, ...] = ()
    retried_at: datetime | None = None
    source: str = ""
