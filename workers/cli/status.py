"""Verbs about the installation: `status`, `courses`, `actions`, `doctor`, `alive`, `settings`, `password`."""

import sys
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from getpass import getpass
from typing import Annotated, Literal

import typer
from redis.exceptions import RedisError

from shared import config
from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import Heartbeats
from shared.domain.passback.course_search import CourseSearch
from shared.errors import NotFound
from workers.alerts import alerts_json
from workers.cli.district.selection import refuse_unknown_part
from workers.cli.docs import settings_env, settings_rows, settings_table
from workers.cli.options import School, Term, emit_local, fail, services
from workers.cli.terminal.error_text import explain_error
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.cli.terminal.status_text import actions_text, courses_text, status_text
from workers.doctor import CheckResult, run_checks
from workers.doctor.report import report
from workers.runtime.heartbeat import this_process
from workers.status import course_json, read_status, status_json

# Longer than the pages take to report a process as gone. Restarting a process that is only late would delay it more.
HEARTBEAT_TIMEOUT = timedelta(seconds=60)

ProcessKind = Annotated[
    Literal["web", "worker", "provisioning-worker", "beat", "flower", "sqs"],
    typer.Argument(help="Kind of process, as in `passback status`."),
]


def status(as_json: JsonOption = False) -> None:
    """Show what is wrong and what to do, then processes, queues, waiting courses, dead letters and the last event.

    The exit code is 1 if something is wrong.
    """
    with services() as service:
        read = read_status(service)
        found = {**status_json(read), "problems": alerts_json(read)}
        emit_local(service, found, as_json, status_text)
    raise typer.Exit(ExitCode.PROBLEMS if found["problems"] else ExitCode.FINE)


def courses(
    text: Annotated[
        str,
        typer.Argument(metavar="[WORDS]", help="Beginnings of words of a name, of a course id or a section's SIS id."),
    ] = "",
    problems: Annotated[bool, typer.Option("--problems", help="Only courses with problems, the most first.")] = False,
    school: School = None,
    term: Term = "",
    person: Annotated[
        str | None, typer.Option("--person", metavar="SIS_ID", help="Only of this teacher or student; asks Canvas.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Number of courses.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List courses, the last synced first: name, last sync, and what needs attention."""
    with services() as service:
        try:
            ids = None if person is None else service.canvas_account.courses_of(sis_id=person)
        except NotFound as error:
            fail(f"Canvas has no user with the SIS id {person} ({error}). Check the id.", ExitCode.USAGE)
        page = service.course_lists.page(CourseSearch(text, school, term, problems, ids), limit=limit)
        if not page.courses:
            refuse_unknown_part(service, school, term)
        listed = {"courses": [course_json(course) for course in page.courses], "more": page.next_start is not None}
        emit_local(service, listed, as_json, courses_text)


def actions(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Number of actions.")] = 50, as_json: JsonOption = False
) -> None:
    """List what people did on the pages, through the API and on the command line, the newest first."""
    with services() as service:
        emit_local(service, [asdict(each) for each in service.actions.newest(limit)], as_json, actions_text)


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, Redis, processes, Canvas and PowerSchool. Reads only; each problem names its fix."""
    with services() as service:
        checks = run_checks(service)
    emit([check.as_json() for check in checks], as_json, report)
    raise typer.Exit(ExitCode.PROBLEMS if any(check.verdict is CheckResult.FAIL for check in checks) else ExitCode.FINE)


def settings(
    env: Annotated[bool, typer.Option("--env", help="Print an environment file to fill in (.env.example).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every setting with its type, unit, default and meaning, as in deploy/guides/settings.md."""
    if as_json:
        emit(settings_rows(), as_json)
        return
    typer.echo(settings_env() if env else settings_table(), nl=not env)


def alive(kind: ProcessKind, as_json: JsonOption = False) -> None:
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
        emit({"process": kind, "alive": None, "why": why}, as_json, lambda _: f"{kind}: not known. {why}")
        return
    host = this_process(kind).rpartition(":")[0]
    is_alive = any(each.process.startswith(f"{host}:") and each.age <= HEARTBEAT_TIMEOUT for each in heartbeats)
    text = f"{kind}: alive" if is_alive else f"{kind}: not alive on this host"
    emit({"process": kind, "alive": is_alive}, as_json, lambda _: text)
    raise typer.Exit(ExitCode.FINE if is_alive else ExitCode.PROBLEMS)


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
