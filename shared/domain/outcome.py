"""How a job ended. Closed: `settle` acts on every kind."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be done, and what the remote system answered, without personal data.

    `assignment_id` is None where the whole course failed.
    """

    cause: str
    answer: str = ""
    assignment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """PowerSchool agrees with Canvas, or a rule says why it need not. Blocked work is done: no retries."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """A system is throttled, unavailable or misconfigured; go on after `delay`. Spends no attempt.

    `answer` says what is to be mended, without personal data; empty where waiting is enough.
    """

    cause: str
    delay: timedelta
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """These failures may pass. Spends an attempt; when attempts are spent each becomes a dead letter."""

    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Discard:
    """The course failed in a way that no rule describes."""

    failure: Failure


Outcome = Done | Snooze | Retry | Discard
