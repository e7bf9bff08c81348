"""Why a request is rejected, and the log of it, at a bounded rate: a sender cannot fill the log."""

import structlog

from shared.clock import Clock
from shared.domain.metrics import CounterName
from shared.log_events import LogEvent
from shared.ports.passback import Count, ignore_count
from workers.runtime.log_limit import LogLimit
from workers.web.errors import ApiError

log = structlog.get_logger()

REJECTED_KIND = "unknown"
# Ends the connection too: the rest of the body is not read.
CLOSE = {"Connection": "close"}

# Arguments of `ApiError`.
MALFORMED_EVENT = (400, "malformed", "The body is no Live Event.")
NOT_A_WEBHOOK = (400, "malformed", "The body is no change: see the webhook's format.")
INCOMPLETE = (400, "incomplete", "The body ended early.", CLOSE)
INVALID_SIGNATURE = (401, "not_from_canvas", "The event is not signed by Canvas, or not of this district.")
NOT_SIGNED = (401, "not_signed", "The webhook's signature, timestamp or id is missing or wrong.")
UNKNOWN_PATH = (404, "not_found", "There is nothing at this path.")
WRONG_METHOD = (405, "method_not_allowed", "This path has another method.")
TOO_SLOW = (408, "too_slow", "The body took too long to arrive.", CLOSE)
TOO_LARGE = (413, "too_large", "The body is larger than a receiver reads.", CLOSE)
TOO_BUSY = (503, "too_busy", "Too many bodies are arriving at once.", CLOSE)
TOO_MANY = (503, "too_busy", "Too many requests are in work. Send it again.")
UNAVAILABLE = (503, "unavailable", "The change cannot be stored or checked now. Send it again.")


class RejectionLog:
    """Logs one line per route, status and cause in a period; the next line has the number of suppressed ones."""

    def __init__(self, clock: Clock, count: Count = ignore_count) -> None:
        self._log_limit = LogLimit(clock)
        self._count = count

    def record(self, receiver: str, rejected: ApiError) -> None:
        """Count and log what a receiver rejected. `receiver` is the path of a receiver, or `sqs`."""
        self._count(CounterName.EVENTS, REJECTED_KIND, receiver, rejected.code)
        event = LogEvent.EVENT_REJECTED_UNAVAILABLE if rejected.status == 503 else LogEvent.EVENT_REJECTED
        self._log(event, rejected, receiver=receiver)

    def record_request(self, route_group: str, rejected: ApiError) -> None:
        """Log a request to `pages`, `api`, `metrics` or `health` that was rejected before it was routed."""
        self._log(LogEvent.REQUEST_REJECTED, rejected, door=route_group)

    def _log(self, event: LogEvent, rejected: ApiError, **route: str) -> None:
        status, cause = rejected.status, rejected.cause
        if (suppressed := self._log_limit.due((*route.values(), status, cause))) is not None:
            log.warning(event, **route, status=status, cause=cause, unlogged=suppressed)
