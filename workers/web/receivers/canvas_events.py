"""`POST /events/canvas`: Live Events of Canvas, signed or not. The busiest path: it waits for Redis only."""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.canvas.jwks import JwksKeys
from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter
from shared.domain.passback.changes import Change
from shared.events import (
    LiveEvent,
    MalformedEvent,
    TrustedSenders,
    UntrustedEvent,
    parse,
    read_token,
    to_change,
    verified_claims,
)
from workers.web.errors import ApiError
from workers.web.receivers.rejections import INVALID_SIGNATURE, MALFORMED_EVENT
from workers.web.receivers.routing import Intake, RawHeaders, stored

# Canvas documents no content type for a signed event, so the body is inspected: a token may be quoted.
JWT_PADDING = b'" \t\r\n'


class CanvasEvents:
    """Verifies, parses and classifies one event, and stores the change it means."""

    def __init__(
        self,
        writer: ChangeWriter,
        keys: JwksKeys,
        senders: TrustedSenders,
        now: Callable[[], datetime],
        *,
        allow_unsigned: bool,
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._senders = senders
        self._now = now
        self._allow_unsigned = allow_unsigned

    async def receive(self, _headers: RawHeaders, body: bytes) -> Intake:
        """Return once the change is stored, or if the event is of no interest. Raises as a `Receiver`."""
        try:
            change = await self._change(body)
            # Frees the body and the event: while Redis is slow, only the small change stays in memory.
            del body
            if change is not None:
                await self._writer.add(change)
        except MalformedEvent as error:
            raise ApiError(*MALFORMED_EVENT, detail=str(error)) from None
        except UntrustedEvent as error:
            raise ApiError(*INVALID_SIGNATURE, detail=error.code) from None
        return stored(change)

    async def _change(self, body: bytes) -> Change | None:
        raw = body.strip(JWT_PADDING)
        event = self._unsigned(raw) if raw.startswith(b"{") else await self._signed(raw)
        self._senders.check_district(event)
        return to_change(event)

    def _unsigned(self, raw: bytes) -> LiveEvent:
        """Parse an unsigned event. Where none are allowed, a malformed one is still reported as malformed."""
        event = parse(raw)
        if not self._allow_unsigned:
            raise UntrustedEvent("unsigned")
        return event

    async def _signed(self, raw: bytes) -> LiveEvent:
        token = read_token(raw)
        key = await self._keys.key(token.key_id)
        if key is None:
            raise UntrustedEvent("unknown_key")
        event = parse(verified_claims(token, key))
        self._senders.check_claims(event, self._now())
        return event
