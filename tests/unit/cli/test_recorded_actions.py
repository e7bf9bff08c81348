"""Every command that changes something is in Actions, with the person who ran it."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.redis.provisioning.runs import RUNS_TTL, ProvisionRuns
from shared.adapters.redis.sync_queue.store import LEASE_DURATION
from shared.config import load
from shared.domain.actions import Verb
from tests.command_line import app
from tests.unit.web.lti.test_installations import PENDING
from tests.unit.web.test_pages import HELD
from workers import container
from workers.container import Container

# Each with what is recorded. Those that need both systems are tried in tests/integration/passback.
COMMANDS = {
    "sync 101": (Verb.SYNC, "course:101", 1),
    "pause course 101 --reason exams": (Verb.PAUSE, "course:101", 1),
    "resume passback": (Verb.RESUME, "passback", 1),
    "dlq retry course-101": (Verb.RETRY, "course-101", 1),
    "dlq retry --all": (Verb.RETRY, "dead_letters", 2),
    "dlq discard --all --yes": (Verb.DISCARD, "dead_letters", 2),
    "categories map set Quizzes Tests": (Verb.LINK, "category-map", 1),
    "categories map load map.csv": (Verb.LINK, "category-map", 2),
    "categories map remove homework": (Verb.UNLINK, "category-map", 1),
    "takeover --all --undo": (Verb.UNDO_TAKEOVER, "courses", 1),
    "purge course 101 --yes": (Verb.PURGE, "course:101", 1),
    "purge student S1 --yes": (Verb.PURGE, "student", 0),
    "purge older-than 1d --yes": (Verb.PURGE, "older_than", 0),
    "provision run": (Verb.PROVISION, "run:1", 1),
    f"provision run --approve {HELD.id} --yes": (Verb.APPROVE, f"plan:{HELD.id}", 1),
    f"provision discard {HELD.id} --yes": (Verb.REJECT, f"plan:{HELD.id}", 1),
    "lti register": (Verb.INVITE, "canvas", 1),
    "lti confirm 10000000000099": (Verb.CONFIRM, "client:10000000000099", 1),
    "lti remove 10000000000099 --yes": (Verb.REMOVE, "client:10000000000099", 1),
}
# Nothing of a district remains, so that nobody can be named; a roll-back needs a run that wrote.
NOT_HERE = {
    "purge everything", "provision rollback", "categories link", "categories unlink", "verify", "readiness",
}  # fmt: skip


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Container]:
    """The services that the commands find, over a Redis in memory."""
    server = fakeredis.FakeServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUDO_USER", "rivera")
    monkeypatch.setenv("PASSBACK_PUBLIC_URL", "https://passback.test")
    monkeypatch.setenv("PASSBACK_CANVAS_ROOT_ACCOUNT_UUID", "uuid")
    monkeypatch.setattr(container, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    monkeypatch.setattr(container, "send_provision_task", lambda _celery: None)
    made = Container(load({}, env_file=Path("no.env")))
    made.records.register("101")
    for course in ("101", "102"):
        made.dead_letters.add(course, None, "canvas_500", "", 6)
    made.pauses.pause("passback", "somebody")
    made.lti.save_registration(PENDING)
    made.associations.save_to_map({"Homework": "Daily Work"})
    Path("map.csv").write_text("group,category\nQuizzes,Tests\nLabs,Tests\n")
    runs = ProvisionRuns(made.redis, made.keys, RUNS_TTL, LEASE_DURATION)
    lease = runs.lease()
    assert lease is not None
    runs.save(lease, HELD)
    runs.release(lease)
    yield made
    made.close()


@pytest.fixture
def run(service: Container) -> Callable[[str], Result]:
    return lambda command: CliRunner().invoke(app, command.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_recorded(service: Container, run: Callable[[str], Result], command: str) -> None:
    """Under the login that used sudo, not under the account of the process."""
    result = run(command)
    assert result.exit_code == 0, result.output
    (action,) = service.actions.newest(9)
    verb, target, count = COMMANDS[command]
    assert (action.actor, action.verb, action.count) == ("rivera", verb, action.count if verb is Verb.PURGE else count)
    assert action.target == target if target != "run:1" else action.target.startswith("run:")
    assert "S1" not in action.target


@pytest.mark.parametrize(
    "command",
    [
        "purge course 101",
        "dlq retry --all --dry-run",
        "pause passback --reason exams --yes",
        "resume provisioning",
        "dlq list",
        "history 101",
    ],
)
def test_what_changes_nothing_is_not_recorded(service: Container, run: Callable[[str], Result], command: str) -> None:
    """A dry run, a question, a pause that is there already."""
    assert run(command).exit_code == 0
    assert service.actions.newest(9) == []


@pytest.mark.parametrize(
    ("reason", "says"), [("\udcfc", "argument 5 is no UTF-8"), ("x" * 201, "longer than 200 characters")]
)
def test_a_reason_that_cannot_be_shown_is_refused(service: Container, reason: str, says: str) -> None:
    """Text of a terminal with another encoding, and more than a page and the API take."""
    result = CliRunner().invoke(app, ["pause", "course", "101", "--reason", reason])
    assert (result.exit_code, says in result.output) == (2, True)
    assert [pause.target for pause in service.pauses.all()] == ["passback"]
    assert CliRunner().invoke(app, ["pause", "course", "101", "--reason", "x" * 200]).exit_code == 0


def test_every_command_with_an_actor_is_tried() -> None:
    """A command that is added and asks who is to be recorded as well."""
    asking = {name for name, callback in _callbacks(app) if "actor" in inspect.signature(callback).parameters}
    tried = {name for name in asking for command in COMMANDS if f"{command} ".startswith(f"{name} ")}
    assert asking - tried == NOT_HERE


def _callbacks(group: typer.Typer, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{prefix}{command.name or command.callback.__name__}", command.callback
    for nested in group.registered_groups:
        assert nested.typer_instance is not None
        yield from _callbacks(nested.typer_instance, f"{prefix}{nested.name} ")
