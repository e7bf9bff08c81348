"""What commands say of a selection that selects nothing, of a pause, and of a sync that cannot begin."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import fakeredis
import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.redis.client import Lease
from shared.config import load
from tests.command_line import app
from workers import container
from workers.cli import sync
from workers.container import Container


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Container]:
    server = fakeredis.FakeServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(container, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    made = Container(load({}, env_file=Path("no.env")))
    made.dead_letters.add("101", None, "canvas_500", "", 6)
    yield made
    made.close()


@pytest.fixture
def run(service: Container) -> Callable[[str], Result]:
    return lambda command: CliRunner().invoke(app, command.split())


@pytest.mark.parametrize("command", ["list", "retry", "retry --dry-run", "discard --yes", "export letters.jsonl"])
def test_a_misspelled_cause_is_a_usage_error(run: Callable[[str], Result], command: str) -> None:
    """It names the causes of the open dead letters: "0 retried" would look as if all were done."""
    result = run(f"dlq {command} --cause nonsense")
    assert result.exit_code == 2
    assert "nonsense is no cause: those of the open dead letters are canvas_500" in result.output.replace("\n", " ")
    assert not Path("letters.jsonl").exists()


@pytest.mark.parametrize(("cause", "retried"), [("canvas_500", 1), ("canvas_503", 0), ("lease_lost", 0)])
def test_a_cause_without_dead_letters_is_none_to_retry(run: Callable[[str], Result], cause: str, retried: int) -> None:
    """A script may retry a cause that has no dead letter now."""
    result = run(f"dlq retry --cause {cause}")
    assert (result.exit_code, result.output) == (0, f"{retried} retried\n")


@pytest.mark.parametrize(
    ("target", "words"),
    [("passback", "everything"), ("provisioning", "provisioning"), ("course 101", "course 101")],
)
def test_a_pause_says_what_is_paused(run: Callable[[str], Result], target: str, words: str) -> None:
    """`passback is paused` would name the program, not what it holds back."""
    options = "--reason exams --yes" if target == "passback" else ""
    assert run(f"pause {target} {options}").output.startswith(f"{words} is paused; `passback resume")
    assert run(f"pause {target} {options}").output == f"{words} is paused already\n"
    assert run(f"resume {target}").output == f"{words} is resumed\n"
    assert run(f"resume {target}").output == f"{words} is not paused\n"


@pytest.mark.parametrize("target", ["passback", "course:101"])
def test_waiting_for_a_paused_course_ends_at_once(
    service: Container, run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Only a person ends a pause: the command says who paused what, and that the course was not synced."""
    monkeypatch.setattr(sync.time, "sleep", lambda _: pytest.fail("a paused course was waited for"))
    service.pauses.pause(target, "rivera", "exams")
    result = run("sync 101 --wait")
    assert result.exit_code == 1
    assert "course 101: not synced" in result.output
    assert "is paused by rivera" in result.output
    found = json.loads(run("sync 101 --wait --json").output)
    assert (found["synced"], found["activity"]["state"]) == (False, "paused")


def test_waiting_ends_where_no_worker_runs(run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute, since a worker may be starting, and not after ten."""
    now = [1000.0]
    monkeypatch.setattr(sync.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sync.time, "sleep", lambda pause: now.__setitem__(0, now[0] + pause))
    result = run("sync 101 --wait")
    assert (result.exit_code, "Start `passback worker`" in result.output) == (1, True)
    assert now[0] < 1000.0 + 2 * sync.MAX_HINDRANCE_S


def test_waiting_ends_during_an_outage_although_the_course_is_tried_again(
    service: Container, run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is a short sync: it does not begin the minute anew."""
    now, leases = [1000.0], list[Lease]()

    def sleep(pause: float) -> None:
        now[0] += pause
        service.redis.set(service.keys.pause("powerschool"), "powerschool_unavailable", ex=3600)
        if leases:
            service.changes.reschedule(leases.pop(), timedelta(0), 0, "powerschool_unavailable")
            return
        for course_id in service.changes.claim_due(1):
            taken = service.changes.start_sync(course_id)
            assert taken is not None
            leases.append(taken[0])

    service.heartbeats.record("worker@host:1")
    monkeypatch.setattr(sync.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sync.time, "sleep", sleep)
    result = run("sync 101 --wait")
    assert (result.exit_code, "PowerSchool has not answered" in result.output) == (1, True)
    assert now[0] < 1000.0 + 2 * sync.MAX_HINDRANCE_S
