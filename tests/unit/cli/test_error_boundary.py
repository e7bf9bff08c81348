"""What ends a command: one sentence with cause and fix, and an exit code."""

import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import fakeredis
import httpx
import pytest
import typer
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ResponseError
from redis.exceptions import ConnectionError as ConnectionFailed
from typer.testing import CliRunner

from shared.adapters.redis.client import RedisUnavailable
from shared.config import ConfigurationError
from shared.domain.causes import Cause
from shared.errors import AccessDenied, CourseGone, PersonUnknown, QueryUnavailable, ServiceUnavailable
from tests import command_line as cli
from workers import container
from workers.cli import processes
from workers.cli.terminal.error_text import explain_error

CANARY = "Ada Canary"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def unavailable(cause: Exception) -> Exception:
    return caused(RedisUnavailable("GET", cause), cause)


def away(system: str, cause: Exception) -> Exception:
    error = ServiceUnavailable("GET /x: unavailable", cause=f"{system}_unavailable", delay=timedelta(seconds=5))
    return caused(error, caused(httpx.ConnectError(CANARY), cause))


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigurationError("not set: PASSBACK_CANVAS_URL"), 2, "not set"),
        (unavailable(caused(ConnectionFailed(CANARY), ConnectionRefusedError())), 1, "the connection was refused"),
        (unavailable(caused(ConnectionFailed(CANARY), socket.gaierror(-2, CANARY))), 1, "host name is not known"),
        (unavailable(caused(ConnectionFailed(CANARY), ssl.SSLCertVerificationError(CANARY))), 1, "is not trusted"),
        (unavailable(caused(ConnectionFailed(CANARY), ssl.SSLError(CANARY))), 1, "no TLS"),
        (unavailable(OutOfMemoryError(CANARY)), 1, "its memory is full"),
        (unavailable(AuthenticationError(CANARY)), 2, "PASSBACK_REDIS_PASSWORD"),
        (NoPermissionError(CANARY), 2, "PASSBACK_REDIS_PREFIX"),
        (ResponseError("ACL failure in script: No permissions to access a key"), 2, "PASSBACK_REDIS_PREFIX"),
        (away("canvas", ConnectionRefusedError()), 1, "PASSBACK_CANVAS_URL"),
        (away("powerschool", TimeoutError()), 1, "no answer in time"),
        (AccessDenied("GET /x: 401", cause=Cause.CANVAS_401, status=401), 2, "PASSBACK_CANVAS_TOKEN"),
        (AccessDenied("POST /t: 401", cause=Cause.TOKEN_REFUSED, status=401), 2, "PASSBACK_POWERSCHOOL_CLIENT_SECRET"),
        (QueryUnavailable("q: 404", cause=Cause.QUERY_MISSING, status=404, query="q"), 2, "powerschool-plugin"),
        (CourseGone("GET /x: 404"), 2, "no such course"),
        (PersonUnknown("GET /x: 404"), 2, "nobody with this SIS id"),
        (FileNotFoundError(2, "No such file or directory", "/x/y"), 2, "/x/y: No such file"),
        (typer.BadParameter("no number"), 2, "no number"),
        (typer.Abort(), 1, "aborted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_that_can_be_foreseen_has_a_sentence(error: Exception, code: int, words: str) -> None:
    """It names cause and fix, and quotes no text of a library."""
    explanation = explain_error(error)
    assert explanation is not None
    text, exit_code = explanation
    assert words in text
    assert exit_code == code
    assert CANARY not in text


def test_a_remedy_does_not_speak_of_retrying() -> None:
    """A command has no dead letter to retry."""
    assert [cause for cause in Cause if "Retry once" in cause.fix] == []


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Exception], tuple[int, str]]:
    """Return a function that runs a command which raises the error."""
    monkeypatch.chdir(tmp_path)

    def run(error: Exception) -> tuple[int, str]:
        def fail(_settings: object) -> object:
            raise error

        monkeypatch.setattr(container, "connect", fail)
        done = CliRunner().invoke(cli.app, ["dlq", "list"])
        assert done.stdout == ""
        return done.exit_code, done.stderr

    return run


def test_an_unforeseen_error_names_its_class_and_the_log(runs: Callable[[Exception], tuple[int, str]]) -> None:
    """The stack is in the log line above; the error's text, which may quote a name, is nowhere."""
    code, printed = runs(KeyError(CANARY))
    logged, sentence = printed.splitlines()

    assert code == 1
    assert '"way"' in logged
    assert sentence.startswith("passback: unexpected error (KeyError): this is a defect of passback.")
    assert CANARY not in printed


def test_a_usage_error_is_one_sentence() -> None:
    """With the command whose help says more."""
    done = CliRunner().invoke(cli.app, ["web", "--port", "80000"])
    assert done.exit_code == 2
    (sentence,) = done.stderr.splitlines()
    assert "65535" in sentence
    assert "web --help`" in sentence


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("statuss", "passback: No such command 'statuss'. Did you mean 'status'? See `passback --help`."),
        ("alive printer", "passback: Invalid value for 'kind': 'printer' is not one of 'web', 'worker', "),
    ],
)
def test_a_usage_error_reads_as_a_sentence(line: str, sentence: str) -> None:
    """With one mark at its end, and without words of the library that found it."""
    assert CliRunner().invoke(cli.app, line.split(), prog_name="passback").stderr.startswith(sentence)


def test_an_address_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Web, Flower and the sandbox say which port, and how to choose another."""
    monkeypatch.chdir(tmp_path)
    # Not for the process of the tests.
    monkeypatch.setattr(processes, "end_on_sigterm", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for verb in (["web"], ["flower"], ["sandbox", "canvas"]):
            done = CliRunner().invoke(cli.app, [*verb, "--port", port])
            assert done.exit_code == 2, done.output
            assert f"port {port} of 127.0.0.1 cannot be bound: Address already in use" in done.stderr


def test_the_version_and_the_completion_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--version` names both versions; a shell completes verbs."""
    assert CliRunner().invoke(cli.app, ["--version"]).stdout.startswith("passback ")
    monkeypatch.setenv("_PASSBACK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "passback prov")
    monkeypatch.setenv("COMP_CWORD", "1")
    done = CliRunner().invoke(cli.app, [], prog_name="passback")
    assert sorted(done.stdout.split()) == ["provision", "provisioning-worker"]


def test_an_unreadable_env_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file in another encoding is no reason for a traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"PASSBACK_LOG_LEVEL=\xff\n")
    done = CliRunner().invoke(cli.app, ["status"])
    assert done.exit_code == 2
    assert ".env cannot be read" in done.stderr


def test_lists_of_courses_and_actions_read_what_is_stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An action of the command line is in `actions`, with who did it; the course is in `courses`."""
    monkeypatch.chdir(tmp_path)
    server = fakeredis.FakeServer()
    monkeypatch.setattr(container, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    runner = CliRunner()
    assert runner.invoke(cli.app, ["sync", "101", "--actor", "rivera"]).exit_code == 0
    assert "rivera" in runner.invoke(cli.app, ["actions"]).stdout
    assert "course:101" in runner.invoke(cli.app, ["actions"]).stdout
    listed = runner.invoke(cli.app, ["courses"]).stdout
    assert listed.splitlines()[1].split() == ["101", "-", "never", "-"]
    assert runner.invoke(cli.app, ["courses", "nothing"]).stdout == "no course matches\n"
