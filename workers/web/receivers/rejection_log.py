"""Counts refused requests and logs them, without letting a sender fill the log."""

import structlog

from shared.clock import Clock
from shared.domain.metrics import CounterName
from shared.log_events import LogEvent
from shared.ports.passback import Count, count_nothing
from workers.runtime.log_limit import LogLimit
from workers.web.receivers.intake_metrics import REFUSED_KIND
from workers.web.receivers.responses import RequestRefused

log = structlog.get_logger()


class RejectionLog:
    """Writes one line per door, status and cause in a period; the next one counts those between."""

    def __init__(self, clock: Clock, count: Count = count_nothing) -> None:
        self._lines = LogLimit(clock)
        self._count = count

    def note(self, receiver: str, refused: RequestRefused) -> None:
        """Count and log what a receiver refused. `receiver` is the path of one of our own routes."""
        status = refused.refusal.status
        self._count(CounterName.EVENTS, REFUSED_KIND, receiver, refused.refusal.code)
        if (unlogged := self._lines.due((receiver, status, refused.cause))) is not None:
            event = LogEvent.EVENT_NOT_STORED if status == 503 else LogEvent.EVENT_REFUSED
            log.warning(event, receiver=receiver, status=status, cause=refused.cause, unlogged=unlogged)

    def note_request(self, door: str, refused: RequestRefused) -> None:
        """Log what another door refused before anything read it: `pages`, `api`, `metrics` or `health`."""
        status = refused.refusal.status
        if (unlogged := self._lines.due((door, status, refused.cause))) is not None:
            log.warning(LogEvent.REQUEST_REFUSED, door=door, status=status, cause=refused.cause, unlogged=unlogged)
