"""Counts and logs rejected requests, at a bounded rate: a sender cannot fill the log."""

import structlog

from shared.clock import Clock
from shared.domain.metrics import CounterName
from shared.log_events import LogEvent
from shared.ports.passback import Count, ignore_count
from workers.runtime.log_limit import LogLimit
from workers.web.receivers.intake_metrics import REJECTED_KIND
from workers.web.receivers.responses import RequestRejected

log = structlog.get_logger()


class RejectionLog:
    """Writes one line per route, status and cause in a period; the next line has the number of those between."""

    def __init__(self, clock: Clock, count: Count = ignore_count) -> None:
        self._log_limit = LogLimit(clock)
        self._count = count

    def record(self, receiver: str, rejected: RequestRejected) -> None:
        """Count and log what a receiver rejected. `receiver` is the path of one of our own routes."""
        status = rejected.rejection.status
        self._count(CounterName.EVENTS, REJECTED_KIND, receiver, rejected.rejection.code)
        if (unlogged := self._log_limit.due((receiver, status, rejected.cause))) is not None:
            event = LogEvent.EVENT_REJECTED_UNAVAILABLE if status == 503 else LogEvent.EVENT_REJECTED
            log.warning(event, receiver=receiver, status=status, cause=rejected.cause, unlogged=unlogged)

    def record_request(self, route_group: str, rejected: RequestRejected) -> None:
        """Log a request to `pages`, `api`, `metrics` or `health` that was rejected before it was routed."""
        status = rejected.rejection.status
        if (unlogged := self._log_limit.due((route_group, status, rejected.cause))) is not None:
            log.warning(
                LogEvent.REQUEST_REJECTED, door=route_group, status=status, cause=rejected.cause, unlogged=unlogged
            )
