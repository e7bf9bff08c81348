"""One exchange as a whole: how long it may take from connect to last byte, whoever drips, and how much of it is read.

The timeouts of httpx are for each read and write: a byte a second meets none of them. So the sockets below the client
ask the exchange that they serve, which their thread has entered.
"""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

# So often is looked whether an exchange may go on.
POLL_INTERVAL_S = 1.0
# So much is written before the time is looked at again.
WRITTEN_AT_ONCE = 16_384
# Accepted encodings: their decoders can be told how much to make of what they read.
ENCODINGS = "gzip, deflate"
_GZIP_OR_ZLIB, _RAW_DEFLATE = 47, -15


class ResponseTooSlow(Exception):
    """The body is longer than it may be; `start` is what was read of it."""

    def __init__(self, start: bytes) -> None:
        super().__init__("the body is too long")
        self.start = start


class Exchange:
    """A bound in time. `check` raises what ends it before, such as that the process stops."""

    def __init__(self, seconds: float, check: Callable[[], None]) -> None:
        now = time.monotonic()
        self._ends = now + seconds
        self._check = check
        self._next_look = now + POLL_INTERVAL_S

    def left(self, most: float | None) -> float:
        """Return the seconds left, `most` at the most; zero or less when it is over. Raises what the check raises."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + POLL_INTERVAL_S
            self._check()
        left = self._ends - now
        return left if most is None else min(left, most)


_CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def within(exchange: Exchange) -> Iterator[None]:
    """Bound everything that the block sends and receives."""
    token = _CURRENT.set(exchange)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def bound(client: httpx.Client) -> httpx.Client:
    """Let the connections of the client, and those to its proxies, keep the bounds of exchanges; return it.

    httpx hands no network backend on to httpcore, where it is a public argument, and with a transport of one's own it
    does not look at the proxies of the environment.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            pool: Any = transport._pool  # noqa: SLF001
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001
    return client


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_unix_socket(path, left, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if _CURRENT.get() is None:
            return self._inner.read(max_bytes, timeout)
        silent_until = None if timeout is None else time.monotonic() + timeout
        while True:
            most = None if silent_until is None else silent_until - time.monotonic()
            left = _left(most, httpcore.ReadTimeout)
            try:
                return self._inner.read(max_bytes, POLL_INTERVAL_S if left is None else min(left, POLL_INTERVAL_S))
            except httpcore.ReadTimeout:
                if left is not None and left <= POLL_INTERVAL_S:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), WRITTEN_AT_ONCE):
            self._inner.write(buffer[at : at + WRITTEN_AT_ONCE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    """Return what is left of the timeout and of the exchange. Raises `over` where nothing is."""
    exchange = _CURRENT.get()
    left = timeout if exchange is None else exchange.left(timeout)
    if left is not None and left <= 0:
        raise over("the exchange took too long")
    return left


class BodyReader:
    """Collects a body of at most `most` bytes, decoded as far as that and no further.

    Raises: ResponseTooSlow; httpx.DecodingError where it is not encoded as it says.
    """

    def __init__(self, encoding: str, most: int) -> None:
        self._most = most
        self._chunks: list[bytes] = []
        self._size = 0
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise httpx.DecodingError("an encoding that was not asked for")
        self._decoder = None if encoding in ("", "identity") else zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_first = True

    def add(self, chunk: bytes) -> None:
        """Add what came next."""
        if self._decoder is not None:
            chunk = self._decoded(chunk)
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > self._most:
            raise ResponseTooSlow(self.content()[: self._most])

    def content(self) -> bytes:
        """Return what was collected."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _decoded(self, chunk: bytes) -> bytes:
        assert self._decoder is not None
        most = self._most - self._size + 1
        try:
            return self._decoder.decompress(chunk, most)
        except zlib.error:
            if not self._is_first:
                raise httpx.DecodingError("not encoded as it says") from None
        finally:
            self._is_first = False
        # Some servers mean the bare form by `deflate`.
        self._decoder = zlib.decompressobj(_RAW_DEFLATE)
        return self._decoded(chunk)


def read_body(response: httpx.Response, most: int) -> bytes:
    """Return the body of a response that was sent for as a stream. Raises: ResponseTooSlow, httpx.RequestError."""
    if response.is_stream_consumed:
        return _read_already(response, most)
    body = BodyReader(response.headers.get("Content-Encoding", ""), most)
    for chunk in response.iter_raw():
        body.add(chunk)
    return body.content()


async def read_body_async(response: httpx.Response, most: int) -> bytes:
    """Return the same of an asynchronous client's response."""
    if response.is_stream_consumed:
        return _read_already(response, most)
    body = BodyReader(response.headers.get("Content-Encoding", ""), most)
    async for chunk in response.aiter_raw():
        body.add(chunk)
    return body.content()


def _read_already(response: httpx.Response, most: int) -> bytes:
    """Return the body that a transport in memory has read."""
    if len(response.content) > most:
        raise ResponseTooSlow(response.content[:most])
    return response.content
