"""The one middleware before all routes: size, deadline and number of what every door of the web process takes in.

A body is read here, whole, before anything else sees the request: what does not arrive in time and within its size
is refused. The receivers find the body in the scope, the other routes get a `receive` with the body in one piece.
Heads, connections and clients that do not read are bounded by `workers/web/http_protocol.py`, guesses of passwords by
`workers/web/auth/credentials.py`.
"""

from collections.abc import Collection
from datetime import timedelta

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.web.receivers.rejection_log import RejectionLog
from workers.web.receivers.request_body import BodyReader
from workers.web.receivers.responses import TOO_MANY, RequestRefused

OTHER_BODY_BYTES = 10_000
MOST_OTHER_REQUESTS = 64
RETRY_AFTER = timedelta(seconds=5)
BODY = "passback.body"
HEALTH = frozenset({"/livez", "/readyz"})


class RequestLimits:
    """Passes on requests whose body came within the limits of their door.

    At most `most_others` requests that are not for a receiver are in work at once, so that these have room.
    """

    def __init__(
        self,
        app: ASGIApp,
        receivers: Collection[str],
        event_bodies: BodyReader,
        refusals: RejectionLog,
        other_bodies: BodyReader | None = None,
        most_others: int = MOST_OTHER_REQUESTS,
    ) -> None:
        self._app = app
        self._receivers = frozenset(receivers)
        self._event_bodies = event_bodies
        self._other_bodies = other_bodies or BodyReader(OTHER_BODY_BYTES)
        self._refusals = refusals
        self._most_others = most_others
        self._others = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] not in self._receivers:
            await self._other(scope, receive, send)
        else:
            # The busiest way: a receiver takes the body from the scope, without another coroutine.
            try:
                scope[BODY] = await self._event_bodies.read(scope, receive)
            except RequestRefused as refused:
                self._refusals.note(scope["path"], refused)
                await refused.reply().send(send)
                return
            await self._app(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # A body that is still arriving takes no place: only what is in work is counted.
            body = await self._other_bodies.read(scope, receive)
            self._find_room(scope["path"])
        except RequestRefused as refused:
            self._refusals.note_request(route_limit(scope["path"]), refused)
            await refused.reply().send(send)
            return
        self._others += 1
        try:
            await self._app(scope, _CompleteBody(body, receive), send)
        finally:
            self._others -= 1

    def _find_room(self, path: str) -> None:
        if self._others >= self._most_others and path not in HEALTH:
            raise RequestRefused(TOO_MANY, retry_after=RETRY_AFTER)


class _CompleteBody:
    """ASGI's `receive` with a body that was read already."""

    __slots__ = ("_body", "_receive")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """Return the whole body, and then what the server says: that the client is gone."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def request_body(scope: Scope) -> bytes:
    """Take the body of a receiver's request, which the middleware read, out of its scope."""
    body: bytes = scope.pop(BODY)
    return body


def route_limit(path: str) -> str:
    """Return the name of a path's door, for logs: one of four, whatever the sender asked for."""
    if path in HEALTH:
        return "health"
    if path == "/metrics":
        return "metrics"
    return "api" if path.startswith("/api/") else "pages"
