"""The health check of containers."""

from collections.abc import Callable
from pathlib import Path

import fakeredis
import pytest
import redis
from typer.testing import CliRunner

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import Heartbeats
from tests.command_line import app
from workers.cli import status
from workers.runtime.heartbeat import this_process


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> redis.Redis:
    """The Redis that the verb finds; it is made from settings, so that it has to be put in its place."""
    server = fakeredis.FakeServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(status, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    return fakeredis.FakeRedis(server=server)


def exit_code(kind: str) -> int:
    return CliRunner().invoke(app, ["alive", kind]).exit_code


def test_a_process_that_beats_is_alive(client: redis.Redis) -> None:
    """A heartbeat of this host and kind is enough."""
    Heartbeats(client, Keys()).record(this_process("worker"))

    assert exit_code("worker") == 0


@pytest.mark.parametrize(
    "note",
    [
        lambda beats: None,
        lambda beats: beats.record(this_process("beat")),
        lambda beats: beats.record("worker@elsewhere:1"),
    ],
    ids=["nobody", "another kind", "another host"],
)
def test_a_process_that_does_not_beat_is_not(client: redis.Redis, note: Callable[[Heartbeats], None]) -> None:
    """Others' heartbeats do not count."""
    note(Heartbeats(client, Keys()))

    assert exit_code("worker") == 1


def test_a_redis_that_is_away_is_no_reason_to_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Restarting every worker because of an outage of Redis would only make it longer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSBACK_REDIS_URL", f"unix://{tmp_path}/nobody.sock")

    assert exit_code("worker") == 0
