"""Log lines: one renderer, and a net that lets no secret and no e-mail through."""

import asyncio
import gc
import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared.adapters.telemetry.logging import configure_logging
from shared.config import load
from shared.log_events import LogEvent
from tests.architecture.project import ROOT

SETTINGS = load({"PASSBACK_CANVAS_TOKEN": "hunter22"}, Path("no.env"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure_logging(SETTINGS, stream)
    return stream


def test_an_event_is_one_json_line(stream: io.StringIO) -> None:
    """An event of ours is a line of JSON with its level, its time in UTC and its fields."""
    structlog.get_logger().info(LogEvent.COURSE_SYNCED, course_id="42", writes=3)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "course_synced", "level": "info", "course_id": "42", "writes": 3}


def test_a_librarys_line_looks_the_same(stream: io.StringIO) -> None:
    """What a library logs comes out of the same renderer, with the logger's name and the bound context."""
    structlog.contextvars.bind_contextvars(course_id="42")
    logging.getLogger("celery.worker").warning("lost %s", "connection")

    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["course_id"]) == ("lost connection", "celery.worker", "42")


def test_a_terminal_gets_lines_for_people() -> None:
    """Everything else gets JSON."""
    terminal = Terminal()
    configure_logging(SETTINGS, terminal)
    structlog.get_logger().info(LogEvent.COURSE_SYNCED)

    with pytest.raises(json.JSONDecodeError):
        json.loads(terminal.getvalue())
    assert "course_synced" in terminal.getvalue()


def test_the_level_is_the_settings(stream: io.StringIO) -> None:
    """Lines below the configured level are not written, whoever writes them."""
    structlog.get_logger().debug(LogEvent.MESSAGES_AGGREGATED)
    logging.getLogger("kombu").debug("chatter")

    assert lines(stream) == []


@pytest.mark.parametrize("name", ["httpx", "httpcore.connection", "uvicorn.access", "celery.app.trace"])
def test_chatty_libraries_are_silent(stream: io.StringIO, name: str) -> None:
    """Libraries that print full URLs, or repeat every unit of work, are heard from warnings on."""
    logging.getLogger(name).info("GET https://canvas.example/api?access_token=1~abc")

    assert lines(stream) == []


def test_configuring_twice_writes_once(stream: io.StringIO) -> None:
    """Configuring again replaces what was there."""
    again = io.StringIO()
    configure_logging(SETTINGS, again)
    structlog.get_logger().info(LogEvent.COURSE_SYNCED)

    assert (len(lines(stream)), len(lines(again))) == (0, 1)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Bearer 0123456789abcdef0123456789abcdef", "0123456789abcdef"),
        ("Basic Y2xpZW50OnNlY3JldC1jYW5hcnk=", "Y2xpZW50"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJjYW5hcnkiOjF9.c2lnbmF0dXJl", "eyJjYW5hcnkiOjF9"),
        ("whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnk", "Y2FuYXJ5"),
        ("1~cAnArYcAnArYcAnArYcAnArYcAnArY", "cAnArY"),
        ("canary@district.example", "canary"),
        ("/page?access_token=canary", "canary"),
        ("https://canvas.example/search?q=canary", "canary"),
        ("redis://:canary@127.0.0.1:6379/0", "canary"),
        ("{'client_secret': 'canary'}", "canary"),
        ('{"password":"canary"}', "canary"),
        ("a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1", "D4e5F6g7H8"),
        ("the configured token is hunter22", "hunter22"),
    ],
)
def test_what_looks_like_a_secret_is_masked(stream: io.StringIO, text: str, secret: str) -> None:
    """Tokens, secrets, e-mails and queries are masked in messages, fields and lists; tracebacks have no text at all."""
    log = structlog.get_logger()
    log.info(f"before {text} after", answer=text, rows=[{"deep": text}])
    logging.getLogger("library").warning("before %s after", text)
    log.error(LogEvent.COURSE_SYNC_UNEXPECTED_ERROR, exc_info=RuntimeError(text))

    assert [line["event"].count("[redacted]") for line in lines(stream)] == [1, 1, 0]
    assert lines(stream)[2]["error"] == "RuntimeError"
    assert secret not in stream.getvalue()


@pytest.mark.parametrize("name", ["password", "access_token", "authorization", "webhook_secret", "user_email"])
def test_a_field_named_like_a_secret_is_masked(stream: io.StringIO, name: str) -> None:
    """A text under a telling name is masked whatever it looks like."""
    structlog.get_logger().info(LogEvent.TOKEN_FETCHED, **{name: "plain"})

    assert lines(stream)[0][name] == "[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "course_synced",
        "powerschool_409",
        "PUT /ws/xte/score: 409",
        "8e9f0c1a-1111-4222-8333-944455556666",
        "2026-01-31T10:00:00Z",
        "shared/adapters/powerschool/gradebook_of_a_section.py",
        "passback@web1:4711",
        "unix:///run/redis.sock",
    ],
)
def test_ids_and_codes_stay(stream: io.StringIO, text: str) -> None:
    """Ids, codes, path templates, times and UUIDs are what logs are for."""
    structlog.get_logger().info(LogEvent.COURSE_SYNCED, value=text, token=7)

    (line,) = lines(stream)
    assert (line["value"], line["token"]) == (text, 7)


def fail_with(local: str) -> None:
    try:
        {}[local]
    except KeyError as error:
        raise RuntimeError(f"no {local}") from error


def test_a_traceback_shows_no_values(stream: io.StringIO) -> None:
    """A traceback says what was raised and where, and neither its text nor what the code was working on."""
    try:
        fail_with("canary")
    except RuntimeError:
        structlog.get_logger().exception(LogEvent.COURSE_SYNC_UNEXPECTED_ERROR)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")

    for line in lines(stream):
        assert line["error"] == "RuntimeError from KeyError"
        assert line["way"][-1].endswith(" fail_with")
    assert "canary" not in stream.getvalue()


def test_an_expected_alarm_is_a_warning(stream: io.StringIO) -> None:
    """A worker that cannot acknowledge after Redis was away is no emergency: its message comes again."""
    error = ConnectionError("canary")
    logging.getLogger("celery.worker.request").critical("Couldn't ack %r, reason:%r", 7, "gone", exc_info=error)
    logging.getLogger("celery.worker.request").critical("The house burns")

    assert [(line["level"], "way" in line) for line in lines(stream)] == [("warning", False), ("critical", False)]
    assert "canary" not in stream.getvalue()


def test_celery_does_not_quote_what_a_task_raised(stream: io.StringIO) -> None:
    """Its own line about a failed task holds the exception's text; ours, by a signal, does not."""
    logging.getLogger("celery.app.trace").error("Task raised unexpected: %r", ValueError("canary"))

    assert lines(stream) == []


def test_asyncio_does_not_quote_what_a_task_raised(stream: io.StringIO) -> None:
    """Only the first line of what it says is written, and the error's type."""

    async def forgotten() -> None:
        async def fail() -> None:
            raise ValueError("canary")

        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(forgotten())

    (line,) = lines(stream)
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValueError")
    assert "canary" not in stream.getvalue()


def test_warnings_are_lines_too(stream: io.StringIO) -> None:
    """What Python warns of is written like everything else."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)

    (line,) = lines(stream)
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")


UNCAUGHT = """
import logging, sys, threading
from pathlib import Path
from shared.adapters.telemetry.logging import log_uncaught
from shared.adapters.telemetry.logging import configure_logging
from shared.config import load
configure_logging(load({}, Path("no.env")))
log_uncaught()
def fail():
    raise ValueError("canary")
thread = threading.Thread(target=fail, name="heart")
thread.start()
thread.join()
fail()
"""


def test_what_nobody_catches_is_a_line_without_its_text() -> None:
    """In the main thread, which it ends, and in any other one."""
    done = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=False, cwd=ROOT)

    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["thread"], line["error"]) for line in told] == [
        ("process_crashed", "heart", "ValueError"),
        ("process_crashed", "main", "ValueError"),
    ]
    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr
