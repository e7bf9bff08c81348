"""Responses that drip, never end or inflate: each exchange ends in time.

The server uses sockets directly, since no HTTP server sends such responses.
"""

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta

import fakeredis
import httpx
import pytest

from shared.adapters.canvas.pagination import MAX_EMPTY_PAGES, PagedApi, PageSizes
from shared.adapters.http.client import MAX_BYTES_REFUSAL, RemoteApi
from shared.adapters.http.exchange import RequestContext, http_client, use_context, waits_at_most
from shared.adapters.redis.cache import JsonCache
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import Permit
from shared.clock import SystemClock
from shared.errors import RequestRejected, ResponseTooLarge, ServiceUnavailable, TransientError, UnexpectedResponse

TIMEOUT_S = 1.0
# Longer than the pause between two bytes of a dripping answer.
DRIP_TIMEOUT_S = 0.4
# Without a limit of the exchange they would last DRIPPED_FOR_S.
BOUND_S = 12.0
DRIPPED_FOR_S = 30
MAX_BYTES = 100_000
HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n"

Act = Callable[[socket.socket], None]


def drip(client: socket.socket, first: bytes, piece: bytes) -> None:
    client.sendall(first)
    for _ in range(DRIPPED_FOR_S * 5):
        time.sleep(0.2)
        client.sendall(piece)


def drip_body(client: socket.socket) -> None:
    drip(client, HEAD % 200 + b"Content-Length: 100000\r\n\r\n[", b" ")


def drip_chunks(client: socket.socket) -> None:
    drip(client, HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")


def drip_head(client: socket.socket) -> None:
    drip(client, b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x")


def drip_interim(client: socket.socket) -> None:
    drip(client, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")


def drip_refusal(client: socket.socket) -> None:
    drip(client, HEAD % 409 + b"Content-Length: 100000\r\n\r\n[", b" ")


def whole(client: socket.socket, body: bytes, encoding: bytes = b"identity", status: int = 200) -> None:
    head = HEAD % status + b"Content-Encoding: " + encoding + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.sendall(head + body)


def bomb(client: socket.socket) -> None:
    whole(client, gzip.compress(b" " * 50_000_000), b"gzip")


def bare_bomb(client: socket.socket) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole(client, packer.compress(b" " * 50_000_000) + packer.flush(), b"deflate")


def large(client: socket.socket) -> None:
    whole(client, b"[" + b" " * MAX_BYTES + b"]")


def endless(client: socket.socket) -> None:
    client.sendall(HEAD % 200 + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(2_000):
        client.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


def large_refusal(client: socket.socket) -> None:
    whole(client, json.dumps({"message": "Validation Failed " * (MAX_BYTES_REFUSAL // 10)}).encode(), status=409)


def nested(client: socket.socket) -> None:
    whole(client, gzip.compress(gzip.compress(b"[]")), b"gzip, gzip")


def cut_off(client: socket.socket) -> None:
    whole(client, b"no gzip at all", b"gzip")


def good(client: socket.socket) -> None:
    whole(client, gzip.compress(b'[{"id": 1}]'), b"gzip")


def bare(client: socket.socket) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole(client, packer.compress(b'[{"id": 1}]') + packer.flush(), b"deflate")


class OpenLimiter:
    """A limiter that permits every request, and pauses for failures of the whole system."""

    def acquire(self, again: Permit | None = None) -> Permit:
        return Permit("caller", has_failures=False)

    def release(self, permit: Permit, *, succeeded: bool, sent: bool = True, advised: timedelta | None = None) -> None:
        pass

    def record_throttled(self, permit: Permit, cause: str, retry_after: timedelta | None = None) -> timedelta | None:
        return timedelta(seconds=1)

    def record_failure(
        self, cause: str, retry_after: timedelta | None = None, *, for_everybody: bool
    ) -> timedelta | None:
        return timedelta(seconds=1) if for_everybody else None


class Server:
    """Answers each connection once with `act`, and closes it."""

    def __init__(self, act: Act) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._act = act
        self.asked = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(65536)
            self.asked += 1
            self._act(client)


@pytest.fixture
def served() -> Iterator[Callable[[Act], Server]]:
    servers: list[Server] = []

    def serve(act: Act) -> Server:
        servers.append(Server(act))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


OPENED: list[RemoteApi] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def api_of(
    server: Server, system: str = "powerschool", timeout_s: float = TIMEOUT_S, probe: str | None = None
) -> RemoteApi:
    OPENED.append(RemoteApi(system, http_client(server.url, timeout_s), OpenLimiter(), SystemClock(), probe=probe))
    return OPENED[-1]


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("act", [drip_body, drip_chunks, drip_head, drip_interim, drip_refusal])
def test_a_dripping_answer_is_given_up(served: Callable[[Act], Server], act: Act, method: str) -> None:
    """A dripping response is a timeout; the outcome of a write is unknown."""
    started = time.monotonic()
    with pytest.raises(TransientError) as caught:
        api_of(served(act), timeout_s=DRIP_TIMEOUT_S).send(method, "/slow")
    assert time.monotonic() - started < BOUND_S
    assert (caught.value.cause, caught.value.outcome_unknown) == ("powerschool_timeout", method == "PUT")


def test_the_time_of_the_work_ends_a_read_under_way(served: Callable[[Act], Server]) -> None:
    """A read ends with the deadline of its work, and does not mark Canvas as unavailable."""
    api = api_of(served(drip_body), "canvas", 300.0, "/probe")
    started = time.monotonic()
    left = lambda: timedelta(seconds=max(0.0, 1 - time.monotonic() + started))  # noqa: E731
    with use_context(RequestContext(1, left)), pytest.raises(TransientError) as caught:
        api.send("GET", "/slow")
    assert time.monotonic() - started < BOUND_S
    assert type(caught.value) is TransientError


def test_a_page_waits_for_no_dripping_answer(served: Callable[[Act], Server]) -> None:
    """Its time is for all of its requests: the second is not sent, and others still ask Canvas."""
    server = served(drip_body)
    api = api_of(server, "canvas", 300.0, "/probe")
    with waits_at_most(timedelta(seconds=1)):
        with pytest.raises(TransientError) as first:
            api.send("GET", "/slow")
        with pytest.raises(ServiceUnavailable) as second:
            api.send("GET", "/next")
    assert (type(first.value), second.value.cause) == (TransientError, "page_deadline")
    with waits_at_most(timedelta(seconds=1)), pytest.raises(TransientError) as other:
        api.send("GET", "/slow")
    assert type(other.value) is TransientError


@pytest.mark.parametrize(("method", "outcome_unknown"), [("GET", False), ("PUT", True)])
def test_a_process_that_stops_waits_for_no_dripping_answer(
    served: Callable[[Act], Server], method: str, outcome_unknown: bool
) -> None:
    """A stop ends a read within about a second, a write within a few; the outcome of the write is unknown."""
    api = api_of(served(drip_body), "canvas", 300.0)

    def stop() -> None:
        raise ServiceUnavailable("stops", cause="worker_stopping", delay=timedelta(0))

    started = time.monotonic()
    context = RequestContext(1, lambda: timedelta(seconds=300), check_stop=stop)
    with use_context(context), pytest.raises(ServiceUnavailable) as caught:
        api.send(method, "/slow")
    assert time.monotonic() - started < BOUND_S
    assert (caught.value.cause, caught.value.outcome_unknown) == ("worker_stopping", outcome_unknown)


@pytest.mark.parametrize("act", [bomb, bare_bomb, large, endless])
def test_an_answer_is_read_no_further_than_it_may_be_long(served: Callable[[Act], Server], act: Act) -> None:
    """A response over the limit is rejected, compressed or not."""
    with pytest.raises(ResponseTooLarge) as caught:
        api_of(served(act)).send("GET", "/large", max_bytes=MAX_BYTES)
    assert caught.value.cause == "powerschool_unexpected"


def test_of_a_long_refusal_the_beginning_is_read(served: Callable[[Act], Server]) -> None:
    """A long refusal is read up to the limit, and is still a refusal."""
    with pytest.raises(RequestRejected) as caught:
        api_of(served(large_refusal)).send("PUT", "/refused")
    assert caught.value.status == 409


@pytest.mark.parametrize("act", [nested, cut_off])
def test_what_is_packed_otherwise_than_asked_for_is_no_answer(served: Callable[[Act], Server], act: Act) -> None:
    """Only one known layer of compression is accepted."""
    with pytest.raises(TransientError):
        api_of(served(act)).send("GET", "/odd")


@pytest.mark.parametrize("act", [good, bare])
def test_a_packed_answer_is_read(served: Callable[[Act], Server], act: Act) -> None:
    """Gzip and raw deflate are decompressed."""
    assert api_of(served(act)).send("GET", "/good").body == [{"id": 1}]


def test_a_connection_is_used_again(served: Callable[[Act], Server]) -> None:
    """Two responses read in pieces use one connection."""

    def twice(client: socket.socket) -> None:
        good(client)
        client.recv(65536)
        good(client)

    server = served(twice)
    api = api_of(server)
    assert [api.send("GET", "/good").body for _ in range(2)] == [[{"id": 1}]] * 2
    assert server.asked == 1


def paged(answers: Callable[[int], httpx.Response], asked: list[int]) -> PagedApi:
    def answer(_request: httpx.Request) -> httpx.Response:
        asked.append(len(asked))
        return answers(len(asked))

    base = "https://canvas.test"
    http = http_client(base, TIMEOUT_S, transport=httpx.MockTransport(answer))
    return PagedApi(RemoteApi("canvas", http, OpenLimiter(), SystemClock()), httpx.URL(base))


def page(body: object, following: int) -> httpx.Response:
    return httpx.Response(200, json=body, headers={"Link": f'<https://canvas.test/x?page={following}>; rel="next"'})


MAX_PAGES = 50


@pytest.mark.parametrize(("body", "most"), [([{"id": 1}], MAX_PAGES), ([], MAX_EMPTY_PAGES + 1)])
def test_pages_without_end_come_to_one(body: object, most: int) -> None:
    """A list ends at its page limit, a list of empty pages earlier."""
    asked: list[int] = []
    with pytest.raises(UnexpectedResponse):
        list(paged(lambda number: page(body, number), asked).pages("/x", {}, max_pages=MAX_PAGES))
    assert len(asked) == most


def test_a_list_that_takes_too_long_is_not_read_in_smaller_pages() -> None:
    """A list over its time is not read again in smaller pages, which would take longer."""
    asked: list[int] = []
    api = paged(lambda number: page([{"id": 1}], number), asked)
    sizes = PageSizes(JsonCache(fakeredis.FakeRedis(), Keys("test")))
    with pytest.raises(TransientError) as caught:
        sizes.rows("41", lambda _: list(api.pages("/x", {}, max_seconds=0.0)))
    assert (caught.value.cause, len(asked)) == ("canvas_timeout", 1)


def test_pages_that_are_too_large_are_read_in_smaller_ones() -> None:
    """Pages over the size limit are read in smaller ones."""
    tried: list[int] = []

    def read(rows: int) -> list[int]:
        tried.append(rows)
        if rows > 20:
            raise ResponseTooLarge("GET /x: 200, more than it may be", cause="canvas_unexpected")
        return [rows]

    (size,) = PageSizes(JsonCache(fakeredis.FakeRedis(), Keys("test"))).rows("41", read)
    assert size <= 20
    assert tried == sorted(tried, reverse=True)
