"""Hostile clients of the receivers: heads that never end or grow without end, and odd values in every field."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from shared.adapters.redis.sync_queue.stream_message import CAUSE, encode
from tests.integration.receivers_kit import UUID, Receivers
from tests.security.wire import exchange
from workers.web.http_protocol import BoundedProtocol, Limits, bounded
from workers.web.receivers.assembly import livez
from workers.web.server import serve


@contextmanager
def patient_server(head_timeout_s: float) -> Iterator[tuple[str, int]]:
    """Serve with the web process's protocol, and little patience."""
    app = Starlette(routes=[Route("/livez", livez)])
    protocol = bounded(Limits(head_s=head_timeout_s))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, http=protocol, lifespan="off", log_config=None, ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def test_a_head_that_never_ends_is_not_waited_for() -> None:
    """408 for one that dribbles in, the same for silence; a proper request on the same server is answered."""
    with (
        patient_server(0.4) as address,
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
    """431 once it is larger than any honest one, whether as many lines or as one."""
    with patient_server(5) as address:
        begin = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
        many = exchange(address, begin + b"X-Long: 12345678\r\n" * 200_000)
        one = exchange(address, begin + b"X-Long: " + b"x" * 3_000_000)
    assert {many[:12], one[:12]} <= {b"HTTP/1.1 431", b""}


def test_a_kept_connection_has_patience_for_each_request() -> None:
    """A second request on the same connection is answered, and its head is timed anew."""
    request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

    def answer(connection: socket.socket) -> bytes:
        received = connection.recv(1000)
        while not received.endswith(b"}"):
            received += connection.recv(1000)
        return received

    with patient_server(0.5) as address, socket.create_connection(address) as connection:
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
    """Whatever stands in an event's fields, the answer is a promised one, and a stored message holds digits alone."""
    to = Receivers(live_events_allow_unsigned=True)
    event = {"metadata": {**metadata, "root_account_uuid": UUID}, "body": body, "exp": exp}
    answer = asyncio.run(to.post("/events/canvas", json.dumps(event).encode()))
    assert answer.status_code in {202, 400}
    for change in to.writer.changes:
        values = [value.decode() for name, value in encode(change).items() if name != CAUSE and value]
        assert all(value.isdecimal() and len(value) <= 13 for value in values), values


def test_the_web_process_serves_with_that_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `passback web` hands to uvicorn is the bounded one."""
    given: dict[str, object] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _app, **options: given.update(options))
    serve(object(), "127.0.0.1", 0)
    assert issubclass(given["http"], BoundedProtocol)  # type: ignore[arg-type]
