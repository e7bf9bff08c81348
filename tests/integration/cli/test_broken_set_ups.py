"""Every command under every broken set-up: one sentence, the right exit code, no traceback."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from click.testing import Result
from typer.testing import CliRunner

from shared.clock import SystemClock
from shared.config import PREFIX, load
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import Ids, small_district
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.command_line import app
from tests.integration.sandbox_server import served
from workers.cli.app import command_line
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import free_port, without_settings
from workers.dev.sandbox import sandbox_settings

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.xdist_group("broken")]

ROOT = Path(__file__).parents[3]
COURSE, UNKNOWN = str(Ids.HEALTHY_COURSE), "987654321"
PROCESSES = {
    "demo", "up", "web", "worker", "provisioning-worker", "beat", "flower", "sqs", "sandbox canvas",
    "sandbox powerschool",
}  # fmt: skip
# No file can be made here, whoever runs the test.
READ_ONLY = "/proc"

REDIS = {"no Redis": 1, "wrong Redis password": 2, "refused by ACL": 2}
CANVAS = {"Canvas down": 1, "wrong Canvas token": 2, "nothing configured": 2}
POWERSCHOOL = {"PowerSchool down": 1, "wrong PowerSchool secret": 2, "nothing configured": 2}
BOTH = {**CANVAS, **POWERSCHOOL}
UNKNOWN_COURSE = {"unknown course": 2}
NO_FILE = {"read-only directory": 2}
STATES = {"no Redis", "Canvas down", "PowerSchool down", "nothing configured", "unknown course", "read-only directory"}
SET_UPS = {**REDIS, **BOTH, **UNKNOWN_COURSE, **NO_FILE}

NAMED = {
    "no Redis": "Redis", "wrong Redis password": "password", "refused by ACL": "access list", "Canvas down": "Canvas",
    "PowerSchool down": "PowerSchool", "wrong Canvas token": "CANVAS_TOKEN", "nothing configured": "not set",
    "wrong PowerSchool secret": "CLIENT_SECRET", "unknown course": "course", "read-only directory": READ_ONLY,
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command line, and its exit code in each set-up that concerns it; in any other it is `fine`.

    With `reports`, the command's own output says what is wrong.
    """

    line: str
    codes: Mapping[str, int] = field(default_factory=dict)
    fine: int = 0
    reports: bool = False

    @property
    def arguments(self) -> list[str]:
        """The command line in words."""
        return self.line.split()


COMMANDS = [
    Command("doctor", {**REDIS, **dict.fromkeys(BOTH, 1)}, fine=1, reports=True),
    # No process runs here.
    Command("status", REDIS, fine=1),
    Command("courses", REDIS),
    Command(f"courses --person {Ids.STUDENTS_HEALTHY[0]}", {**REDIS, **CANVAS}),
    Command("courses --person nobody", {**REDIS, **CANVAS}, fine=2),
    Command("actions", REDIS),
    Command("alive worker", dict.fromkeys(REDIS, 0), fine=1),
    Command("settings"),
    Command("password"),
    Command("sync COURSE", {**REDIS, **UNKNOWN_COURSE}),
    Command("sync COURSE --dry-run", {**REDIS, **BOTH, **UNKNOWN_COURSE}),
    Command("sync --all --dry-run", REDIS),
    Command("sync --school 999", REDIS, fine=2),
    Command("explain COURSE", {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2, **UNKNOWN_COURSE}),
    *(
        Command(f"{line} 999", {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2, **UNKNOWN_COURSE}, fine=2)
        for line in ("explain COURSE --assignment", "explain COURSE --student")
    ),
    Command("totals COURSE", {**REDIS, **BOTH, **UNKNOWN_COURSE}),
    Command("totals COURSE --student 999", {**REDIS, **BOTH, **UNKNOWN_COURSE}, fine=2),
    Command("sync COURSE --dry-run --assignment 999", {**REDIS, **BOTH, **UNKNOWN_COURSE}, fine=2),
    Command("verify COURSE", {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2, **UNKNOWN_COURSE}),
    Command("verify COURSE --stored", {**REDIS, **UNKNOWN_COURSE}, fine=1),
    Command(
        "verify --all --export FILE",
        {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2, **NO_FILE},
    ),
    Command("verify --public-key", REDIS),
    # What is not ready, and that a system cannot be read, is what it prints.
    Command("readiness", {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2}, fine=1),
    Command("readiness --export FILE", {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2, **NO_FILE}, fine=1),
    Command("history COURSE", {**REDIS, **UNKNOWN_COURSE}),
    Command("history COURSE --export FILE", {**REDIS, **UNKNOWN_COURSE, **NO_FILE}),
    Command("pause --reason exams --yes", REDIS),
    Command("pause course COURSE", {**REDIS, **UNKNOWN_COURSE}),
    Command("resume", REDIS),
    Command("links check COURSE", {**REDIS, **dict.fromkeys(BOTH, 1), "nothing configured": 2, "unknown course": 1}),
    Command("takeover COURSE --dry-run", {**REDIS, **BOTH, **UNKNOWN_COURSE}),
    Command("takeover COURSE --undo", {**REDIS, **UNKNOWN_COURSE}),
    # No course is connected here.
    Command("takeover --all --dry-run", {**REDIS, **BOTH}),
    Command("notify status", REDIS),
    # It needs nothing but targets, and there are none here.
    Command("notify test", fine=2),
    Command("dlq list", REDIS),
    Command("dlq show course:1", REDIS, fine=2),
    Command("dlq retry --all", REDIS),
    Command("dlq discard --all --yes", REDIS),
    Command("dlq export FILE", {**REDIS, **NO_FILE}),
    Command("provision run", REDIS),
    Command("provision run --dry-run", {**REDIS, **POWERSCHOOL}),
    Command("provision history", REDIS),
    Command("provision show nothing", REDIS, fine=2),
    Command("provision held", REDIS),
    Command("provision discard nothing --yes", REDIS, fine=2),
    Command("provision rollback --yes", REDIS, fine=1),
    Command("categories list COURSE", {**REDIS, **BOTH, **UNKNOWN_COURSE}),
    Command("categories link COURSE Homework nothing", {**REDIS, **BOTH, **UNKNOWN_COURSE}, fine=1),
    Command("categories unlink COURSE nothing", {**REDIS, **CANVAS, **UNKNOWN_COURSE}, fine=1),
    Command("categories map list", REDIS),
    Command("categories map set Homework Work", REDIS),
    Command("categories map load /nowhere.csv", fine=2),
    Command("categories map remove nothing", REDIS, fine=2),
    Command("purge course COURSE", REDIS),
    Command("purge student S1", REDIS),
    Command("purge older-than 365d", REDIS),
    Command("purge everything", REDIS),
    Command("purge list", REDIS),
    # The sandbox's settings name no public address.
    Command("lti config", fine=2),
    Command("lti register", fine=2),
    Command("lti list", REDIS),
    Command("lti confirm 1", REDIS, fine=2),
    Command("lti remove 1 --yes", REDIS, fine=2),
    # Its sandbox sends no events here, so that no grade is entered.
    Command(
        "sandbox grade COURSE 1021 10601 5",
        {**REDIS, "Canvas down": 1, "nothing configured": 2, **UNKNOWN_COURSE},
        fine=1,
    ),
    Command("sandbox settings --canvas http://127.0.0.1:1 --powerschool http://127.0.0.1:2"),
]


def leaves(group: Any, *before: str) -> Iterator[tuple[str, Any]]:
    """Yield every command of the command line with its path, such as `dlq list`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, *before, name)
        else:
            yield " ".join((*before, name)), command


def test_every_command_is_tried() -> None:
    """A new command needs a row here, or is a process."""
    known = dict(leaves(typer.main.get_command(app))).keys()
    tried = {path for path in known if any(f"{each.line} ".startswith(f"{path} ") for each in COMMANDS)}
    assert known - tried == PROCESSES


def test_every_command_prints_json() -> None:
    """All but the processes, and those whose output is for one other program."""
    silent = {
        path
        for path, command in leaves(typer.main.get_command(app))
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert silent - PROCESSES == {"dlq export", "lti config", "password", "sandbox grade", "sandbox settings"}


@pytest.fixture(scope="module")
def healthy() -> Iterator[dict[str, str]]:
    """The settings of an installation where everything is right: a Redis with the guide's users, and the sandboxes."""
    clock = SystemClock()
    district = small_district(clock.now().date())
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(durable=False))
        rules = re.search(
            r"^user passback on #\S+ (.*)$", (ROOT / "deploy/redis/users.acl.in").read_text(), re.MULTILINE
        )
        assert rules is not None
        with redis.Redis.from_url(server.url) as admin:
            admin.execute_command("ACL", "SETUSER", "passback", "on", ">right", *rules[1].split())
        canvas = stack.enter_context(served(canvas_app(district.canvas, clock)))
        powerschool = stack.enter_context(served(powerschool_app(district.powerschool, clock)))
        url = server.url.replace("unix://", "unix://passback:right@")
        yield {"PASSBACK_REDIS_URL": url, "ADMIN": server.url, **sandbox_settings(canvas, powerschool)}


def broken(healthy: Mapping[str, str], set_up: str) -> dict[str, str]:
    """Return the settings of a broken set-up."""
    url = healthy["PASSBACK_REDIS_URL"]
    changed = {
        "no Redis": {"REDIS_URL": "unix:///nowhere/redis.sock"},
        "wrong Redis password": {"REDIS_URL": url.replace("right", "wrong")},
        "refused by ACL": {"REDIS_PREFIX": "other"},
        "Canvas down": {"CANVAS_URL": f"http://127.0.0.1:{free_port()}"},
        "PowerSchool down": {"POWERSCHOOL_URL": f"http://127.0.0.1:{free_port()}"},
        "wrong Canvas token": {"CANVAS_TOKEN": "wrong"},
        "wrong PowerSchool secret": {"POWERSCHOOL_CLIENT_SECRET": "wrong"},
    }.get(set_up, {})
    settings = {"PASSBACK_REDIS_URL": url} if set_up == "nothing configured" else dict(healthy)
    return {**settings, **{f"{PREFIX}{name}": value for name, value in changed.items()}}


@pytest.fixture
def run(healthy: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Command, str], Result]:
    """Return a function that runs a command in a set-up, on an empty Redis that knows the course."""

    def run_in(command: Command, set_up: str) -> Result:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in broken(healthy, set_up).items():
            monkeypatch.setenv(name, value)
        with redis.Redis.from_url(healthy["ADMIN"]) as admin:
            admin.flushall()
        with closing(
            Container(load({"PASSBACK_REDIS_URL": healthy["PASSBACK_REDIS_URL"]}, tmp_path / "no.env"))
        ) as one:
            one.records.register(COURSE)
        is_read_only = set_up == "read-only directory"
        monkeypatch.chdir(READ_ONLY if is_read_only else tmp_path)
        words = {
            "COURSE": UNKNOWN if set_up == "unknown course" else COURSE,
            "FILE": f"{READ_ONLY if is_read_only else tmp_path}/export",
        }
        arguments = [words.get(word, word) for word in command.arguments]
        return CliRunner().invoke(command_line(arguments[0]), arguments, input="a password that is long\n")

    return run_in


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.line)
def test_a_command_in_order(run: Callable[[Command, str], Result], command: Command) -> None:
    """Where everything is right, the exit code is that of the command."""
    done = run(command, "")
    assert done.exit_code == command.fine, done.output or repr(done.exception)
    assert "unexpected error" not in done.stderr


@pytest.mark.parametrize(
    ("command", "set_up"),
    [
        pytest.param(command, set_up, id=f"{command.line}-{set_up}")
        for command in COMMANDS
        for set_up in SET_UPS
        # Who does not use a system at all cannot know that it would refuse the credentials.
        if set_up in command.codes or (set_up in STATES and (set_up != "unknown course" or "COURSE" in command.line))
    ],
)
def test_a_command_in_a_broken_set_up(run: Callable[[Command, str], Result], command: Command, set_up: str) -> None:
    """It ends with one sentence that names the cause; a set-up that does not concern it changes nothing."""
    done = run(command, set_up)
    expected = {1, 2} if command.reports else {command.codes.get(set_up, command.fine)}
    assert done.exit_code in expected, done.output or repr(done.exception)
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert "Traceback" not in done.output
    assert "unexpected error" not in done.output
    if set_up not in command.codes or command.reports or done.stdout:
        return
    sentence = done.stderr.rstrip()
    assert "\n" not in sentence
    assert sentence.startswith("passback: ")
    assert NAMED[set_up] in sentence


@pytest.mark.parametrize(
    ("line", "set_up", "code", "words"),
    [
        ("status", "no Redis", 1, "Redis does not answer"),
        ("worker", "nothing configured", 2, "not set: PASSBACK_CANVAS_URL"),
        ("worker", "refused by ACL", 2, "PASSBACK_REDIS_PREFIX"),
        ("beat", "wrong Redis password", 2, "PASSBACK_REDIS_PASSWORD"),
        ("web --port TAKEN", "", 2, "Address already in use"),
        ("flower --port TAKEN", "", 2, "Address already in use"),
    ],
)
def test_a_real_process_ends_alike(
    healthy: dict[str, str], tmp_path: Path, line: str, set_up: str, code: int, words: str
) -> None:
    """With one sentence, also where the process would run on."""
    environ = {**without_settings(), **broken(healthy, set_up), "PASSBACK_ALLOW_VOLATILE_REDIS": "yes"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments = line.replace("TAKEN", str(taken.getsockname()[1])).split()
        done = subprocess.run(
            [sys.executable, "-m", "workers.cli", *arguments],
            env=environ, cwd=tmp_path, capture_output=True, check=False, text=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("passback: ")
    assert words in sentence
