"""Counts refused requests and says so in the log, without letting a sender fill the log."""

from datetime import datetime, timedelta

import structlog

from shared.clock import Clock
from shared.domain.measures import Counted
from shared.log_events import LogEvent
from shared.ports import Count, count_nothing
from workers.receivers.counting import REFUSED_KIND
from workers.receivers.replies import NotAccepted

log = structlog.get_logger()

BETWEEN_LINES = timedelta(seconds=10)


class RefusalLog:
    """Writes one line per receiver, status and cause in a period; the next one counts those between."""

    def __init__(self, clock: Clock, count: Count = count_nothing) -> None:
        self._clock = clock
        self._count = count
        self._written_at: dict[tuple[str, int, str], datetime] = {}
        self._unlogged: dict[tuple[str, int, str], int] = {}

    def note(self, receiver: str, refused: NotAccepted) -> None:
        """Log the refusal, or count it for a later line. `receiver` is the path of one of our own routes."""
        status, cause = refused.refusal.status, refused.cause
        self._count(Counted.EVENTS, REFUSED_KIND, receiver, refused.refusal.code)
        kind = (receiver, status, cause)
        now = self._clock.now()
        written_at = self._written_at.get(kind)
        if written_at is not None and now - written_at < BETWEEN_LINES:
            self._unlogged[kind] = self._unlogged.get(kind, 0) + 1
            return
        self._written_at[kind] = now
        event = LogEvent.EVENT_NOT_STORED if status == 503 else LogEvent.EVENT_REFUSED
        log.warning(event, receiver=receiver, status=status, cause=cause, unlogged=self._unlogged.pop(kind, 0))
