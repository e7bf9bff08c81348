"""The ASGI application of the event receivers, and the limits of what it reads; every other request goes on.

Starlette does not route these paths: its routing adds a third to the time that an event takes here, and one Canvas can
send thousands of events a second. See `deploy/decisions/0022-starlette-routes-the-rest.md`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.domain.metrics import CounterName
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable
from shared.ports.passback import Count
from workers.web.errors import ApiError
from workers.web.receivers.rejections import (
    INCOMPLETE,
    TOO_BUSY,
    TOO_LARGE,
    TOO_SLOW,
    UNAVAILABLE,
    WRONG_METHOD,
    RejectionLog,
)

TIMEOUT_S = 10.0
MAX_BUFFERED_BYTES = 64_000_000
RETRY_AFTER = timedelta(seconds=5)
ACCEPTED = Response(status_code=202)

RawHeaders = Sequence[tuple[bytes, bytes]]
Intake = tuple[str, str]
"""What was received, as it is counted: its kind, and what became of it."""
Receiver = Callable[[RawHeaders, bytes], Awaitable[Intake]]
"""Stores what a request with these headers and this body reports. Raises `ApiError` and `ServiceUnavailable`."""


def stored(change: Change | None) -> Intake:
    """Return what is counted for a stored change; None stands for an event of no interest."""
    return ("other", "ignored") if change is None else (change.kind, "stored")


class BodyReader:
    """Reads bodies of at most `max_bytes` each, and of `max_buffered_bytes` for all unfinished ones together."""

    def __init__(
        self, max_bytes: int, timeout_s: float = TIMEOUT_S, max_buffered_bytes: int = MAX_BUFFERED_BYTES
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._max_buffered_bytes = max_buffered_bytes
        self._buffered_bytes = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body. Raises: ApiError."""
        if _content_length(scope) > self._max_bytes:
            raise ApiError(*TOO_LARGE)
        try:
            async with asyncio.timeout(self._timeout_s):
                body, more = await self._chunk(receive)
                return body if not more else await self._read_chunks(body, receive)
        except TimeoutError:
            raise ApiError(*TOO_SLOW) from None

    async def _chunk(self, receive: Receive) -> tuple[bytes, bool]:
        message = await receive()
        if message["type"] != "http.request":
            raise ApiError(*INCOMPLETE)
        body: bytes = message.get("body", b"")
        if len(body) > self._max_bytes:
            raise ApiError(*TOO_LARGE)
        return body, message.get("more_body", False)

    async def _read_chunks(self, first: bytes, receive: Receive) -> bytes:
        """Collect the rest of a body that came in pieces, buffering no more than all senders together may fill."""
        body, more, counted = bytearray(first), True, 0
        try:
            while more:
                self._buffered_bytes += len(body) - counted
                counted = len(body)
                if self._buffered_bytes > self._max_buffered_bytes:
                    raise ApiError(*TOO_BUSY, retry_after=RETRY_AFTER)
                chunk, more = await self._chunk(receive)
                body += chunk
                if len(body) > self._max_bytes:
                    raise ApiError(*TOO_LARGE)
        finally:
            self._buffered_bytes -= counted
        return bytes(body)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0


class ReceiverApp:
    """Answers POST requests to the paths of `receivers`: 202 once the receiver returns, else its error."""

    def __init__(
        self,
        receivers: Mapping[str, Receiver],
        bodies: BodyReader,
        rejections: RejectionLog,
        count: Count,
        fallback: ASGIApp,
    ) -> None:
        self._receivers = receivers
        self._bodies = bodies
        self._rejections = rejections
        self._count = count
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        receiver = self._receivers.get(scope["path"]) if scope["type"] == "http" else None
        if receiver is None:
            await self._fallback(scope, receive, send)
            return
        response = ACCEPTED
        if scope["method"] != "POST":
            response = ApiError(*WRONG_METHOD, {"Allow": "POST"}).response()
        else:
            try:
                kind, outcome = await receiver(scope["headers"], await self._bodies.read(scope, receive))
                self._count(CounterName.EVENTS, kind, scope["path"], outcome)
            except ApiError as rejected:
                response = self._rejected(scope["path"], rejected)
            except ServiceUnavailable as error:
                unavailable = ApiError(*UNAVAILABLE, detail=error.cause, retry_after=error.delay)
                response = self._rejected(scope["path"], unavailable)
        await response(scope, receive, send)

    def _rejected(self, path: str, rejected: ApiError) -> Response:
        self._rejections.record(path, rejected)
        return rejected.response()
