"""The ASGI application of the event receivers; every other request goes on to `fallback`.

Starlette does not route these paths: its routing adds a third to the time that an event takes here, and one Canvas can
send thousands of events a second. See `deploy/decisions/0022-starlette-routes-the-rest.md`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from workers.web.receivers.intake_metrics import RejectionLog
from workers.web.receivers.request_body import BodyReader
from workers.web.receivers.responses import ACCEPTED, WRONG_METHOD, RequestRejected

RawHeaders = Sequence[tuple[bytes, bytes]]
Receiver = Callable[[RawHeaders, bytes], Awaitable[None]]
"""Stores what a request with these headers and this body reports. Raises `RequestRejected`."""


class ReceiverApp:
    """Answers POST requests to the paths of `receivers`: 202 once the receiver returns, else its rejection."""

    def __init__(
        self, receivers: Mapping[str, Receiver], bodies: BodyReader, rejections: RejectionLog, fallback: ASGIApp
    ) -> None:
        self._receivers = receivers
        self._bodies = bodies
        self._rejections = rejections
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        receiver = self._receivers.get(scope["path"]) if scope["type"] == "http" else None
        if receiver is None:
            await self._fallback(scope, receive, send)
            return
        response = ACCEPTED
        if scope["method"] != "POST":
            response = RequestRejected(WRONG_METHOD, headers={"Allow": "POST"}).response()
        else:
            try:
                await receiver(scope["headers"], await self._bodies.read(scope, receive))
            except RequestRejected as rejected:
                self._rejections.record(scope["path"], rejected)
                response = rejected.response()
        await response(scope, receive, send)
