"""`POST /events/powerschool`: PowerSchool's data-change events, a hint that rosters changed.

PowerSchool documents neither the body nor a signature, so the body is not looked at and the hint proves nothing:
all it does is let the next provisioning run come sooner.
Source: PowerSchool event subscriptions, `PUT /ws/v1/event_subscription`.
"""

from starlette.types import Receive, Scope

from shared.adapters.redis.sync_queue.webhook_ids import RosterChangeFlag
from shared.errors import ServiceUnavailable
from workers.web.receivers.intake_metrics import Accepted
from workers.web.receivers.responses import ACCEPTED, UNAVAILABLE, Reply, RequestRefused


class PowerSchoolEvents:
    """Notes that rosters changed."""

    def __init__(self, hints: RosterChangeFlag, accepted: Accepted) -> None:
        self._hints = hints
        self._accepted = accepted

    async def __call__(self, _scope: Scope, _receive: Receive) -> Reply:
        """Return 202 once the hint is noted. Raises: RequestRefused."""
        try:
            await self._hints.add()
        except ServiceUnavailable as error:
            raise RequestRefused(UNAVAILABLE, error.cause, error.delay) from None
        self._accepted.rosters()
        return ACCEPTED
