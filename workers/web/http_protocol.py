"""Extends uvicorn's HTTP/1.1 protocol with limits on the time and memory of connections.

uvicorn waits without end for heads, bodies and readers, parses pipelined requests ahead of their responses, and
collects headers, trailers included, without a limit. Neither its h11 protocol nor its options limit all of that, and
other servers have gaps of their own: see `deploy/decisions/0020-the-web-servers-limits.md`. So this class adds the
limits to uvicorn's own protocol, in the callbacks of `asyncio.Protocol` and of httptools' parser. It uses `transport`,
`flow`, `cycle` and `shutdown` of uvicorn's class; `tests/security/test_web_limits.py` fails when an upgrade changes
these.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CLOSE = b"connection: close\r\ncontent-length: 0\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + CLOSE
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + CLOSE
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n" + CLOSE
SWEEP_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits. Times are in seconds; each starts anew with each request of a connection."""

    connections: int = 512
    head_s: float = 10.0
    body_s: float = 15.0  # longer than the application's own deadline, whose response is more exact
    unread_s: float = 20.0
    head_bytes: int = 65_536
    headers: int = 100


class Awaits(Enum):
    """What a connection waits for: the client in all states but RESPONSE."""

    HEAD = auto()
    BODY = auto()
    RESPONSE = auto()
    END = auto()


_CLIENT_SENDS = frozenset({Awaits.HEAD, Awaits.BODY})


@dataclass(eq=False)
class Connections:
    """All connections of a process, in the order in which they began to wait for what they wait for now."""

    limits: Limits = field(default_factory=Limits)
    _waiting: "dict[BoundedProtocol, None]" = field(default_factory=dict)
    _sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._waiting)

    def add(self, connection: "BoundedProtocol") -> bool:
        """Add a connection; False if there are too many and none of them waits for its client.

        The one that has waited longest for its client is closed instead: a sender that opens connections without
        completing requests does not lock others out.
        """
        if len(self._waiting) >= self.limits.connections and not self._make_room():
            return False
        self._waiting[connection] = None
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(SWEEP_INTERVAL_S, self._sweep, connection.loop)
        return True

    def moved(self, connection: "BoundedProtocol") -> None:
        """Put a connection last that waits for something else."""
        if self._waiting.pop(connection, self) is None:
            self._waiting[connection] = None

    def discard(self, connection: "BoundedProtocol") -> None:
        """Remove a connection that ended."""
        self._waiting.pop(connection, None)

    def _make_room(self) -> bool:
        longest = next((connection for connection in self._waiting if connection.waits_for_client), None)
        if longest is None:
            return False
        self.discard(longest)
        longest.abort()
        return True

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what took too long. One timer for all connections costs less than one for each request."""
        now = loop.time()
        for connection in list(self._waiting):
            connection.check(now)
        self._sweeper = loop.call_later(SWEEP_INTERVAL_S, self._sweep, loop) if self._waiting else None


class _Rejected(Exception):
    """Ends the parsing of a request."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection within limits of time and memory. `bounded` makes the class for a server."""

    all_connections: Connections

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.awaits = Awaits.HEAD
        self._since = self.loop.time()
        self._unread_since: float | None = None
        self._limits = self.all_connections.limits
        self._timeouts = {Awaits.HEAD: self._limits.head_s, Awaits.BODY: self._limits.body_s}
        self._has_moved = False
        self._head_bytes, self._max_headers = self._limits.head_bytes, self._limits.headers
        self._bytes_without_body = 0
        self._rejection: bytes | None = None

    @property
    def waits_for_client(self) -> bool:
        """Say whether the client has to act next: to send, or to read."""
        return self.awaits is not Awaits.RESPONSE or self._unread_since is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection, and reject it where there are too many."""
        super().connection_made(transport)
        if not self.all_connections.add(self):
            transport.write(BUSY)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection no more."""
        self.all_connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, unless the connection is ending: after a rejection or behind a pipelined request."""
        if self.awaits is Awaits.END or self.parser is None:
            return
        # The parser or uvicorn buffers everything but bodies; its size is checked between reads.
        self._bytes_without_body += len(data)
        HttpToolsProtocol.data_received(self, data)
        # Once for all callbacks of a read: most requests arrive in one, and this costs as much as each of them.
        if self._has_moved:
            self._record_move()
        if self.awaits in _CLIENT_SENDS and (
            self._bytes_without_body > self._head_bytes or len(self.headers or ()) > self._max_headers
        ):
            self._end(TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Respond to what cannot be parsed, or what a callback rejected; a pipelined request gets no response."""
        if self._rejection is not None:
            self._end(self._rejection)
        elif self.awaits is not Awaits.END:
            if self._may_respond():
                super().send_400_response(msg)
            self._end(b"")

    def pause_writing(self) -> None:
        """Time the client that does not read its response."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop timing: the client reads again."""
        self._unread_since = None
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Begin a request, unless the response to the one before is incomplete.

        Pipelining is not offered: the response that is under way is the connection's last (RFC 9112, section 9.3.2,
        lets a client send the others again).
        """
        if self.cycle is not None and not self.cycle.response_complete:
            self._set(Awaits.END)
            self.shutdown()
            self.flow.pause_reading()
            raise _Rejected
        self._set(Awaits.HEAD)
        HttpToolsProtocol.on_message_begin(self)

    def on_headers_complete(self) -> None:
        """The head is complete: await the body, and collect trailers apart from the request's headers."""
        self._check_headers()
        self._bytes_without_body = 0
        self._set(Awaits.BODY)
        HttpToolsProtocol.on_headers_complete(self)
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._bytes_without_body = 0
        HttpToolsProtocol.on_body(self, body)

    def on_message_complete(self) -> None:
        """The request is complete: the client waits for the response."""
        self._check_headers()
        self._bytes_without_body = 0
        self._set(Awaits.HEAD if self.cycle.response_complete else Awaits.RESPONSE)
        HttpToolsProtocol.on_message_complete(self)

    def on_response_complete(self) -> None:
        """Await the next request, if this one is complete."""
        if self.awaits is Awaits.RESPONSE:
            self._set(Awaits.HEAD)
            self._record_move()
        HttpToolsProtocol.on_response_complete(self)

    def check(self, now: float) -> None:
        """Close the connection if the client takes too long with anything."""
        waited = now - self._since
        if self._unread_since is not None and now - self._unread_since > self._limits.unread_s:
            self.abort()
        elif self.transport.is_closing():
            if waited > self._limits.unread_s:
                self.abort()
        elif waited > self._timeouts.get(self.awaits, waited):
            self._end(TOO_SLOW)

    def abort(self) -> None:
        """Close the connection now, without sending the rest."""
        self.awaits = Awaits.END
        self.transport.abort()

    def _check_headers(self) -> None:
        """Reject the request, while it is parsed, for too many headers or trailers, or too large ones."""
        if len(self.headers) > self._max_headers or (
            # Counted only where a read was that large: headers cannot exceed it otherwise.
            self._bytes_without_body > self._head_bytes and self._header_bytes() > self._head_bytes
        ):
            self._rejection = TOO_LARGE if self._may_respond() else b""
            raise _Rejected

    def _header_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _may_respond(self) -> bool:
        """Say whether the client would take a response now as the one to what it is sending."""
        if self.cycle is None or self.awaits is Awaits.HEAD:
            return self.cycle is None or bool(self.cycle.response_complete)
        return self.awaits is Awaits.BODY and not self.cycle.response_started

    def _set(self, awaits: Awaits) -> None:
        """Wait for something else; `_record_move` has to follow before the event loop goes on."""
        if self.awaits is not Awaits.END:
            self.awaits = awaits
            self._has_moved = True

    def _record_move(self) -> None:
        self._has_moved = False
        self._since = self.loop.time()
        self.all_connections.moved(self)

    def _end(self, response: bytes) -> None:
        """Send the response and close; `check` drops what is not sent in time."""
        if response and self._may_respond() and not self.transport.is_closing():
            self.transport.write(response)
        self._set(Awaits.END)
        self._record_move()
        self.transport.close()


def bounded(limits: Limits | None = None) -> type[BoundedProtocol]:
    """Return the protocol class of one server, whose connections are counted together."""

    class Bounded(BoundedProtocol):
        all_connections = Connections(limits or Limits())

    return Bounded
