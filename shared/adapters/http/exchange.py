"""Bounds of a request: for whom it waits, how long it may take from connect to last byte, and how much of it is read.

The timeouts of httpx are for each read and write: a server that sends a byte a second meets none of them. So the
sockets below the client check a deadline, which their thread has set.
"""

import logging
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpcore
import httpx

from shared.errors import ServiceUnavailable

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 64
POLL_INTERVAL_S = 1.0
# A write that is under way when its process is stopped may still take so long.
STOP_GRACE_S = 5.0
MIN_EXCHANGE_S = 1.0
# The deadline is checked between writes of this size.
MAX_WRITE_BYTES = 16_384
# Accepted encodings: their decoders can be limited to a size.
ENCODINGS = "gzip, deflate"
_GZIP_OR_ZLIB, _RAW_DEFLATE = 47, -15

# httpx and httpcore log whole URLs with their queries.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


def no_check() -> None:
    """Let everything go on."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The work that requests belong to. Requests of work that began earlier go first.

    `began_ms` is Redis's time; None stands for the time of each request. `max_wait` returns how long a request may
    still wait for its turn. `check_wait` is called before a request and while it waits, `check_stop` while it is under
    way, `check_write` before a write is sent that had to wait: they raise what ends the work.
    """

    began_ms: int | None
    max_wait: Callable[[], timedelta]
    check_wait: Callable[[], None] = no_check
    check_write: Callable[[], None] = no_check
    check_stop: Callable[[], None] = no_check


# After every request of work that began at any real time.
_LOWEST_PRIORITY = 9_000_000_000_000_000


def low_priority(
    max_wait: timedelta, check_wait: Callable[[], None] = no_check, check_stop: Callable[[], None] = no_check
) -> AbstractContextManager[None]:
    """Return a context manager: the requests of its block let all others go first, and wait so long for their turn.

    `check_wait` is called before each, and each second while it waits; `check_stop` while it is under way.
    """
    context = RequestContext(_LOWEST_PRIORITY, lambda: max_wait, check_wait=check_wait, check_stop=check_stop)
    return use_context(context)


def waits_at_most(patience: timedelta) -> AbstractContextManager[None]:
    """Return a context manager that bounds all reads of its block together, within the bound of a block around it.

    What it ends raises a `TransientError`, and does not mark the system as unavailable for others.
    """
    around = current_context()
    ends = time.monotonic() + (min(patience, around.max_wait()) if around else patience).total_seconds()

    def remaining() -> timedelta:
        return timedelta(seconds=max(0.0, ends - time.monotonic()))

    def check() -> None:
        if not remaining():
            raise ServiceUnavailable("no answer in time for a page", cause="page_deadline", delay=timedelta(0))

    return use_context(RequestContext(None, remaining, check_wait=check))


class _Deadline:
    def __init__(self, seconds: float, check: Callable[[], None]) -> None:
        now = time.monotonic()
        self._ends = now + seconds
        self._check = check
        self._next_check = now + POLL_INTERVAL_S

    def remaining(self, timeout: float | None) -> float:
        """Return the remaining seconds, at most `timeout`; zero or less at the end. Raises what the check raises."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + POLL_INTERVAL_S
            self._check()
        remaining = self._ends - now
        return remaining if timeout is None else min(remaining, timeout)


# Context variables, since every port between a sync and its requests would have to pass these on otherwise.
_CONTEXT: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)
_DEADLINE: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


def current_context() -> RequestContext | None:
    """Return what the calling thread works on, None where that is not set."""
    return _CONTEXT.get()


@contextmanager
def _value_of(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def use_context(context: RequestContext) -> AbstractContextManager[None]:
    """Return a context manager: the requests of its block belong to this work."""
    return _value_of(_CONTEXT, context)


def deadline(seconds: float, check: Callable[[], None] = no_check) -> AbstractContextManager[None]:
    """Return a context manager that bounds what its block sends and receives. `check` raises what ends it before."""
    return _value_of(_DEADLINE, _Deadline(seconds, check))


def request_deadline(method: str, seconds: float) -> AbstractContextManager[None]:
    """Return a context manager that bounds a request: by its own timeout, and by the work that it belongs to.

    A write that began is not given up for the deadline of its work: its outcome would be unknown.
    """
    context = current_context()
    if context is None:
        return deadline(seconds)
    if method != "GET":
        return deadline(seconds, _after_grace(context.check_stop))
    return deadline(min(seconds, max(context.max_wait().total_seconds(), MIN_EXCHANGE_S)), context.check_stop)


def _after_grace(check: Callable[[], None]) -> Callable[[], None]:
    """Return a check that raises from a few seconds after the given one first would have."""
    until: float | None = None

    def check_later() -> None:
        nonlocal until
        try:
            check()
        except ServiceUnavailable:
            now = time.monotonic()
            until = now + STOP_GRACE_S if until is None else until
            if now >= until:
                raise

    return check_later


def is_over(context: RequestContext | None) -> bool:
    """Say whether the work may wait for no request any more."""
    try:
        if context:
            context.check_wait()
    except ServiceUnavailable:
        return True
    return context is not None and context.max_wait() <= timedelta(0)


def http_client(
    base_url: str,
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    ca_bundle: Path | None = None,
    transport: httpx.BaseTransport | None = None,
    before_sending: Sequence[Callable[[httpx.Request], None]] = (),
) -> httpx.Client:
    """Return a client to share among threads: every wait bounded, redirects never followed.

    What `before_sending` raises keeps a request from being sent.
    """
    client = httpx.Client(
        base_url=base_url,
        timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_CONNECTIONS),
        headers={"Accept-Encoding": ENCODINGS, **(headers or {})},
        verify=certificates(ca_bundle),
        follow_redirects=False,
        transport=transport,
        event_hooks={"request": list(before_sending)},
    )
    _check_deadlines(client)
    return client


def certificates(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return what trusts the public authorities, and those of a PEM file. Raises: OSError for a file without any.

    Private authorities often lack key identifiers, for which Python 3.13 rejects their certificates by default.
    """
    context = httpx.create_ssl_context()
    if ca_bundle is None:
        return context
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cafile=str(ca_bundle))
    return context


def _check_deadlines(client: httpx.Client) -> None:
    """Let the connections of the client, and those to its proxies, check deadlines.

    httpx passes no network backend on to httpcore, where it is a public argument, and ignores the environment's proxies
    where it is given a transport.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            pool: Any = transport._pool  # noqa: SLF001
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **options: Any
    ) -> httpcore.NetworkStream:
        remaining = _remaining(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, remaining, *args, **options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if _DEADLINE.get() is None:
            return self._inner.read(max_bytes, timeout)
        silent_until = None if timeout is None else time.monotonic() + timeout
        while True:
            silence = None if silent_until is None else silent_until - time.monotonic()
            remaining = _remaining(silence, httpcore.ReadTimeout)
            try:
                return self._inner.read(max_bytes, min(POLL_INTERVAL_S, remaining or POLL_INTERVAL_S))
            except httpcore.ReadTimeout:
                if remaining is not None and remaining <= POLL_INTERVAL_S:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), MAX_WRITE_BYTES):
            self._inner.write(buffer[at : at + MAX_WRITE_BYTES], _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        remaining = _remaining(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, remaining))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _remaining(timeout: float | None, error: type[Exception]) -> float | None:
    """Return what remains of the timeout and of the deadline. Raises `error` where nothing does."""
    current = _DEADLINE.get()
    remaining = timeout if current is None else current.remaining(timeout)
    if remaining is not None and remaining <= 0:
        raise error("the exchange took too long")
    return remaining


class BodyTooLarge(Exception):
    """The body is longer than it may be; `start` is what was read of it."""

    def __init__(self, start: bytes) -> None:
        super().__init__("the body is too long")
        self.start = start


class _BodyReader:
    """Collects a body of at most `max_bytes`, decoded as far as that and no further.

    Raises: BodyTooLarge; httpx.DecodingError where it is not encoded as it says.
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise httpx.DecodingError("an encoding that was not asked for")
        self._decoder = None if encoding in ("", "identity") else zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_first = True

    def add(self, chunk: bytes) -> None:
        if self._decoder is not None:
            chunk = self._decode(chunk)
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise BodyTooLarge(self.content()[: self._max_bytes])

    def content(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def _decode(self, chunk: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decompress(chunk, self._max_bytes - self._size + 1)
        except zlib.error:
            if not self._is_first:
                raise httpx.DecodingError("not encoded as it says") from None
        finally:
            self._is_first = False
        # Some servers mean the bare form by `deflate`.
        self._decoder = zlib.decompressobj(_RAW_DEFLATE)
        return self._decode(chunk)


def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body of a streamed response. Raises: BodyTooLarge, httpx.RequestError."""
    if response.is_stream_consumed:
        return _loaded_body(response, max_bytes)
    body = _BodyReader(response.headers.get("Content-Encoding", ""), max_bytes)
    for chunk in response.iter_raw():
        body.add(chunk)
    return body.content()


async def read_body_async(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the same of an asynchronous client's response."""
    if response.is_stream_consumed:
        return _loaded_body(response, max_bytes)
    body = _BodyReader(response.headers.get("Content-Encoding", ""), max_bytes)
    async for chunk in response.aiter_raw():
        body.add(chunk)
    return body.content()


def _loaded_body(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body that a transport in memory has read."""
    if len(response.content) > max_bytes:
        raise BodyTooLarge(response.content[:max_bytes])
    return response.content
