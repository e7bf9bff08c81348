"""The only place that asks what time it is."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to let some of it pass."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Return after `duration`; at once where it is zero or negative."""
        ...


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, duration: timedelta) -> None:
        """Block the calling thread for `duration`."""
        time.sleep(max(0.0, duration.total_seconds()))


@dataclass
class ManualClock:
    """A clock that moves only when told to, or slept on: for tests and simulations."""

    current: datetime
    slept: list[timedelta] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the time the clock was set to."""
        return self.current

    def sleep(self, duration: timedelta) -> None:
        """Move the clock by `duration` and remember that it was asked for."""
        self.slept.append(duration)
        self.advance(max(timedelta(0), duration))

    def advance(self, duration: timedelta) -> None:
        """Move the clock forward."""
        self.current += duration
