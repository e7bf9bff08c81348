"""Reads the time: the only module that does. Computes when a cron schedule was due."""

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from croniter import CroniterError, croniter

MEASURE_INTERVAL_S = 60.0
RECHECK_INTERVAL_S = 5.0
# Smaller differences are the way to Redis and back, not a wrong clock: following them would make time jump.
TOLERANCE = timedelta(seconds=1)


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


class SharedClock:
    """A `Clock` on which hosts with wrong clocks agree, so that "synced an hour ago" means the same to all of them.

    `server_time` returns Redis's time, which is asked about once a minute; None, while Redis does not answer, leaves
    the last known difference.
    """

    def __init__(
        self, server_time: Callable[[], datetime | None], local: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._server_time = server_time
        self._local = local
        self._monotonic = monotonic
        self._ahead = timedelta(0)
        self._next_measurement = float("-inf")
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        if self._monotonic() >= self._next_measurement and self._lock.acquire(blocking=False):
            try:
                self._measure()
            finally:
                self._lock.release()
        return self._local.now() - self._ahead

    def sleep(self, duration: timedelta) -> None:
        """Block the calling thread for `duration`."""
        self._local.sleep(duration)

    def _measure(self) -> None:
        before = self._local.now()
        server_time = self._server_time()
        after = self._local.now()
        self._next_measurement = self._monotonic() + (RECHECK_INTERVAL_S if server_time is None else MEASURE_INTERVAL_S)
        ahead = self._ahead if server_time is None else before + (after - before) / 2 - server_time
        if abs(ahead - self._ahead) > TOLERANCE + (after - before):
            self._ahead = ahead


_FIELDS = 5
# Numbers, lists, ranges, steps and names such as `mon`; none of croniter's own inventions (seconds, random times).
_FIELD = re.compile(r"(?:[\d*,/-]|[A-Za-z]{3})+")
# Any day serves to check whether a schedule is ever due.
_ANY_DAY = datetime(2001, 1, 1, tzinfo=UTC)


def checked_cron(text: str) -> str:
    """Return the schedule with its spaces tidied; empty stays empty. Raises `ValueError` for anything else."""
    fields = text.split()
    schedule = " ".join(fields)
    if fields and not (len(fields) == _FIELDS and all(map(_FIELD.fullmatch, fields)) and _is_ever_due(schedule)):
        raise ValueError("is no schedule; write minute, hour, day, month and weekday, such as 0 3 * * *")
    return schedule


def last_due(schedule: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the latest time, in UTC and at most `now`, at which the checked schedule was due on `zone`'s clocks.

    A time that the clocks pass twice counts the first time; one that they leave out counts when they leave it out.
    """
    local = now.astimezone(zone).replace(tzinfo=None, fold=0)
    # croniter returns times before a time, and the time itself counts here.
    is_now = croniter.match(schedule, local)
    due = local.replace(second=0, microsecond=0) if is_now else croniter(schedule, local).get_prev(datetime)
    return min(due.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def cron_matches(schedule: str, now: datetime, zone: tzinfo) -> bool:
    """Say whether the checked schedule is due in this very minute on `zone`'s clocks: read so, it names hours."""
    return bool(croniter.match(schedule, now.astimezone(zone).replace(tzinfo=None, fold=0)))


def _is_ever_due(schedule: str) -> bool:
    try:
        croniter(schedule, _ANY_DAY).get_next()
    except CroniterError:
        return False
    return True
