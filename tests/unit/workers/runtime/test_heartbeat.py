"""A process's heart beats while the process does its work."""

import socket
import time
from datetime import timedelta
from pathlib import Path

import fakeredis
import pytest
import redis
from redis.exceptions import RedisError

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import Heartbeats
from shared.config import load
from tests.waiting import wait_until
from workers.dev.embedded_redis import EmbeddedRedis
from workers.runtime.heartbeat import HeartbeatThread, notify_systemd, run_heartbeat

OFTEN = timedelta(milliseconds=5)


def test_a_running_process_is_seen_until_it_ends() -> None:
    """From its start to its end, and not longer."""
    heartbeats = Heartbeats(fakeredis.FakeRedis(), Keys())
    heartbeat_thread = HeartbeatThread(heartbeats, "beat@here:1", every=OFTEN)
    heartbeat_thread.start()
    wait_until(lambda: bool(heartbeats.all()))
    heartbeat_thread.stop()
    assert heartbeats.all() == []


def test_a_process_that_does_not_do_its_work_is_not_alive() -> None:
    """A worker whose dispatcher died is noticed, though the worker runs."""
    heartbeats = Heartbeats(fakeredis.FakeRedis(), Keys())
    asked = []
    heartbeat_thread = HeartbeatThread(heartbeats, "worker@here:1", is_alive=lambda: bool(asked.append(1)), every=OFTEN)
    heartbeat_thread.start()
    wait_until(lambda: len(asked) > 2)
    assert heartbeats.all() == []
    heartbeat_thread.stop()


def test_a_heart_outlives_a_redis_that_is_away() -> None:
    """It beats again once Redis is back."""
    server = fakeredis.FakeServer()
    server.connected = False
    heartbeats = Heartbeats(fakeredis.FakeRedis(server=server), Keys())
    heartbeat_thread = HeartbeatThread(heartbeats, "web@here:1", every=OFTEN)
    heartbeat_thread.start()
    time.sleep(0.02)
    server.connected = True
    wait_until(lambda: bool(heartbeats.all()))
    heartbeat_thread.stop()


def test_a_heart_tells_the_supervisor(tmp_path: Path) -> None:
    """Systemd hears that the process is ready and alive with every beat, also while Redis is away."""
    server = fakeredis.FakeServer()
    server.connected = False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        heartbeat_thread = HeartbeatThread(
            Heartbeats(fakeredis.FakeRedis(server=server), Keys()), "web@here:1", every=OFTEN,
            supervisor=lambda: notify_systemd(str(tmp_path / "notify")),
        )  # fmt: skip
        heartbeat_thread.start()
        heard = [systemd.recv(100) for _ in range(2)]
        heartbeat_thread.stop()
    assert heard == [b"READY=1\nWATCHDOG=1"] * 2


def test_a_heart_that_does_not_work_tells_nobody(tmp_path: Path) -> None:
    """A process whose work has ended is not kept by its heart: systemd starts it again."""
    told: list[bool] = []
    heartbeat_thread = HeartbeatThread(
        Heartbeats(fakeredis.FakeRedis(), Keys()), "worker@here:1", every=OFTEN, is_alive=lambda: False,
        supervisor=lambda: told.append(True),
    )  # fmt: skip
    heartbeat_thread.start()
    time.sleep(0.05)
    heartbeat_thread.stop()
    assert told == []


def test_nobody_listening_is_no_trouble(tmp_path: Path) -> None:
    """Without systemd, and with one that is gone, the process goes on."""
    notify_systemd("")
    notify_systemd(str(tmp_path / "nobody"))


@pytest.mark.redis
@pytest.mark.parametrize(("account", "prefix"), [("beat:wrong", "passback"), ("beat:right", "other")])
def test_a_process_that_redis_refuses_ends(account: str, prefix: str) -> None:
    """A wrong password or a foreign prefix does not mend itself, and a process that only logs it looks alive."""
    with EmbeddedRedis(durable=False) as server, redis.Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "beat", "on", ">right", "~passback:*", "+@all")
        url = server.url.replace("unix://", f"unix://{account}@")
        settings = load({"PASSBACK_REDIS_URL": url, "PASSBACK_REDIS_PREFIX": prefix}, Path("no.env"))
        with pytest.raises(RedisError), run_heartbeat(settings, "beat"):
            pytest.fail("it runs")


def test_a_process_waits_for_a_redis_that_is_away(tmp_path: Path) -> None:
    """It starts all the same."""
    settings = load({"PASSBACK_REDIS_URL": f"unix://{tmp_path}/nobody.sock"}, Path("no.env"))
    with run_heartbeat(settings, "beat"):
        pass
