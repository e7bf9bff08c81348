"""Limits of requests that are not for a receiver: size, time and number.

A body is read here, whole, before anything else sees the request; the application gets a `receive` with the body in one
piece. Headers, connections and clients that do not read are limited by `workers/web/http_protocol.py`, guesses of
passwords by `workers/web/auth/passwords.py`.
"""

from datetime import timedelta

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.web.receivers.intake_metrics import RejectionLog
from workers.web.receivers.request_body import BodyReader
from workers.web.receivers.responses import TOO_MANY, RequestRejected

MAX_BODY_BYTES = 10_000
# A launch of Canvas brings a signed token with everything that the district added to it.
MAX_LAUNCH_BYTES = 65_536
LAUNCH_PATH = "/lti/launch"
MAX_REQUESTS = 64
RETRY_AFTER = timedelta(seconds=5)
HEALTH = frozenset({"/livez", "/readyz"})


class RequestLimits:
    """Passes on requests whose body came within the limits, at most `max_requests` at once: receivers have room."""

    def __init__(
        self,
        app: ASGIApp,
        rejections: RejectionLog,
        bodies: BodyReader | None = None,
        max_requests: int = MAX_REQUESTS,
    ) -> None:
        self._app = app
        self._rejections = rejections
        self._bodies = bodies or BodyReader(MAX_BODY_BYTES)
        self._launches = BodyReader(MAX_LAUNCH_BYTES)
        self._max_requests = max_requests
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything that is no HTTP request is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            # Counted once its body is complete: an incomplete one does not use up the limit.
            bodies = self._launches if scope["path"] == LAUNCH_PATH else self._bodies
            body = await bodies.read(scope, receive)
            self._check_room(scope["path"])
        except RequestRejected as rejected:
            self._rejections.record_request(route_group(scope["path"]), rejected)
            await rejected.response()(scope, receive, send)
            return
        self._active += 1
        try:
            await self._app(scope, _with_body(body, receive), send)
        finally:
            self._active -= 1

    def _check_room(self, path: str) -> None:
        if self._active >= self._max_requests and path not in HEALTH:
            raise RequestRejected(TOO_MANY, retry_after=RETRY_AFTER)


def _with_body(body: bytes, receive: Receive) -> Receive:
    """Return ASGI's `receive` with a body that was read already; then the server's messages: a disconnect."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_read() -> Message:
        return messages.pop() if messages else await receive()

    return receive_read


def route_group(path: str) -> str:
    """Return the group of a path for logs: one of five, whatever the sender asked for."""
    if path in HEALTH:
        return "health"
    if path == "/metrics":
        return "metrics"
    if path.startswith("/lti/"):
        return "lti"
    return "api" if path.startswith("/api/") else "pages"
