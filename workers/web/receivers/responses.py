"""What the receivers answer: replies made once and sent often, and refusals as rows of a table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.types import Message, Send

CLOSE = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, as the two messages ASGI wants."""

    start: Message
    body: Message

    async def send(self, send: Send) -> None:
        """Send the answer."""
        await send(self.start)
        await send(self.body)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request is not accepted. `closes` ends the connection too: the rest of its body is not wanted."""

    status: int
    code: str
    message: str
    closes: bool = False


NOT_AN_EVENT = Rejection(400, "malformed", "The body is no Live Event.")
NOT_A_WEBHOOK = Rejection(400, "malformed", "The body is no change: see the webhook's format.")
INCOMPLETE = Rejection(400, "incomplete", "The body ended early.", closes=True)
NOT_FROM_CANVAS = Rejection(401, "not_from_canvas", "The event is not signed by Canvas, or not of this district.")
NOT_SIGNED = Rejection(401, "not_signed", "The webhook's signature, timestamp or id is missing or wrong.")
UNKNOWN_PATH = Rejection(404, "not_found", "There is nothing at this path.")
WRONG_METHOD = Rejection(405, "method_not_allowed", "This path has another method.")
TOO_SLOW = Rejection(408, "too_slow", "The body took too long to arrive.", closes=True)
TOO_LARGE = Rejection(413, "too_large", "The body is larger than a receiver reads.", closes=True)
TOO_BUSY = Rejection(503, "too_busy", "Too many bodies are arriving at once.", closes=True)
TOO_MANY = Rejection(503, "too_busy", "Too many requests are in work. Send it again.")
UNAVAILABLE = Rejection(503, "unavailable", "The change cannot be stored or checked now. Send it again.")


class RequestRefused(Exception):
    """Ends the work on a request with a refusal.

    `detail` says more in our own words, such as which check failed; never anything the sender wrote.
    """

    def __init__(self, refusal: Rejection, detail: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(refusal.code, detail)
        self.refusal = refusal
        self.detail = detail
        self.retry_after = retry_after

    @property
    def cause(self) -> str:
        """The most exact code there is, for logs."""
        return self.detail or self.refusal.code

    def reply(self, more_headers: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
        """Return the answer that tells the sender."""
        headers = [*more_headers, *([CLOSE] if self.refusal.closes else [])]
        if self.retry_after is not None:
            headers.append((b"retry-after", b"%d" % max(1, round(self.retry_after.total_seconds()))))
        message = f"{self.refusal.message} ({self.detail})" if self.detail else self.refusal.message
        return json_reply(self.refusal.status, {"error": {"code": self.refusal.code, "message": message}}, headers)


def json_reply(status: int, content: object, headers: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    """Return a reply with `content` as JSON."""
    body = json.dumps(content).encode()
    return _reply(status, body, [(b"content-type", b"application/json"), *headers])


def plain_reply(body: bytes, content_type: bytes) -> Reply:
    """Return a reply with `body`, which nobody on the way keeps."""
    return _reply(200, body, [(b"content-type", content_type), (b"cache-control", b"no-store")])


def _reply(status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    return Reply(
        start={
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", b"%d" % len(body)), *headers],
        },
        body={"type": "http.response.body", "body": body},
    )


ACCEPTED = _reply(202, b"")
