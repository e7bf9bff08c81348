"""What is around pages, API and metrics: limits of size, time and number, and security headers.

`RequestLimits` reads a body whole, before anything else sees the request; the application gets a `receive` with the
body in one piece. Headers, connections and clients that do not read are limited by `workers/web/http_protocol.py`,
guesses of passwords by `workers/web/auth/passwords.py`.
"""

from collections.abc import Mapping, Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.web.errors import ApiError
from workers.web.receivers.rejections import TOO_MANY, RejectionLog
from workers.web.receivers.routing import RETRY_AFTER, BodyReader

MAX_BODY_BYTES = 10_000
# A launch of Canvas brings a signed token with everything that the district added to it.
MAX_LAUNCH_BYTES = 65_536
LAUNCH_PATH = "/lti/launch"
MAX_REQUESTS = 64
HEALTH = frozenset({"/livez", "/readyz"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors "
)
HEADERS = {
    "content-security-policy": f"{POLICY}'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


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
        except ApiError as rejected:
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
            raise ApiError(*TOO_MANY, retry_after=RETRY_AFTER)


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


def framed_by(origins: Sequence[str]) -> dict[str, str]:
    """Return the headers of pages that these origins may show in a frame, or open in a window of theirs."""
    # X-Frame-Options cannot name several origins, and an opener policy would cut the new window off from Canvas.
    unfit = {"x-frame-options", "cross-origin-opener-policy"}
    others = {name: value for name, value in HEADERS.items() if name not in unfit}
    return {**others, "content-security-policy": POLICY + " ".join(origins)}


class SecurityHeaders:
    """Adds each header that the response does not set itself."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = HEADERS) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
