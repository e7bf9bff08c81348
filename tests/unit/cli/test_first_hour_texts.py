"""What `up`, `demo` and `sandbox` say, in 80 columns, and the file with settings that they write."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.config import ConfigurationError
from shared.sandbox.district.small import Ids
from tests.command_line import app
from workers.dev import demo
from workers.dev.demo.check import DemoReport, MissingScore
from workers.dev.demo.scenario import QUIZ, SINGLE
from workers.dev.demo.view import verdict
from workers.dev.instructions import how_to_use, inside_canvas, this_command, write_environment
from workers.dev.run_all import console_text, up
from workers.dev.sandbox import starting_district
from workers.dev.sandbox_text import about_canvas, about_powerschool

COLUMNS = 80
URL = "http://127.0.0.1:65535"
# As long as temporary folders are on macOS.
ENVIRONMENT = Path("/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/passback-abcdefgh/env")


def report(*problems: str) -> DemoReport:
    missing = MissingScore(Ids.CATEGORY_MISSING, "Poster", "41011", ("category_missing",), "Link it.")
    seconds = {SINGLE: [1.0, 2.0], QUIZ: [3.0]}
    return DemoReport((), (missing,), {"student_unknown": 1}, seconds, {}, problems, 325, 94, 108, 12)


def test_a_right_day_leads_on() -> None:
    """The verdict comes first, `passback up` comes next."""
    lines = list(verdict(report(), ".venv/bin/passback"))

    assert "RIGHT" in lines[0]
    assert lines[-3] == "  .venv/bin/passback up"


def test_a_wrong_day_says_what_is_wrong() -> None:
    """The first five differences are named, and how many more there are."""
    text = "\n".join(verdict(report(*(f"assignment {number} is wrong" for number in range(7))), "passback"))

    assert "WRONG" in text
    assert "RIGHT" not in text
    assert "assignment 4 is wrong" in text
    assert "assignment 5" not in text
    assert "and 2 more" in text


@pytest.mark.parametrize(("problems", "code"), [((), 0), (("assignment 1101 is wrong",), 1)])
def test_the_exit_code_is_the_verdict(monkeypatch: pytest.MonkeyPatch, problems: tuple[str, ...], code: int) -> None:
    """The demo's exit code is 0 only if PowerSchool is right."""
    monkeypatch.setattr(demo, "_play", lambda *_: (report(*problems), URL))

    assert CliRunner().invoke(app, ["demo"]).exit_code == code


def texts() -> Iterator[tuple[str, list[str]]]:
    small, large = starting_district(0, 2_000, 400, 1), starting_district(2, 20, 8, 3)
    yield (
        "verdict",
        [line.replace("[bold red]", "").replace("[/]", "") for line in verdict(report("wrong"), "passback")],
    )
    yield "use", list(how_to_use(ENVIRONMENT, URL, "x" * 16, sandboxes=True))
    yield "inside Canvas", list(inside_canvas(URL))
    for name, district in (("small", small), ("large", large)):
        yield f"canvas, {name}", list(about_canvas(URL, district.canvas, URL))
        yield f"powerschool, {name}", list(about_powerschool(URL, district.powerschool))


@pytest.mark.parametrize(("name", "lines"), list(texts()), ids=lambda value: value if isinstance(value, str) else "")
def test_no_line_is_wider_than_a_terminal(name: str, lines: list[str]) -> None:
    """Every text fits into 80 columns."""
    assert max(map(len, lines)) <= COLUMNS, max(lines, key=len)


def test_the_sandboxes_say_how_they_are_used() -> None:
    """Address, credentials, contents, and the commands that change something."""
    district = starting_district(0, 2_000, 400, 1)
    canvas = "\n".join(about_canvas(URL, district.canvas, ""))
    powerschool = "\n".join(about_powerschool(URL, district.powerschool))

    assert {str(course.id) for course in district.canvas.courses} <= set(canvas.split())
    for part in (URL, "sandbox-token", "passback sandbox grade 101 1101 10501 18", "--events", "/_sandbox/act"):
        assert part in canvas
    for part in (URL, "sandbox-client", "sandbox-secret", "1 school,", "/_sandbox/faults"):
        assert part in powerschool


def test_the_environment_is_exact_and_private(tmp_path: Path) -> None:
    """A shell that reads the file has the settings to the letter, and this program on PATH."""
    settings = {"PASSBACK_REDIS_URL": "unix:///x/redis.sock?db=0", "PASSBACK_WEBHOOK_SECRET": 'it\'s $HOME "x" `id`'}
    path = write_environment(tmp_path, {**settings, "OTHER": "left out"})
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    shell = subprocess.run(
        ["sh", "-c", f". {path}; exec {sys.executable} -c '{show}'"],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(shell.stdout)

    assert {name: value for name, value in found.items() if name.startswith("PASSBACK_")} == settings
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert "OTHER" not in found
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_next_command_is_called_as_this_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A new user has `.venv/bin/passback` and nothing on PATH."""
    program = tmp_path / ".venv" / "bin" / "passback"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    called = {}
    for given in (".venv/bin/passback", str(program), "/somewhere/workers/cli/__main__.py"):
        monkeypatch.setattr(sys, "argv", [given])
        called[given] = this_command()

    assert list(called.values()) == [".venv/bin/passback", ".venv/bin/passback", "passback"]


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"event": "course_synced", "course_id": "101", "scores_written": 1}, "course 101 synced: 1 score written"),
        ({"event": "course_synced", "course_id": "101", "scores_written": 70}, "course 101 synced: 70 scores written"),
        ({"event": "course_synced", "course_id": "101", "scores_written": 0}, "course 101 synced: nothing to write"),
        (
            {"event": "sync_retried", "level": "warning", "course_id": "7", "cause": "timeout"},
            "warning: sync_retried, course_id 7, cause timeout",
        ),
        ({"event": "x" * 200, "level": "error"}, "error: xxx"),
    ],
)
def test_what_up_says_of_a_log_line(entry: dict[str, object], shown: str) -> None:
    """A line per finished sync and per problem."""
    line = console_text(json.dumps(entry | {"timestamp": "2031-03-04T10:11:12.000000Z"}))

    assert shown in line
    assert len(line) < COLUMNS


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        '{"event": "token_fetched", "level": "info", "timestamp": "2031-03-04T10:11:12Z"}',
        '{"event": "x", "level": "warning", "logger": "py.warnings", "timestamp": "2031-03-04T10:11:12Z"}',
        '{"event": "redis_config_unreadable", "level": "warning", "timestamp": "2031-03-04T10:11:12Z"}',
    ],
)
def test_other_lines_are_left_to_the_logs(line: str) -> None:
    """What is neither a sync nor a problem of ours is not shown."""
    assert console_text(line) == ""


@contextmanager
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_busy_port_names_a_free_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`up` starts nothing, and gives the command with another port."""
    monkeypatch.chdir(tmp_path)
    with busy_port() as port, pytest.raises(ConfigurationError, match=r"cannot be used .*: passback up --port \d+"):
        up(port=port)


def test_one_configured_system_is_not_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half a sandbox would mix real grades with invented ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSBACK_POWERSCHOOL_URL", "https://powerschool.example")
    with pytest.raises(ConfigurationError, match="set both, or neither"):
        up(port=1)


@pytest.mark.parametrize(
    ("canvas", "sentence"),
    [("https://canvas.example", "never in a real Canvas"), ("", "PASSBACK_CANVAS_URL is not set")],
)
def test_grades_are_entered_in_a_sandbox_only(canvas: str, sentence: str) -> None:
    """Anywhere else the command ends with a sentence before anything is sent."""
    environ = {"PATH": "/usr/bin:/bin", "PASSBACK_CANVAS_URL": canvas}
    result = subprocess.run(
        [sys.executable, "-m", "workers.cli", "sandbox", "grade", "101", "1101", "10501", "18"],
        cwd=Path(__file__).parents[3], env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (result.returncode, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
