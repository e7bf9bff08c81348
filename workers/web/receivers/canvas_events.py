"""`POST /events/canvas`: Live Events of Canvas, signed or not. The busiest path: nothing here waits but for Redis."""

from collections.abc import Callable
from datetime import datetime

from starlette.types import Receive, Scope

from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable
from shared.events.event_mapping import change_of
from shared.events.live_events import LiveEvent, MalformedEvent, parse
from shared.events.signatures import NotFromCanvas, Senders, SigningKeys, read_token, verified_claims
from workers.web.middleware import request_body
from workers.web.receivers.intake_metrics import Accepted
from workers.web.receivers.responses import ACCEPTED, NOT_AN_EVENT, NOT_FROM_CANVAS, UNAVAILABLE, Reply, RequestRefused

# Canvas says nothing of the content type of a signed event, so the body decides: a token may come in quotes.
AROUND_A_BODY = b'" \t\r\n'


class CanvasEvents:
    """Verifies, parses and classifies one event, and stores the change it means."""

    def __init__(
        self,
        writer: ChangeWriter,
        keys: SigningKeys,
        senders: Senders,
        now: Callable[[], datetime],
        accepted: Accepted,
        *,
        allow_unsigned: bool,
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._senders = senders
        self._now = now
        self._accepted = accepted
        self._allow_unsigned = allow_unsigned

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        """Return 202 once the change is stored, or if the event is of no interest. Raises: RequestRefused."""
        try:
            # The bytes and the event are let go here: while Redis is slow, only the small change is held.
            change = await self._change(scope)
            if change is not None:
                await self._writer.add(change)
            self._accepted.change(change)
        except MalformedEvent as error:
            raise RequestRefused(NOT_AN_EVENT, str(error)) from None
        except NotFromCanvas as error:
            raise RequestRefused(NOT_FROM_CANVAS, error.code) from None
        except ServiceUnavailable as error:
            raise RequestRefused(UNAVAILABLE, error.cause, error.delay) from None
        return ACCEPTED

    async def _change(self, scope: Scope) -> Change | None:
        raw = request_body(scope).strip(AROUND_A_BODY)
        event = self._unsigned(raw) if raw.startswith(b"{") else await self._signed(raw)
        self._senders.check_district(event)
        return change_of(event)

    def _unsigned(self, raw: bytes) -> LiveEvent:
        """Return an unsigned event; where none are allowed, malformed ones are told so, well-formed ones refused."""
        event = parse(raw)
        if not self._allow_unsigned:
            raise NotFromCanvas("unsigned")
        return event

    async def _signed(self, raw: bytes) -> LiveEvent:
        token = read_token(raw)
        key = await self._keys.key(token.key_id)
        if key is None:
            raise NotFromCanvas("unknown_key")
        event = parse(verified_claims(token, key))
        self._senders.check_claims(event, self._now())
        return event
