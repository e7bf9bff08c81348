"""`POST /events/powerschool`: PowerSchool's data-change events, which notify that rosters changed.

PowerSchool documents neither the body nor a signature. So the body is ignored and the notification proves nothing: it
only lets the next provisioning run start sooner.
Source: PowerSchool event subscriptions, `PUT /ws/v1/event_subscription`.
"""

from collections.abc import Awaitable, Callable

from shared.errors import ServiceUnavailable
from workers.web.receivers.intake_metrics import IntakeMetrics
from workers.web.receivers.responses import UNAVAILABLE, RequestRejected
from workers.web.receivers.routing import RawHeaders


async def receive_notification(
    mark_rosters_changed: Callable[[], Awaitable[None]], metrics: IntakeMetrics, _headers: RawHeaders, _body: bytes
) -> None:
    """Return once the notification is stored. Raises: RequestRejected."""
    try:
        await mark_rosters_changed()
    except ServiceUnavailable as error:
        raise RequestRejected(UNAVAILABLE, error.cause, error.delay) from None
    metrics.count_roster_notification()
