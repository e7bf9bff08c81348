"""A clock for tests and simulations."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class ManualClock:
    """A clock that moves only when it is advanced or slept on."""

    current: datetime
    slept: list[timedelta] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the time the clock was set to."""
        return self.current

    def sleep(self, duration: timedelta) -> None:
        """Advance the clock by `duration` and record it."""
        self.slept.append(duration)
        self.advance(max(timedelta(0), duration))

    def advance(self, duration: timedelta) -> None:
        """Move the clock forward."""
        self.current += duration
