"""Limits log lines to one of a kind per interval, so that no sender fills the log."""

import logging
from collections.abc import Hashable
from datetime import datetime, timedelta

from shared.clock import Clock

MIN_LOG_INTERVAL = timedelta(seconds=10)
MAX_KINDS = 1000


class LogLimit:
    """Decides which lines are logged. A kind consists of our own codes and paths, never of what a sender wrote."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._written_at: dict[Hashable, datetime] = {}
        self._suppressed: dict[Hashable, int] = {}

    def due(self, kind: Hashable) -> int | None:
        """Return how many lines of this kind were suppressed since the last one; None if this one is to be, too."""
        now = self._clock.now()
        written_at = self._written_at.get(kind)
        if written_at is not None and now - written_at < MIN_LOG_INTERVAL:
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return None
        if len(self._written_at) >= MAX_KINDS:
            self._written_at.clear()
        self._written_at[kind] = now
        return self._suppressed.pop(kind, 0)


class ServerLines(logging.Filter):
    """Limits the lines of a server's own logger: uvicorn logs each request that is not HTTP."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._lines = LogLimit(clock)

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is logged."""
        if record.levelno < logging.WARNING:
            return True
        return self._lines.due((record.msg, *_raised_at(record))) is not None


def _raised_at(record: logging.LogRecord) -> tuple[object, ...]:
    """Return the type of the line's exception and the place that raised it: two errors are two kinds."""
    if not record.exc_info or record.exc_info[2] is None:
        return ()
    at = record.exc_info[2]
    while at.tb_next is not None:
        at = at.tb_next
    return record.exc_info[0], at.tb_frame.f_code.co_filename, at.tb_lineno
