"""`passback purge` on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import fakeredis
import pytest
import redis
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.redis.keys import Keys
from shared.domain.passback.changes import ChangeCause
from tests.command_line import app
from workers import container

COURSE = "7301"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> redis.Redis:
    """The Redis that the verbs find; it is made from settings, so that it has to be put in its place."""
    server = fakeredis.FakeServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(container, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    client = fakeredis.FakeRedis(server=server)
    client.hset(Keys().links(COURSE), "11:4711", '{"bad": "json is never read"}')
    client.hset(Keys().pending(COURSE), mapping={"first": 1, "last": 1, "count": 1, f"c:{ChangeCause.PERSON}": "1"})
    return client


@pytest.fixture
def run(client: redis.Redis) -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(app, ["purge", *arguments])


def test_without_yes_nothing_is_erased(client: redis.Redis, run: Callable[..., Result]) -> None:
    """It says what would be erased, and how to do it."""
    result = run("course", COURSE)

    assert "1 link would be erased" in result.output
    assert "add --yes" in result.output
    assert (result.exit_code, client.dbsize()) == (0, 2)


def test_with_yes_it_is_erased_and_listed(client: redis.Redis, run: Callable[..., Result]) -> None:
    """The course is gone; that it was purged, and by whom, is not."""
    result = run("course", COURSE, "--yes", "--actor", "rivera", "--json")

    assert json.loads(result.stdout)["purged"] is True
    assert {key.decode() for key in client.scan_iter()} == {Keys().purges, Keys().actions}
    (noted,) = json.loads(run("list", "--json").stdout)
    assert (noted["what"], noted["actor"], noted["erased"]["links"]) == ("course", "rivera", 1)


@pytest.mark.parametrize("arguments", [["course", "no-id"], ["older-than", "yesterday"]])
def test_what_is_no_id_or_time_is_a_usage_error(run: Callable[..., Result], arguments: list[str]) -> None:
    """A slip of the fingers erases nothing."""
    assert run(*arguments, "--yes").exit_code == 2


def test_a_running_district_is_not_erased(client: redis.Redis, run: Callable[..., Result]) -> None:
    """The processes to stop are named."""
    seconds, _ = client.time()
    client.hset(Keys().heartbeats, "worker@here:1", str(seconds * 1000))
    result = run("everything", "--yes")

    assert (result.exit_code, client.dbsize()) == (1, 3)
    assert "worker@here:1" in result.stderr
