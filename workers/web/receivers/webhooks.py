"""`POST /webhooks/changes`: changes reported by scripts, LTI tools and forwarders, signed as Standard Webhooks are."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter, WebhookIds
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.errors import ServiceUnavailable
from shared.events.live_events import local_id
from workers.web.receivers.intake_metrics import IntakeMetrics
from workers.web.receivers.responses import NOT_A_WEBHOOK, NOT_SIGNED, UNAVAILABLE, RequestRejected
from workers.web.receivers.routing import RawHeaders


def _canvas_id(value: object) -> str:
    canvas_id = local_id(value)
    if canvas_id is None:
        raise ValueError("no Canvas id")
    return canvas_id


CanvasId = Annotated[str, BeforeValidator(_canvas_id)]


class _WebhookData(BaseModel):
    model_config = ConfigDict(frozen=True)

    course_id: CanvasId
    assignment_id: CanvasId | None = None


class _WebhookBody(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: ChangeKind
    data: _WebhookData


class Webhooks:
    """Verifies a webhook and stores the change that it reports. Without a secret every webhook is rejected."""

    def __init__(
        self, writer: ChangeWriter, stored_ids: WebhookIds, verifier: Webhook | None, metrics: IntakeMetrics
    ) -> None:
        self._writer = writer
        self._stored_ids = stored_ids
        self._verifier = verifier
        self._metrics = metrics

    async def receive(self, headers: RawHeaders, body: bytes) -> None:
        """Return once the change is stored, also for a repeated webhook. Raises: RequestRejected."""
        webhook_id = self._verify(headers, body)
        change = _parse_change(body)
        try:
            if await self._stored_ids.contain(webhook_id):
                self._metrics.count_duplicate(change)
                return
            # The id is stored last: a crash between the two stores the change twice, but loses nothing.
            await self._writer.add(change)
            await self._stored_ids.add(webhook_id)
        except ServiceUnavailable as error:
            raise RequestRejected(UNAVAILABLE, error.cause, error.delay) from None
        self._metrics.count_change(change)

    def _verify(self, raw_headers: RawHeaders, body: bytes) -> str:
        """Check signature and timestamp; return the webhook's id."""
        if self._verifier is None:
            raise RequestRejected(NOT_SIGNED, "no webhook secret is set")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw_headers}
        try:
            self._verifier.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            # The library lets the ValueErrors of unreadable signatures and bodies through.
            raise RequestRejected(NOT_SIGNED) from None
        return headers["webhook-id"]


def _parse_change(raw: bytes) -> Change:
    try:
        body = _WebhookBody.model_validate_json(raw)
    except ValidationError:
        raise RequestRejected(NOT_A_WEBHOOK) from None
    return Change(body.type, body.data.course_id, ChangeCause.WEBHOOK, assignment_id=body.data.assignment_id)
