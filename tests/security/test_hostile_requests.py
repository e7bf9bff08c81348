"""Hostile requests to a running web process, over sockets, with uvicorn's parser in between."""

import json

import httpx
import psutil
import pytest

from tests.security.conftest import OPERATOR, GuardedTown
from tests.security.wire import address_of, command_of, exchange

PATHS = ("/events/canvas", "/webhooks/changes", "/events/powerschool")
PROMISED = {202, 400, 401, 413}
DEEP = b"[" * 100_000
NESTED = b'{"metadata": {"event_name": "grade_change"}, "body": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"
HUGE = b'{"metadata":{"event_name":"grade_change","context_id":' + b"9" * 200_000 + b'},"body":{},"exp":1e400}'


def in_json(value: str) -> bytes:
    return json.dumps({"metadata": {"event_name": value, "root_account_uuid": value}, "body": {"x": value}}).encode()


BODIES = [
    b"",
    b"\x00" * 1000,
    b"\xff\xfe{\x00}\x00",
    "{}".encode("utf-16"),
    '{"metadata": {"event_name": "é"}}'.encode("latin-1"),
    b"\xef\xbb\xbf{}",
    DEEP,
    NESTED,
    HUGE,
    in_json("\x00"),
    in_json("\ud800"),
    in_json("a" * 300_000),
    b'{"metadata": NaN, "body": Infinity}',
    b'{"metadata": {}, "metadata": {}, "body": {}}',
    b"eyJhbGciOiJub25lIn0.e30.",
    b"eyJhbGciOiJSUzI1NiIsImtpZCI6Ii4uLy4uL2V0Yy9wYXNzd2QifQ.e30.AAAA",
    b"." * 100_000,
    b"a" * 1_000_000,
]
# A whole request each, as no well-behaved client would send it.
RAW = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
    b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"POST /webhooks/changes HTTP/1.1\r\nHost: a\r\nwebhook-id: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \xff\xff\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"x" * 40_000 + b"\r\n\r\n",
    b"GET /api/v1/courses/" + b"9" * 30_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v1/courses/%00%ff%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /api/v1/courses/1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n[[[[[[[[[",
    b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n" * 1000,
]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("security")]


def resident_mb(guarded: GuardedTown) -> float:
    port = guarded.town.web.rpartition(":")[2]
    # Other tests' web processes may be children, too.
    [web] = [c for c in psutil.Process().children(recursive=True) if command_of(c)[3:] == ["web", "--port", port]]
    return float(web.memory_info().rss) / 1e6


@pytest.mark.parametrize("path", PATHS)
def test_odd_bodies_are_refused(guarded: GuardedTown, path: str) -> None:
    """Every receiver answers each with a status it promises."""
    with httpx.Client(base_url=guarded.town.web, timeout=20) as http:
        statuses = {body[:20]: http.post(path, content=body).status_code for body in BODIES}
    assert {body: status for body, status in statuses.items() if status not in PROMISED} == {}


def test_odd_requests_are_refused(guarded: GuardedTown) -> None:
    """Invalid HTTP gets a 4xx or nothing; the process serves others afterwards."""
    address = address_of(guarded.town.web)
    answers = {request[:60]: exchange(address, request)[:12] for request in RAW}
    bad = {request: answer for request, answer in answers.items() if answer and answer[9:10] not in b"24"}
    assert bad == {}
    guarded.town.processes.check()
    assert httpx.get(f"{guarded.town.web}/readyz").status_code == 200


@pytest.mark.parametrize("since", ["NaN", "\x00", "9" * 5000, "-271821-01-01", "2026-02-30", "\U0001f600"])
def test_odd_questions_to_the_api_are_refused(guarded: GuardedTown, since: str) -> None:
    """Invalid parameters are 4xx, not a server error."""
    with httpx.Client(base_url=guarded.town.web, auth=OPERATOR, timeout=20) as http:
        asked = {"since": since, "limit": since, "assignment_id": since, "student_sis_id": since}
        statuses = [http.get("/api/v1/courses/1/history", params={k: v}).status_code for k, v in asked.items()]
    assert all(status < 500 for status in statuses), statuses


def test_hostile_requests_do_not_grow_it(guarded: GuardedTown) -> None:
    """Thousands of hostile requests leave the memory of the process about as it was."""
    address, path = address_of(guarded.town.web), PATHS[0]

    def assault(rounds: int) -> None:
        with httpx.Client(base_url=guarded.town.web, timeout=20) as http:
            for number in range(rounds):
                for body in BODIES[:-1]:
                    http.post(path, content=body, headers={"webhook-id": f"{number}"})
                http.get(f"/{number}", headers={"authorization": f"Bearer {number}"})
                exchange(address, RAW[number % len(RAW)])

    assault(10)
    before = resident_mb(guarded)
    assault(40)
    assert resident_mb(guarded) - before < 15
