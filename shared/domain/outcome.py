"""Defines how a job ends: done, snoozed, to be retried or discarded. The outcome handlers act on every kind."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, with the remote system's error text, free of personal data.

    `assignment_id` is None where the whole course failed.
    """

    cause: str
    answer: str = ""
    assignment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """PowerSchool agrees with Canvas, or a rule blocks the work. Blocked work is not retried."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """A system is throttled, unavailable or misconfigured: run again after `delay`, without spending an attempt.

    `answer` says what a person must repair, without personal data; empty where waiting is enough.
    """

    cause: str
    delay: timedelta
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The failures may be temporary. Spends an attempt; after the last one each failure becomes a dead letter."""

    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Discard:
    """The course failed with an unexpected error: it becomes a dead letter at once."""

    failure: Failure


Outcome = Done | Snooze | Retry | Discard
