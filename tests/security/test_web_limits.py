"""Limits of the web process: connections, heads, bodies, trailers, responses, log lines, and values of events."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.adapters.redis.sync_queue.streams import CAUSE, encode
from shared.clock import SystemClock
from tests.architecture.project import ROOT
from tests.integration.receivers_kit import UUID, Receivers, plain
from tests.integration.sandbox_server import served
from tests.security.wire import address_of, exchange
from workers.dev.process_group import free_port
from workers.runtime.log_limit import ServerLines
from workers.web.http_protocol import BoundedProtocol, Limits, bounded
from workers.web.middleware import RequestLimits
from workers.web.receivers.assembly import livez
from workers.web.receivers.rejections import RejectionLog
from workers.web.receivers.routing import BodyReader
from workers.web.server import serve

Address = tuple[str, int]
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
LAST_LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MAX_GROWTH_MB = 60


@contextmanager
def server(limits: Limits, app: ASGIApp | None = None) -> Iterator[Address]:
    """Serve with these limits; a body has 0.5 s."""
    routed = Starlette(routes=[Route("/livez", livez)])
    if app is not None:
        routed.router.default = app
    bodies = BodyReader(10_000, timeout_s=0.5)
    limited = RequestLimits(routed, RejectionLog(SystemClock()), bodies, max_requests=3)
    with served(limited, force_exit=True, http=bounded(limits), log_config=None, log_level=None, ws="none") as url:
        yield address_of(url)


@pytest.fixture(scope="module")
def process() -> Iterator[tuple[psutil.Process, Address]]:
    """The receivers as `passback web` serves them, in a process of their own."""
    address = ("127.0.0.1", free_port())
    command = [sys.executable, "-m", "tests.security.limited_server", str(address[1])]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as running:
        try:
            until = time.monotonic() + 30
            while time.monotonic() < until and not _answers(address):
                time.sleep(0.1)
            yield psutil.Process(running.pid), address
        finally:
            running.kill()


def _answers(address: Address) -> bool:
    try:
        return exchange(address, LAST_LIVEZ).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def pour(address: Address, head: bytes, unit: bytes, megabytes: int) -> None:
    """Send `head` and then `unit` over and over, reading nothing, until enough is sent or the server hangs up."""
    block = unit * max(1, 100_000 // len(unit))
    with socket.create_connection(address, timeout=2) as connection:
        try:
            connection.sendall(head)
            for _ in range(megabytes * 1_000_000 // len(block)):
                connection.sendall(block)
            time.sleep(0.5)
        except OSError:
            return


EVENT = plain()
POST = b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(EVENT) + EVENT


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        pytest.param(b"", LIVEZ, id="pipelined requests"),
        pytest.param(b"", POST, id="pipelined events"),
        pytest.param(CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n", id="trailers"),
        pytest.param(CHUNKED + b"2\r\n{}\r\n0\r\na: ", b"b", id="one trailer"),
        pytest.param(CHUNKED + b"2;a=", b"b", id="a chunk's extension"),
        pytest.param(b"GET /livez HTTP/1.1\r\n", b"a:\r\n", id="headers"),
        pytest.param(b"GET /livez HTTP/1.1\r\na: ", b"b", id="one header"),
        pytest.param(b"GET /", b"a", id="the path"),
        pytest.param(b"", b"\r\n", id="empty lines"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n", b"a", id="an unread body"),
        pytest.param(CHUNKED, b"1\r\n{\r\n", id="tiny chunks"),
    ],
)
def test_what_never_ends_fills_no_memory(process: tuple[psutil.Process, Address], head: bytes, unit: bytes) -> None:
    """Megabytes on each of four connections without a reader leave the memory bounded; others are answered."""
    web, address = process
    before = web.memory_info().rss / 1e6
    pouring = [threading.Thread(target=pour, args=(address, head, unit, 9)) for _ in range(4)]
    for each in pouring:
        each.start()
    most = before
    while any(each.is_alive() for each in pouring):
        assert _answers(address)
        most = max(most, web.memory_info().rss / 1e6)
        time.sleep(0.05)
    assert most - before < MAX_GROWTH_MB


def test_pipelined_requests_get_one_answer() -> None:
    """The request in progress is answered with `connection: close`; a client sends the others again."""
    with server(Limits()) as address:
        answer = exchange(address, LIVEZ * 50)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431"),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 99 + b"Connection: close\r\n\r\n", b"431"),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 98 + b"Connection: close\r\n\r\n", b"200"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"431"),
        (CHUNKED + b"0\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431"),
    ],
)
def test_heads_and_trailers_have_a_size(request_: bytes, status: bytes) -> None:
    """Heads and trailers are limited to a hundred lines and 64 KB."""
    with server(Limits()) as address:
        assert exchange(address, request_)[9:12] == status


def test_too_many_connections_make_room() -> None:
    """Connections that wait longest for their client are closed: silent ones, half a head, half a body, a kept one."""
    beginnings = [b"", b"GET /livez HTT", b"POST /sign-in HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", LIVEZ]
    with server(Limits(connections=8)) as address, ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(12)]
        for number, connection in enumerate(held):
            connection.sendall(beginnings[number % 4])
        time.sleep(0.2)
        for _ in range(10):
            assert exchange(address, LAST_LIVEZ).startswith(b"HTTP/1.1 200")
        assert held[0].recv(10) == b"", "the oldest is not ended"


class Slow:
    """An application whose responses are large, or wait for a signal."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            await asyncio.to_thread(self.may_go_on.wait, 10)
        body = b"x" * (20_000_000 if scope["path"] == "/large" else 2)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def test_an_answer_that_nobody_reads_is_dropped() -> None:
    """A response without a reader is dropped, also after the server closed the connection."""
    with server(Limits(unread_s=0.5), Slow()) as address, ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(2)]
        held[0].sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        held[1].sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(2)
        received = [_rest(connection) for connection in held]
    assert all(size < 20_000_000 for size in received), received


def _rest(connection: socket.socket) -> int:
    size = 0
    try:
        while block := connection.recv(1_000_000):
            size += len(block)
    except ConnectionError:
        pass
    return size


def test_others_have_places_and_receivers_do_not_need_one() -> None:
    """Slow requests over the limit get 503; health checks are answered."""
    slow = Slow()
    with server(Limits(), slow) as address, ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(0.3)
        refused = exchange(address, b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        alive = exchange(address, LAST_LIVEZ)
        slow.may_go_on.set()
        answers = [connection.recv(100) for connection in held]
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"retry-after" in refused
    assert alive.startswith(b"HTTP/1.1 200")
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


@pytest.mark.parametrize("path", [b"/sign-in", b"/courses/1/sync", b"/api/v1/courses/1/sync", b"/metrics", b"/livez"])
def test_a_body_that_never_comes_is_not_waited_for(path: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A missing body is 408 on every path, with one short log line for all, also if the client disconnects."""
    half = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nab"
    with server(Limits(), Slow()) as address, caplog.at_level(logging.WARNING), ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(5)]
        for connection in held:
            connection.sendall(half)
        answers = [connection.recv(100) for connection in held]
        for _ in range(20):
            with socket.create_connection(address, timeout=5) as gone:
                gone.sendall(half)
        time.sleep(0.3)
    assert {answer[9:12] for answer in answers} == {b"408"}
    assert sum(len(line) for line in caplog.text.splitlines()) < 2000


def test_the_server_s_own_lines_are_limited() -> None:
    """Invalid HTTP is one log line in ten seconds; exceptions at two places are two lines."""
    written = logging.getLogger("tests.a_server")
    kept: list[logging.LogRecord] = []
    keeper = logging.Handler()
    keeper.emit = kept.append  # type: ignore[method-assign]
    written.addHandler(keeper)
    written.setLevel(logging.WARNING)
    written.addFilter(ServerLines(SystemClock()))
    for _ in range(100):
        written.warning("Invalid HTTP request received.")
        for broken in (lambda: 1 / 0, lambda: {}["a"]):
            try:
                broken()
            except (ZeroDivisionError, KeyError) as error:
                written.error("Exception in ASGI application\n", exc_info=error)
    assert len(kept) == 3


def test_a_head_that_never_ends_is_not_waited_for() -> None:
    """A slow head and a silent connection get 408; a proper request is answered."""
    with (
        server(Limits(head_s=0.4)) as address,
        socket.create_connection(address) as slow,
        socket.create_connection(address) as silent,
    ):
        began = time.monotonic()
        slow.sendall(b"POST /events/canvas HTTP/1.1\r\nHost: a\r\n")
        for _ in range(3):
            time.sleep(0.05)
            slow.sendall(b"X-More: 1\r\n")
        answers = [connection.recv(100)[:12] for connection in (slow, silent)]
        took = time.monotonic() - began
        good = exchange(address, b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answers == [b"HTTP/1.1 408"] * 2
    assert took < 3
    assert good.startswith(b"HTTP/1.1 200")


def test_a_head_may_not_fill_the_memory() -> None:
    """A head over the limit gets 431, as many lines or as one."""
    with server(Limits(head_s=5)) as address:
        begin = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
        many = exchange(address, begin + b"X-Long: 12345678\r\n" * 200_000)
        one = exchange(address, begin + b"X-Long: " + b"x" * 3_000_000)
    assert {many[:12], one[:12]} <= {b"HTTP/1.1 431", b""}


def test_each_head_of_a_kept_connection_is_timed() -> None:
    """A second request on the same connection is answered, and its head is timed anew."""
    request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

    def answer(connection: socket.socket) -> bytes:
        received = connection.recv(1000)
        while not received.endswith(b"}"):
            received += connection.recv(1000)
        return received

    with server(Limits(head_s=0.5)) as address, socket.create_connection(address) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(0.3)
        connection.sendall(request[:10])
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**40), 10**40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["grade_change", "submission_updated", "assignment_updated", "logged_in"]) | VALUES
IDS = ("course_id", "context_type", "context_id", "assignment_id", "course_section_id", "enrollment_id", "type")


@settings(max_examples=150)
@given(
    metadata=st.fixed_dictionaries({"event_name": NAMES}, optional=dict.fromkeys(IDS[1:3], VALUES)),
    body=st.fixed_dictionaries({}, optional=dict.fromkeys(IDS, VALUES)),
    exp=VALUES,
)
def test_no_value_gets_past_the_receivers_as_anything_but_an_id(
    metadata: dict[str, object], body: dict[str, object], exp: object
) -> None:
    """Any value in an event gives 202 or 400, and a stored message holds only digits."""
    to = Receivers(live_events_allow_unsigned=True)
    event = {"metadata": {**metadata, "root_account_uuid": UUID}, "body": body, "exp": exp}
    answer = asyncio.run(to.post("/events/canvas", json.dumps(event).encode()))
    assert answer.status_code in {202, 400}
    for change in to.writer.changes:
        values = [value.decode() for name, value in encode(change).items() if name != CAUSE and value]
        assert all(value.isdecimal() and len(value) <= 13 for value in values), values


def test_the_web_process_serves_with_that_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """`passback web` runs uvicorn with the bounded protocol."""
    given: dict[str, object] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _app, **options: given.update(options))
    serve(object(), "127.0.0.1", 0)
    assert issubclass(given["http"], BoundedProtocol)  # type: ignore[arg-type]
