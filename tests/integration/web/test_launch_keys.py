"""The keys that verify launches: fetched seldom, shared in Redis, and still in use for a day while Canvas is away."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import fakeredis
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.canvas.jwks import MAX_BYTES, LaunchKeys
from shared.adapters.http.exchange import http_client
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.lti import KEY_SET_LIFETIME, LtiStore
from shared.errors import ServiceUnavailable
from tests.manual_clock import ManualClock
from tests.unit.web.lti.launch_kit import FOREIGN_KEY, KEY

URL = "https://canvas.example/jwks"


class KeyServer:
    """Lists keys by their ids, or fails with `answer`; counts how often it was asked."""

    def __init__(self, **keys: rsa.RSAPrivateKey) -> None:
        self.keys = keys
        self.answer: Callable[[], httpx.Response] | None = None
        self.asked = 0

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.answer is not None:
            return self.answer()
        listed = [{**RSAAlgorithm.to_jwk(k.public_key(), as_dict=True), "kid": kid} for kid, k in self.keys.items()]
        return httpx.Response(200, json={"keys": listed})


class Installation:
    """Web processes over one Redis; its keys end when the clock says so."""

    def __init__(self, server: KeyServer) -> None:
        self.clock = ManualClock(datetime(2026, 2, 3, tzinfo=UTC))
        self.redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.store = LtiStore(self.redis, Keys())
        self._server = server

    def process(self) -> LaunchKeys:
        http = partial(http_client, "", 5.0, transport=httpx.MockTransport(self._server))
        return LaunchKeys(http, URL, self.store, self.clock)

    def advance(self, duration: timedelta) -> None:
        """Let time pass, for Redis as well."""
        self.clock.advance(duration)
        for key in self.redis.scan_iter():
            left = self.redis.pttl(key) - int(duration.total_seconds() * 1000)
            if left > 0:
                self.redis.pexpire(key, left)
            else:
                self.redis.delete(key)


def down() -> httpx.Response:
    raise httpx.ConnectTimeout("down")


FAILURES = [
    pytest.param(down, id="unreachable"),
    pytest.param(lambda: httpx.Response(500), id="500"),
    pytest.param(lambda: httpx.Response(302, headers={"location": "https://evil.example"}), id="a redirect"),
    pytest.param(lambda: httpx.Response(200, text="<html>"), id="no JSON"),
    pytest.param(lambda: httpx.Response(200, json={"keys": []}), id="no keys"),
    pytest.param(lambda: httpx.Response(200, content=b"[" * 200_000), id="nested without end"),
    pytest.param(lambda: httpx.Response(200, json={"keys": [], "more": "x" * MAX_BYTES}), id="huge"),
]


def test_the_set_is_fetched_once_for_all_processes() -> None:
    """Any number of launches in any number of processes cause one fetch an hour."""
    server = KeyServer(current=KEY)
    installation = Installation(server)
    for _ in range(3):
        process = installation.process()
        assert all(process.key("current") is not None for _ in range(5))
    assert server.asked == 1
    installation.advance(timedelta(hours=1))
    assert installation.process().key("current") is not None
    assert server.asked == 2


def test_a_rotated_key_is_found() -> None:
    """A key that Canvas has had for a minute is fetched for the first launch that it signs."""
    server = KeyServer(current=KEY)
    installation = Installation(server)
    process = installation.process()
    assert process.key("current") is not None
    server.keys = {"next": FOREIGN_KEY, "current": KEY}
    installation.advance(timedelta(minutes=1))
    assert process.key("next") is not None
    assert process.key("current") is not None


def test_invented_key_ids_cause_a_fetch_a_minute() -> None:
    """A thousand unknown ids cause one request to Canvas, and are unknown."""
    server = KeyServer(current=KEY)
    process = Installation(server).process()
    assert {process.key(f"invented-{number}") for number in range(1000)} == {None}
    assert server.asked == 1
    assert process.key("current") is not None


@pytest.mark.parametrize("failure", FAILURES)
def test_cached_keys_go_on_for_a_day(failure: Callable[[], httpx.Response]) -> None:
    """While Canvas gives no keys, the last ones verify launches for a day; then nobody knows, which is no refusal."""
    server = KeyServer(current=KEY)
    installation = Installation(server)
    assert installation.process().key("current") is not None
    server.answer = failure
    installation.advance(KEY_SET_LIFETIME - timedelta(seconds=1))
    assert installation.process().key("current") is not None
    installation.advance(timedelta(seconds=2))
    with pytest.raises(ServiceUnavailable):
        installation.process().key("current")
    server.answer = None
    installation.advance(timedelta(seconds=6))
    assert installation.process().key("current") is not None


def test_an_unknown_id_is_no_refusal_while_canvas_is_away() -> None:
    """With old keys and no answer, an id that they do not have may be a new key: try again."""
    server = KeyServer(current=KEY)
    installation = Installation(server)
    assert installation.process().key("current") is not None
    server.answer = down
    installation.advance(timedelta(hours=2))
    with pytest.raises(ServiceUnavailable):
        installation.process().key("next")
