"""How a job ended. Closed: `settle` handles every kind."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Done:
    """PowerSchool agrees with Canvas, or a rule says why it need not. Blocked assignments are done: no retries."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A system is throttled or unavailable; try again after `delay`. Spends no attempt."""

    cause: str
    delay: timedelta


@dataclass(frozen=True, slots=True)
class Retry:
    """Something failed that may pass. Spends an attempt; attempts spent make it a dead letter."""

    cause: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Dead:
    """A failure that no rule describes. `answer` is the remote answer without personal data."""

    cause: str
    answer: str = ""


Outcome = Done | Wait | Retry | Dead
