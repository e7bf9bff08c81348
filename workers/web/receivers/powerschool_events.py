"""`POST /events/powerschool`: PowerSchool's data-change events, which notify that rosters changed.

PowerSchool documents neither the body nor a signature. So the body is ignored and the notification proves nothing: it
only lets the next provisioning run start sooner.
Source: PowerSchool event subscriptions, `PUT /ws/v1/event_subscription`.
"""

from shared.adapters.redis.sync_queue.webhook_ids import RosterChangeFlag
from shared.errors import ServiceUnavailable
from workers.web.receivers.intake_metrics import IntakeMetrics
from workers.web.receivers.responses import UNAVAILABLE, RequestRejected
from workers.web.receivers.routing import RawHeaders


class PowerSchoolEvents:
    """Records that rosters changed."""

    def __init__(self, roster_changes: RosterChangeFlag, metrics: IntakeMetrics) -> None:
        self._roster_changes = roster_changes
        self._metrics = metrics

    async def receive(self, _headers: RawHeaders, _body: bytes) -> None:
        """Return once the notification is stored. Raises: RequestRejected."""
        try:
            await self._roster_changes.add()
        except ServiceUnavailable as error:
            raise RequestRejected(UNAVAILABLE, error.cause, error.delay) from None
        self._metrics.count_roster_notification()
