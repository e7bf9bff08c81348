"""Canvas's public keys are fetched when needed, and seldom."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.canvas.jwks import (
    FETCH_BURST,
    MAX_AGE,
    MAX_BYTES,
    MIN_FETCH_INTERVAL,
    MIN_RETRY_INTERVAL,
    JwksKeys,
)
from shared.errors import ServiceUnavailable
from tests.manual_clock import ManualClock

URL = "https://keys.example/jwks"
PUBLIC = RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(), as_dict=True)


class KeyServer:
    """Lists keys of these ids, or fails with `answer`; counts how often it was asked."""

    def __init__(self, *key_ids: str) -> None:
        self.key_ids = list(key_ids)
        self.answer: Callable[[], httpx.Response] | None = None
        self.asked = 0

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(0)
        if self.answer is not None:
            return self.answer()
        return httpx.Response(200, json={"keys": [{**PUBLIC, "kid": key_id} for key_id in self.key_ids]})


def down() -> httpx.Response:
    raise httpx.ConnectTimeout("down")


FAILURES = [
    pytest.param(down, id="unreachable"),
    pytest.param(lambda: httpx.Response(500), id="500"),
    pytest.param(lambda: httpx.Response(200, text="<html>"), id="no JSON"),
    pytest.param(lambda: httpx.Response(200, json=[]), id="no set"),
    pytest.param(lambda: httpx.Response(200, json={"keys": []}), id="no keys"),
    pytest.param(lambda: httpx.Response(200, json={"keys": [1, None, {"kty": "RSA", "kid": 7}]}), id="odd keys"),
    pytest.param(lambda: httpx.Response(200, content=b"[" * 200_000), id="nested without end"),
    pytest.param(lambda: httpx.Response(200, json={"keys": [], "more": "x" * MAX_BYTES}), id="huge"),
]


@asynccontextmanager
async def keys_of(server: KeyServer, clock: ManualClock) -> AsyncIterator[JwksKeys]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http:
        keys = JwksKeys(http, URL, clock)
        yield keys
        await keys.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 2, 3, tzinfo=UTC))


def test_the_set_is_fetched_once(clock: ManualClock) -> None:
    """Any number of events that arrive together cause one fetch, and later ones none."""
    server = KeyServer("current", "next")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            found = await asyncio.gather(*(keys.key("current") for _ in range(20)))
            assert all(key is not None and key.key_id == "current" for key in found)
            assert await keys.key("next")

    asyncio.run(scenario())
    assert server.asked == 1


def test_a_key_rotated_within_the_pause_is_found(clock: ManualClock) -> None:
    """A key that Canvas added a second after a fetch is fetched at once: its event is genuine."""
    server = KeyServer("old")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            assert await keys.key("old")
            server.key_ids = ["old", "new"]
            clock.advance(timedelta(seconds=1))
            assert await keys.key("new")

    asyncio.run(scenario())
    assert server.asked == 2


def test_invented_ids_cost_a_burst_of_fetches(clock: ManualClock) -> None:
    """What was looked up and is not listed is refused; what cannot be looked up is put off, and nothing is fetched."""
    server = KeyServer("old")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            assert await keys.key("old")
            for number in range(FETCH_BURST - 1):
                assert await keys.key(f"forged-{number}") is None
            for number in range(10):
                with pytest.raises(ServiceUnavailable) as is_unavailable:
                    await keys.key(f"forged-later-{number}")
                assert timedelta(0) < is_unavailable.value.delay <= MIN_FETCH_INTERVAL

    asyncio.run(scenario())
    assert server.asked == FETCH_BURST


def test_a_rotated_key_is_put_off_behind_invented_ids_for_one_pause(clock: ManualClock) -> None:
    """While a stranger spends the budget, a genuine event is told to come again, never that it is no event of Canvas's.

    After the pause anybody's id fetches the new key, and the budget allows one fetch per pause.
    """
    server = KeyServer("old")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            for number in range(FETCH_BURST):
                assert await keys.key(f"forged-{number}") is None
            server.key_ids = ["old", "new"]
            with pytest.raises(ServiceUnavailable) as is_unavailable:
                await keys.key("new")
            clock.advance(is_unavailable.value.delay)
            assert await keys.key("forged-again") is None
            assert await keys.key("new")

    asyncio.run(scenario())
    assert server.asked == FETCH_BURST + 1


@pytest.mark.parametrize("failure", FAILURES)
def test_without_keys_nobody_can_tell(failure: Callable[[], httpx.Response], clock: ManualClock) -> None:
    """Without a key set, raise `ServiceUnavailable`, ask the server seldom, and recover by itself."""
    server = KeyServer("current")
    server.answer = failure

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            for _ in range(5):
                with pytest.raises(ServiceUnavailable):
                    await keys.key("current")
            assert server.asked == 1
            server.answer = None
            clock.advance(MIN_RETRY_INTERVAL)
            assert await keys.key("current")

    asyncio.run(scenario())


@pytest.mark.parametrize("failure", FAILURES)
def test_keys_outlive_a_failing_server(failure: Callable[[], httpx.Response], clock: ManualClock) -> None:
    """Known keys stay in use when a later fetch fails; an unknown one cannot be told from a new one."""
    server = KeyServer("current")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            assert await keys.key("current")
            server.answer = failure
            clock.advance(MAX_AGE + timedelta(seconds=1))
            with pytest.raises(ServiceUnavailable):
                await keys.key("unknown")
            assert await keys.key("current")

    asyncio.run(scenario())


def test_a_withdrawn_key_goes_out_of_use(clock: ManualClock) -> None:
    """Old sets are fetched again in the background, without keeping an event waiting."""
    server = KeyServer("leaked")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            assert await keys.key("leaked")
            server.key_ids = ["current"]
            clock.advance(MAX_AGE + timedelta(seconds=1))
            assert await keys.key("leaked")
            assert await keys.key("current")
            assert await keys.key("leaked") is None

    asyncio.run(scenario())


def test_an_asker_that_hangs_up_ends_nothing(clock: ManualClock) -> None:
    """A cancelled request leaves the shared fetch to the others."""
    server = KeyServer("current")

    async def scenario() -> None:
        async with keys_of(server, clock) as keys:
            first = asyncio.create_task(keys.key("current"))
            second = asyncio.create_task(keys.key("current"))
            await asyncio.sleep(0)
            first.cancel()
            assert await second

    asyncio.run(scenario())
