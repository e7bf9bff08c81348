"""Reads request bodies within limits of size, time and memory."""

import asyncio
from datetime import timedelta

from starlette.types import Receive, Scope

from workers.web.receivers.responses import INCOMPLETE, TOO_BUSY, TOO_LARGE, TOO_SLOW, RequestRejected

TIMEOUT_S = 10.0
MAX_BUFFERED_BYTES = 64_000_000
RETRY_AFTER = timedelta(seconds=5)


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
        """Return the body. Raises: RequestRejected."""
        if _content_length(scope) > self._max_bytes:
            raise RequestRejected(TOO_LARGE)
        try:
            async with asyncio.timeout(self._timeout_s):
                body, more = await self._chunk(receive)
                return body if not more else await self._read_chunks(body, receive)
        except TimeoutError:
            raise RequestRejected(TOO_SLOW) from None

    async def _chunk(self, receive: Receive) -> tuple[bytes, bool]:
        message = await receive()
        if message["type"] != "http.request":
            raise RequestRejected(INCOMPLETE)
        body: bytes = message.get("body", b"")
        if len(body) > self._max_bytes:
            raise RequestRejected(TOO_LARGE)
        return body, message.get("more_body", False)

    async def _read_chunks(self, first: bytes, receive: Receive) -> bytes:
        """Collect the rest of a body that came in pieces, buffering no more than all senders together may fill."""
        body, more, counted = bytearray(first), True, 0
        try:
            while more:
                self._buffered_bytes += len(body) - counted
                counted = len(body)
                if self._buffered_bytes > self._max_buffered_bytes:
                    raise RequestRejected(TOO_BUSY, retry_after=RETRY_AFTER)
                chunk, more = await self._chunk(receive)
                body += chunk
                if len(body) > self._max_bytes:
                    raise RequestRejected(TOO_LARGE)
        finally:
            self._buffered_bytes -= counted
        return bytes(body)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0
