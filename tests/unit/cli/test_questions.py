"""Commands that cannot be undone ask first, and say how much they concern."""

import re
from contextlib import nullcontext
from pathlib import Path

import fakeredis
import pytest
import typer
from typer.testing import CliRunner

from shared.config import load
from tests import command_line as cli
from workers.cli import options, sync
from workers.container import Container


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Container:
    """Return the services that the commands open, over a Redis in memory."""
    made = Container(load({}, env_file=Path("no.env")), redis=fakeredis.FakeRedis(server=fakeredis.FakeServer()))
    monkeypatch.setattr(sync, "services", lambda: nullcontext(made))
    return made


def test_a_pause_of_everything_needs_a_reason_and_an_answer(service: Container) -> None:
    """Without a terminal it is refused with the number of courses and the option that scripts give."""
    for course in ("101", "102"):
        service.records.register(course)
    runner = CliRunner()
    assert "say why everything is paused" in runner.invoke(cli.app, ["pause", "--yes"]).output
    refused = runner.invoke(cli.app, ["pause", "--reason", "moving house"])
    assert refused.exit_code == 2
    assert "2 connected courses" in refused.output
    assert "add --yes" in refused.output
    assert list(service.pauses.all()) == []
    assert runner.invoke(cli.app, ["pause", "--reason", "moving house", "--yes"]).exit_code == 0
    (pause,) = service.pauses.all()
    assert pause.reason == "moving house"


def test_a_pause_of_one_course_asks_nothing(service: Container) -> None:
    """One course is resumed as easily."""
    assert CliRunner().invoke(cli.app, ["pause", "course", "101"]).exit_code == 0
    assert service.pauses.of_course("101") is not None


@pytest.mark.parametrize("what", [["course", "101"], ["provisioning"], ["passback", "--reason", "x", "--yes"]])
def test_a_pause_names_the_command_that_ends_it(service: Container, what: list[str]) -> None:
    """`passback resume` alone leaves a course and provisioning paused."""
    runner = CliRunner()
    (command,) = re.findall(r"`passback (resume.*)`", runner.invoke(cli.app, ["pause", *what]).output)
    assert runner.invoke(cli.app, command.split()).exit_code == 0
    assert list(service.pauses.all()) == []


@pytest.mark.parametrize(("answer", "is_done"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_at_a_terminal_the_answer_decides(monkeypatch: pytest.MonkeyPatch, answer: str, is_done: bool) -> None:
    """Only a yes goes on; anything else ends with exit code 1."""
    monkeypatch.setattr(options, "is_interactive", lambda: True)
    verb = typer.Typer()

    @verb.command()
    def burn() -> None:
        options.confirm("3 letters burn.", yes=False)
        typer.echo("burnt")

    result = CliRunner().invoke(verb, [], input=answer)
    assert "3 letters burn. Continue?" in result.output
    assert ("burnt" in result.output, result.exit_code) == (is_done, 0 if is_done else 1)
