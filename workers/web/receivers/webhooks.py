"""`POST /webhooks/changes`: changes told by scripts, LTI tools and forwarders, signed as Standard Webhooks are."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.types import Receive, Scope

from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter
from shared.adapters.redis.sync_queue.webhook_ids import WebhookIds
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.errors import ServiceUnavailable
from shared.events.live_events import local_id
from workers.web.middleware import request_body
from workers.web.receivers.intake_metrics import Accepted
from workers.web.receivers.responses import ACCEPTED, NOT_A_WEBHOOK, NOT_SIGNED, UNAVAILABLE, Reply, RequestRefused


def _canvas_id(value: object) -> str:
    canvas_id = local_id(value)
    if canvas_id is None:
        raise ValueError("no Canvas id")
    return canvas_id


CanvasId = Annotated[str, BeforeValidator(_canvas_id)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)

    course_id: CanvasId
    assignment_id: CanvasId | None = None


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: ChangeKind
    data: _Data


class Webhooks:
    """Verifies one webhook and stores the change it tells. No `secret` means that nobody is believed."""

    def __init__(
        self,
        writer: ChangeWriter,
        seen: WebhookIds,
        secret: Webhook | None,
        accepted: Accepted,
    ) -> None:
        self._writer = writer
        self._seen = seen
        self._secret = secret
        self._accepted = accepted

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        """Return 202 once the change is stored, also for a repeated webhook. Raises: RequestRefused."""
        raw = request_body(scope)
        webhook_id = self._verified_id(scope, raw)
        change = _change(raw)
        try:
            if await self._seen.contain(webhook_id):
                self._accepted.repeated(change)
                return ACCEPTED
            # Remembered after it is stored: a crash between the two stores it twice, and never not at all.
            await self._writer.add(change)
            await self._seen.add(webhook_id)
        except ServiceUnavailable as error:
            raise RequestRefused(UNAVAILABLE, error.cause, error.delay) from None
        self._accepted.change(change)
        return ACCEPTED

    def _verified_id(self, scope: Scope, raw: bytes) -> str:
        """Return the webhook's id once signature and timestamp hold."""
        if self._secret is None:
            raise RequestRefused(NOT_SIGNED, "no webhook secret is set")
        headers: dict[str, str] = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._secret.verify(raw, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            # The library lets the ValueErrors of unreadable signatures and bodies through.
            raise RequestRefused(NOT_SIGNED) from None
        return headers["webhook-id"]


def _change(raw: bytes) -> Change:
    try:
        body = _Body.model_validate_json(raw)
    except ValidationError:
        raise RequestRefused(NOT_A_WEBHOOK) from None
    return Change(body.type, body.data.course_id, ChangeCause.WEBHOOK, assignment_id=body.data.assignment_id)
