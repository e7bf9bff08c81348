"""What the client of the settings does when Redis is slow, gone or full."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError, ResponseError
from stores_under_test import CLAIM_FOR, LEASE_FOR, MAX_WAIT, QUIET, running_redis

from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.sync_queue.streams import AggregateResult
from shared.config import load
from shared.domain.passback.changes import ChangeCause, DebounceWindow
from shared.errors import ServiceUnavailable


def client_of(url: str) -> redis.Redis:
    return connect(load({"PASSBACK_REDIS_URL": url}, env_file=Path("/dev/null")))


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with running_redis() as path, client_of(f"unix://{path}") as client:
        yield client


def test_a_redis_that_is_not_there_is_unwell() -> None:
    """A refused connection is a system that is unwell, for use cases, and a Redis error, for whoever knows Redis."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = client_of(f"redis://127.0.0.1:{unused.getsockname()[1]}/0")
        with pytest.raises(ServiceUnavailable) as raised:
            client.get("a")
    assert isinstance(raised.value, RedisError)
    assert raised.value.cause == "redis_unavailable"
    assert str(raised.value) == "GET: ConnectionError"


def test_a_redis_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that accepts a command and does not respond is unavailable after the timeout."""
    monkeypatch.setattr("shared.adapters.redis.urls.TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = client_of(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(ServiceUnavailable, match="TimeoutError"):
            client.get("a")


@pytest.mark.redis
def test_a_dropped_connection_is_made_again(server: redis.Redis) -> None:
    """A command on a connection that the server dropped meanwhile is answered nevertheless."""
    server.set("a", 1)
    server.client_kill_filter(_type="normal", skipme=False)
    assert server.get("a") == b"1"


@pytest.mark.redis
def test_a_full_redis_is_unwell(server: redis.Redis) -> None:
    """A script that Redis refuses for lack of memory is no defect of ours."""
    windows = DebounceWindow(QUIET, MAX_WAIT)
    store = SyncQueue(server, Keys(), windows, CLAIM_FOR, LEASE_FOR)
    server.config_set("maxmemory", 1)
    with pytest.raises(ServiceUnavailable, match=r"^EVALSHA: "):
        store.request("101", ChangeCause.PERSON)
    server.config_set("maxmemory", 0)
    store.request("101", ChangeCause.PERSON)


@pytest.mark.redis
def test_a_defect_stays_a_defect(server: redis.Redis) -> None:
    """What Redis refuses as wrong is not taken for a passing trouble."""
    server.set("a", "text")
    with pytest.raises(ResponseError) as raised:
        server.incr("a")
    assert not isinstance(raised.value, ServiceUnavailable)


@pytest.mark.redis
def test_times_are_the_servers(server: redis.Redis) -> None:
    """Without a clock of the tests, windows, claims and leases follow the Redis server's clock."""
    hour = timedelta(hours=1)
    store = SyncQueue(server, Keys(), DebounceWindow(hour, hour), hour, hour)
    store.request("101", ChangeCause.PERSON)
    assert store.claim_due(1) == ["101"]
    remaining = store.time_until_next()
    assert remaining is not None
    assert hour - timedelta(minutes=1) < remaining <= hour


@pytest.mark.redis
def test_a_patient_reader_is_not_taken_for_cut_off(server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to wait for messages for longer than a client waits for answers, `fold` waits for less."""
    path = server.connection_pool.connection_kwargs["path"]
    monkeypatch.setattr("shared.adapters.redis.urls.TIMEOUT_S", 0.1)
    with client_of(f"unix://{path}") as impatient:
        store = SyncQueue(impatient, Keys(), DebounceWindow(QUIET, MAX_WAIT), CLAIM_FOR, LEASE_FOR)
        assert store.aggregate("worker", 100, timedelta(hours=1)) == AggregateResult(0, 0, 0)
