"""A worker does not start on a configuration that can lose work; the message names the setting and the fix."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from shared.adapters.redis.client import RedisUnavailable, connect
from shared.adapters.redis.sync_queue.store import LEASE_DURATION
from shared.adapters.redis.urls import TIMEOUT_S
from shared.config import ConfigurationError, Settings, load
from shared.log_events import LogEvent
from tests.fault_injection.redis_server import RedisServer
from workers.celery.app import MAX_SYNC_DURATION
from workers.dev.process_group import without_settings
from workers.runtime.redis_durability import durability, wait_for_durable_redis

pytestmark = [pytest.mark.redis, pytest.mark.xdist_group("start-up")]


class EnoughTried(Exception):
    """Ends a wait that would not end by itself."""


def no_pause(_seconds: float) -> None:
    raise EnoughTried


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with RedisServer() as running:
        yield running


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(server.socket)) as own:
        yield own
        own.config_set("maxmemory-policy", "noeviction")
        own.config_set("appendonly", "yes")


@pytest.fixture
def settings_of(server: RedisServer, tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: str) -> Settings:
        values = {"REDIS_URL": server.url, **changes}
        return load({f"PASSBACK_{name}": value for name, value in values.items()}, tmp_path / "no.env")

    return make


def test_a_durable_redis_is_accepted(client: redis.Redis, settings_of: Callable[..., Settings]) -> None:
    """With an append-only file and without eviction, a worker starts without a warning."""
    settings = settings_of()
    with capture_logs() as lines, connect(settings) as ours:
        wait_for_durable_redis(ours, settings, no_pause)
    assert lines == []


def test_eviction_is_refused(client: redis.Redis, settings_of: Callable[..., Settings]) -> None:
    """A Redis that drops keys when its memory is full may drop changes."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    settings = settings_of(ALLOW_VOLATILE_REDIS="yes")
    with (
        connect(settings) as ours,
        pytest.raises(ConfigurationError, match=r"allkeys-lru.*maxmemory-policy noeviction"),
    ):
        wait_for_durable_redis(ours, settings, no_pause)


def test_a_forgetful_redis_is_refused(client: redis.Redis, settings_of: Callable[..., Settings]) -> None:
    """Without an append-only file a restart of Redis loses work; a setting must accept that."""
    client.config_set("appendonly", "no")
    settings = settings_of()
    with connect(settings) as ours:
        with pytest.raises(ConfigurationError, match=r"appendonly yes.*PASSBACK_ALLOW_VOLATILE_REDIS=yes"):
            wait_for_durable_redis(ours, settings, no_pause)
        wait_for_durable_redis(ours, settings_of(ALLOW_VOLATILE_REDIS="yes"), no_pause)


def test_a_redis_that_hides_its_settings_is_trusted_with_a_warning(
    client: redis.Redis, settings_of: Callable[..., Settings]
) -> None:
    """Managed servers refuse CONFIG: the worker starts, and logs the settings that it could not read."""
    client.acl_setuser("worker", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
    settings = settings_of()
    with capture_logs() as lines, connect(settings) as ours:
        ours.execute_command("AUTH", "worker", "any")
        assert [trait.value for trait in durability(ours, settings)] == [None, None]
        wait_for_durable_redis(ours, settings, no_pause)
    assert [(line["event"], line["settings"]) for line in lines] == [
        (LogEvent.REDIS_CONFIG_UNREADABLE, ["maxmemory-policy", "appendonly"])
    ]


def test_a_redis_that_goes_away_during_the_start_is_waited_for(
    client: redis.Redis, settings_of: Callable[..., Settings]
) -> None:
    """A Redis that is restarted between the checks and the schema's ends no worker."""
    failures = [RedisUnavailable("GET", ConnectionError()), RedisUnavailable("EXEC", TimeoutError())]

    def prepare() -> None:
        if failures:
            raise failures.pop()

    settings = settings_of()
    with capture_logs() as lines, connect(settings) as ours:
        wait_for_durable_redis(ours, settings, lambda _: None, prepare=prepare)
    assert [line["event"] for line in lines] == [LogEvent.REDIS_CONNECT_RETRY] * 2


def test_a_redis_that_is_away_is_waited_for(tmp_path: Path, settings_of: Callable[..., Settings]) -> None:
    """A worker that starts before its Redis retries instead of ending."""
    settings = settings_of(REDIS_URL=f"unix://{tmp_path}/nobody.sock")
    with capture_logs() as lines, connect(settings) as ours, pytest.raises(EnoughTried):
        wait_for_durable_redis(ours, settings, no_pause)
    assert [line["event"] for line in lines] == [LogEvent.REDIS_CONNECT_RETRY]


def test_a_refused_password_ends_the_wait(client: redis.Redis, settings_of: Callable[..., Settings]) -> None:
    """A worker ends with a message if Redis rejects its credentials."""
    client.acl_setuser("locked", enabled=True, passwords=["+right"], keys=["*"], commands=["+@all"])
    for login in ("locked:wrong", "nobody:any"):
        settings = settings_of(REDIS_URL=settings_of().redis_url.replace("unix://", f"unix://{login}@", 1))
        with connect(settings) as ours, pytest.raises(ConfigurationError, match="PASSBACK_REDIS_URL"):
            wait_for_durable_redis(ours, settings, no_pause)


@pytest.mark.slow
def test_passback_worker_ends_with_code_2(server: RedisServer, client: redis.Redis, tmp_path: Path) -> None:
    """`passback worker` says what is wrong and ends with the code for configuration."""
    client.config_set("appendonly", "no")
    needed = {"CANVAS_URL": "http://127.0.0.1:9", "CANVAS_TOKEN": "t", "POWERSCHOOL_URL": "http://127.0.0.1:9"}
    needed |= {"POWERSCHOOL_CLIENT_ID": "i", "POWERSCHOOL_CLIENT_SECRET": "s", "REDIS_URL": server.url}
    ended = subprocess.run(
        [sys.executable, "-m", "workers.cli", "worker"],
        env={**without_settings(), **{f"PASSBACK_{name}": value for name, value in needed.items()}},
        capture_output=True, check=False, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "appendonly no" in ended.stderr
    assert "PASSBACK_ALLOW_VOLATILE_REDIS=yes" in ended.stderr


def test_times_that_contradict_each_other_are_refused(settings_of: Callable[..., Settings]) -> None:
    """The maximum wait must not be shorter than the quiet period."""
    with pytest.raises(ConfigurationError, match="PASSBACK_MAX_WAIT_S"):
        settings_of(QUIET_PERIOD_S="20", MAX_WAIT_S="15")


def test_durations_fit_each_other() -> None:
    """A lease outlasts a renewal, which starts after a quarter of it; a sync's deadline outlasts a lease."""
    assert LEASE_DURATION.total_seconds() * 0.75 > TIMEOUT_S
    assert MAX_SYNC_DURATION > LEASE_DURATION
