"""Counts accepted events; counts and logs rejected requests, at a bounded rate: a sender cannot fill the log."""

import structlog

from shared.clock import Clock
from shared.domain.metrics import CounterName
from shared.domain.passback.changes import Change
from shared.log_events import LogEvent
from shared.ports.passback import Count, ignore_count
from workers.runtime.log_limit import LogLimit
from workers.web.receivers.responses import RequestRejected

log = structlog.get_logger()

ROSTERS = "rosters"
OTHER_KIND = "other"
REJECTED_KIND = "unknown"
STORED, IGNORED, REPEATED = "stored", "ignored", "repeated"


class IntakeMetrics:
    """Counts for one receiver, named by its path."""

    def __init__(self, count: Count, receiver: str) -> None:
        self._count = count
        self._receiver = receiver

    def count_change(self, change: Change | None) -> None:
        """Count a stored change; None stands for an event of no interest."""
        if change is None:
            self._count(CounterName.EVENTS, OTHER_KIND, self._receiver, IGNORED)
        else:
            self._count(CounterName.EVENTS, change.kind, self._receiver, STORED)

    def count_duplicate(self, change: Change) -> None:
        """Count a change that was stored before."""
        self._count(CounterName.EVENTS, change.kind, self._receiver, REPEATED)

    def count_roster_notification(self) -> None:
        """Count a notification that rosters changed."""
        self._count(CounterName.EVENTS, ROSTERS, self._receiver, STORED)


class RejectionLog:
    """Logs one line per route, status and cause in a period; the next line has the number of suppressed ones."""

    def __init__(self, clock: Clock, count: Count = ignore_count) -> None:
        self._log_limit = LogLimit(clock)
        self._count = count

    def record(self, receiver: str, rejected: RequestRejected) -> None:
        """Count and log what a receiver rejected. `receiver` is the path of a receiver, or `sqs`."""
        status = rejected.rejection.status
        self._count(CounterName.EVENTS, REJECTED_KIND, receiver, rejected.rejection.code)
        event = LogEvent.EVENT_REJECTED_UNAVAILABLE if status == 503 else LogEvent.EVENT_REJECTED
        self._log(event, rejected, receiver=receiver)

    def record_request(self, route_group: str, rejected: RequestRejected) -> None:
        """Log a request to `pages`, `api`, `metrics` or `health` that was rejected before it was routed."""
        self._log(LogEvent.REQUEST_REJECTED, rejected, door=route_group)

    def _log(self, event: LogEvent, rejected: RequestRejected, **route: str) -> None:
        status, cause = rejected.rejection.status, rejected.cause
        if (suppressed := self._log_limit.due((*route.values(), status, cause))) is not None:
            log.warning(event, **route, status=status, cause=cause, unlogged=suppressed)
