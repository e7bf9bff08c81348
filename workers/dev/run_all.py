"""`passback up`: every process at once, for development."""

import json
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from shared import config
from shared.domain.wording import counted
from shared.log_events import LogEvent
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.instructions import how_to_use, inside_canvas, this_command, write_environment
from workers.dev.process_group import ProcessGroup, free_port, process_group
from workers.dev.sandbox import (
    WITHOUT_PROVISIONING,
    install_in_canvas,
    lti_settings,
    point_events,
    sandbox_settings,
    start_sandboxes,
)
from workers.runtime.process_end import end_on_sigterm

PROCESSES = ("worker", "provisioning-worker", "beat")
POLL_INTERVAL_S = 0.3
MAX_COLUMNS = 79


def with_password(settings: config.Settings, environ: dict[str, str]) -> str:
    """Put a new operator password into `environ` if nobody could sign in, and return it; empty if somebody can."""
    if settings.has_sign_in:
        return ""
    password = secrets.token_urlsafe(12)
    environ["PASSBACK_OPERATOR_PASSWORD"] = password
    return password


def up(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the web process.")] = 8080,
    show_logs: Annotated[
        bool, typer.Option("--logs", help="Print the processes' logs here, instead of a line per sync and problem.")
    ] = False,
) -> None:
    """Run every process. Starts a Redis and sandboxes of Canvas and PowerSchool where none is configured.

    Prints where the page is, and lines for another terminal that enter a first grade.
    """
    end_on_sigterm()
    settings = config.load()
    if bool(settings.canvas_url) != bool(settings.powerschool_url):
        raise config.ConfigurationError(
            "PASSBACK_CANVAS_URL and PASSBACK_POWERSCHOOL_URL: set both, or neither to get two sandboxes"
        )
    _require_free(port)
    environ = dict(os.environ)  # noqa: TID251  # passed to child processes
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="passback-")))
        if not _has_redis(settings, environ):
            redis = stack.enter_context(EmbeddedRedis())
            typer.echo(f"Redis: {redis.description}")
            environ["PASSBACK_REDIS_URL"] = redis.url
            if not redis.is_durable:
                environ["PASSBACK_ALLOW_VOLATILE_REDIS"] = "yes"
        try:
            _run(stack, settings, environ, port, folder, show_logs=show_logs)
        except KeyboardInterrupt:
            typer.echo("stopping")


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise config.ConfigurationError(
                f"port {port} cannot be used ({error.strerror}): {this_command()} up --port {free_port()}"
            ) from None


def _has_redis(settings: config.Settings, environ: dict[str, str]) -> bool:
    default = config.Settings.model_fields["redis_url"].default
    return "PASSBACK_REDIS_URL" in environ or settings.redis_url != default or bool(settings.redis_sentinels)


def _run(
    stack: ExitStack, settings: config.Settings, environ: dict[str, str], port: int, folder: Path, *, show_logs: bool
) -> None:
    password = with_password(settings, environ)
    logs = None if show_logs else folder
    has_sandboxes = not settings.canvas_url
    web = f"http://127.0.0.1:{port}"
    typer.echo("Starting. This takes a few seconds.")
    if has_sandboxes:
        canvas, powerschool = start_sandboxes(stack.enter_context(process_group(logs, dict(environ))))
        environ.update(sandbox_settings(canvas, powerschool) | lti_settings(canvas, web))
        if "provision_schedule" not in settings.model_fields_set:
            environ.update(WITHOUT_PROVISIONING)
        typer.echo(f"Canvas: sandbox at {canvas}\nPowerSchool: sandbox at {powerschool}")
    group = stack.enter_context(process_group(logs, environ))
    group.start("web", "web", "--port", str(port))
    for name in PROCESSES:
        group.start(name, name)
    group.wait_ready(f"{web}/readyz")
    if has_sandboxes:
        point_events(canvas, web)
        install_in_canvas(canvas, web)
    environment = write_environment(folder, environ)
    typer.echo(f"passback is up. Ctrl-C ends everything{'; the sandboxes forget all' if has_sandboxes else ''}.\n")
    typer.echo("\n".join(how_to_use(environment, web, password, sandboxes=has_sandboxes)))
    if has_sandboxes:
        typer.echo("\n".join(inside_canvas(canvas)))
    _watch(group, logs)


def _watch(group: ProcessGroup, logs: Path | None) -> None:
    """Check the processes until one ends, and print a line per sync and problem that their logs tell."""
    files = []
    if logs is not None:
        typer.echo(f"\nWhat it does (logs: {logs}/*.log)")
        files = [(logs / f"{name}.log").open() for name in ("web", *PROCESSES)]
    while True:
        group.check()
        for file in files:
            for line in _added_lines(file):
                if text := console_text(line):
                    typer.echo(text)
        time.sleep(POLL_INTERVAL_S)


def _added_lines(file: TextIO) -> Iterator[str]:
    """Yield the complete lines that a process has added to its log."""
    while True:
        position = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(position)
            return
        yield line


def console_text(line: str) -> str:
    """Return what a person sees of a line of a log: a finished sync or a problem. Empty for all else."""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    event, course = entry.get("event", ""), entry.get("course_id")
    if event == LogEvent.COURSE_SYNCED:
        count = entry["scores_written"]
        written = f"{counted(count, 'score')} written to PowerSchool" if count else "nothing to write"
        text = f"course {course} synced: {written}"
    elif (
        entry.get("level") in ("warning", "error")
        and entry.get("logger") != "py.warnings"
        # What kind of Redis it is was said at the start.
        and event != LogEvent.REDIS_CONFIG_UNREADABLE
    ):
        about = [str(event), *(f"{name} {entry[name]}" for name in ("course_id", "cause", "system") if entry.get(name))]
        text = f"{entry['level']}: {', '.join(about)}"
    else:
        return ""
    at = datetime.fromisoformat(entry["timestamp"]).astimezone()
    return f"{at:%H:%M:%S}  {text}"[:MAX_COLUMNS]
