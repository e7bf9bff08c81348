"""uvicorn's HTTP, impatient with clients that never finish a request's head.

uvicorn waits for a head without end, however slowly and however much of it comes: a few machines that each open many
connections could keep it from everybody else, or fill its memory. Bodies have limits of their own, in the receivers.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CLOSE = b"connection: close\r\ncontent-length: 0\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + CLOSE
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + CLOSE


class PatientProtocol(HttpToolsProtocol):
    """A connection whose requests' heads have a time and a size."""

    head_timeout_s: ClassVar[float] = 10.0
    # A chunk that begins a head may hold a body's beginning, too, so that the size is looked at between chunks.
    largest_head_bytes: ClassVar[int] = 65_536

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Await the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Await nothing any more."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large already."""
        if self._head_timer is not None:
            if self._head_bytes > self.largest_head_bytes:
                self._refuse(TOO_LARGE)
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Await the head of this request, of a connection's first or a later one."""
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Have the head."""
        self._end_wait()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._refuse, TOO_SLOW)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer, self._head_bytes = None, 0

    def _refuse(self, answer: bytes) -> None:
        self._end_wait()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
