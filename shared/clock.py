"""Reads the time: the only module that does."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

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
