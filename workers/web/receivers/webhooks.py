"""`POST /webhooks/changes`: changes reported by scripts, LTI tools and forwarders, signed as Standard Webhooks are."""

from base64 import b64decode
from typing import Annotated

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter, WebhookIds
from shared.config import ConfigurationError, Settings
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.events import local_id
from workers.web.errors import ApiError
from workers.web.receivers.rejections import NOT_A_WEBHOOK, NOT_SIGNED
from workers.web.receivers.routing import Intake, RawHeaders, stored


def _canvas_id(value: object) -> str:
    canvas_id = local_id(value)
    if canvas_id is None:
        raise ValueError("no Canvas id")
    return canvas_id


CanvasId = Annotated[str, BeforeValidator(_canvas_id)]


class _WebhookBody(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: ChangeKind
    course_id: CanvasId = Field(validation_alias=AliasPath("data", "course_id"))
    assignment_id: CanvasId | None = Field(None, validation_alias=AliasPath("data", "assignment_id"))


class Webhooks:
    """Verifies a webhook and stores the change that it reports. Without a secret every webhook is rejected.

    Raises `ConfigurationError` for a secret that is none.
    """

    def __init__(self, writer: ChangeWriter, stored_ids: WebhookIds, settings: Settings) -> None:
        self._writer = writer
        self._stored_ids = stored_ids
        self._verifier = _verifier(settings.webhook_secret.get_secret_value())

    async def receive(self, headers: RawHeaders, body: bytes) -> Intake:
        """Return once the change is stored, also for a repeated webhook. Raises as a `Receiver`."""
        webhook_id = self._verify(headers, body)
        change = _parse_change(body)
        if await self._stored_ids.contain(webhook_id):
            return change.kind, "repeated"
        # The id is stored last: a crash between the two stores the change twice, but loses nothing.
        await self._writer.add(change)
        await self._stored_ids.add(webhook_id)
        return stored(change)

    def _verify(self, raw_headers: RawHeaders, body: bytes) -> str:
        """Check signature and timestamp; return the webhook's id."""
        if self._verifier is None:
            raise ApiError(*NOT_SIGNED, detail="no webhook secret is set")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw_headers}
        try:
            self._verifier.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            # The library lets the ValueErrors of unreadable signatures and bodies through.
            raise ApiError(*NOT_SIGNED) from None
        return headers["webhook-id"]


def _verifier(secret: str) -> Webhook | None:
    if not secret:
        return None
    try:
        # The library skips what is no Base64, and would use what is left of the secret.
        b64decode(secret.removeprefix("whsec_"), validate=True)
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise ConfigurationError("PASSBACK_WEBHOOK_SECRET: not base64, with or without whsec_ before it") from None


def _parse_change(raw: bytes) -> Change:
    try:
        body = _WebhookBody.model_validate_json(raw)
    except ValidationError:
        raise ApiError(*NOT_A_WEBHOOK) from None
    return Change(body.type, body.course_id, ChangeCause.WEBHOOK, assignment_id=body.assignment_id)
