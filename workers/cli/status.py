"""Verbs about the whole installation: `status`, `doctor`, `alive`, `settings`, `password`."""

import sys
from contextlib import closing
from datetime import timedelta
from getpass import getpass
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.table import Table

from shared import config
from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.heartbeats import Heartbeats
from workers.cli.docs.settings_env import settings_env
from workers.cli.docs.settings_table import settings_table
from workers.cli.doctor import CheckResult, run_checks
from workers.cli.doctor.report import report
from workers.cli.options import services
from workers.cli.terminal.error_text import explain_error
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.runtime.heartbeat import this_process
from workers.status import read_status, status_json

# Longer than the pages take to report a process as gone. Restarting a process that is only late would delay it more.
HEARTBEAT_TIMEOUT = timedelta(seconds=60)

ProcessKind = Annotated[
    str, typer.Argument(metavar="PROCESS", help="Kind of process, as in `passback status`: worker, beat …")
]


def status(as_json: JsonOption = False) -> None:
    """Show processes, queues, waiting courses, dead letters and the last event."""
    with services() as service:
        found = status_json(read_status(service))
    emit(found, as_json, _status_table)
    has_problems = found["dead_letters"] or found["unavailable_queries"] or found["long_waits"]
    raise typer.Exit(ExitCode.PROBLEMS if has_problems else ExitCode.FINE)


def _status_table(found: dict[str, object]) -> Table:
    table = Table("what", "now", title="passback")
    for name, value in found.items():
        if name == "paused_systems":
            continue  # `unavailable_systems` says it in words
        if isinstance(value, dict):
            for part, count in value.items():
                counts = count.items() if isinstance(count, dict) else ()
                text = ", ".join(f"{word} {what}" for word, what in counts) or str(count)
                table.add_row(f"{name.replace('_', ' ')}: {part}", text)
        elif isinstance(value, list):
            table.add_row(name.replace("_", " "), "\n".join(map(_item_text, value)) or "none")
        else:
            table.add_row(name.replace("_", " "), "never" if value is None else str(value))
    return table


def _item_text(item: dict[str, object]) -> str:
    match item:
        case {"process": process, "state": state, "age_s": age_s}:
            text = f"{process}: {state}, last seen {age_s} s ago"
        case {"query": query, "cause": cause, "since": since, "remedy": remedy}:
            text = f"{query}: {cause} since {since}. {remedy}"
        case {"system": system, "cause": cause, "since": since}:
            text = f"{system} since {since or 'a while'} ({cause})"
        case {"target": target, "actor": actor, "since": since, "reason": reason}:
            text = f"{target} by {actor} since {since}{f': {reason}' if reason else ''}"
        case {"run_id": run_id, "school_number": school_number}:
            of = "the district" if school_number is None else f"school {school_number}"
            text = f"run {run_id} of {of}: see `passback provision held`"
        case {"course_id": course_id, "cause": cause, "since": since}:
            text = f"{course_id}: {cause} since {since}"
        case _:
            text = f"{item['course_id']} ({item['changes']} changes), due {item['due_at']}"
    return text


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, Redis, processes, Canvas and PowerSchool. Reads only; each problem names its fix."""
    with services() as service:
        checks = run_checks(service)
    emit([check.as_json() for check in checks], as_json, report)
    raise typer.Exit(ExitCode.PROBLEMS if any(check.verdict is CheckResult.FAIL for check in checks) else ExitCode.FINE)


def settings(
    env: Annotated[bool, typer.Option("--env", help="Print an environment file to fill in (.env.example).")] = False,
) -> None:
    """Print every setting with its type, unit, default and meaning, as in deploy/guides/settings.md."""
    typer.echo(settings_env() if env else settings_table(), nl=not env)


def alive(kind: ProcessKind) -> None:
    """Check whether a process of this kind is alive on this host; the exit code is 1 if not.

    The health check of containers without HTTP. While Redis is away the state is unknown, and a restart would not
    help: the exit code is 0.
    """
    settings = config.load()
    try:
        with closing(connect(settings)) as client:
            heartbeats = Heartbeats(client, Keys(settings.redis_prefix)).all()
    except RedisError as error:
        why, _ = explain_error(error) or (f"{type(error).__name__}.", ExitCode.PROBLEMS)
        typer.echo(f"{kind}: not known. {why}")
        return
    host = this_process(kind).rpartition(":")[0]
    if any(each.process.startswith(f"{host}:") and each.age <= HEARTBEAT_TIMEOUT for each in heartbeats):
        typer.echo(f"{kind}: alive")
        return
    typer.echo(f"{kind}: not alive on this host", err=True)
    raise typer.Exit(ExitCode.PROBLEMS)


def password() -> None:
    """Ask for a password and print its Argon2 hash, for PASSBACK_OPERATOR_PASSWORD or PASSBACK_VIEWER_PASSWORD.

    Without a terminal, the password is read from standard input.
    """
    from workers.web.auth.passwords import hashed  # noqa: PLC0415  # loads Argon2

    given = _ask_twice() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    least, _ = config.MIN_LENGTHS["operator_password"]
    if len(given) < least:
        raise typer.BadParameter(f"use at least {least} characters", param_hint="password")
    typer.echo(hashed(given))


def _ask_twice() -> str:
    given = getpass("Password: ")
    if getpass("Repeat: ") != given:
        raise typer.BadParameter("the two passwords differ", param_hint="password")
    return given
