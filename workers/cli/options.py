"""What verbs share: arguments and options, who asks, and the services of this installation."""

import os
import pwd
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import RenderableType

from shared.adapters.telemetry.logging import configure_logging
from shared.config import load
from workers.cli.terminal.output import ExitCode, emit
from workers.container import Container


def require_course_ids(*courses: str) -> None:
    """End with a usage error if one is no Canvas course id."""
    if any(not (course.isascii() and course.isdecimal()) for course in courses):
        raise typer.BadParameter("COURSE is a Canvas course id, a number")


def _course_id(given: str) -> str:
    require_course_ids(given)
    return given


def _assignment_id(given: str | None) -> str | None:
    if given is not None and not (given.isascii() and given.isdecimal()):
        raise typer.BadParameter("is a Canvas assignment id, a number")
    return given


def _student_id(given: str | None) -> str | None:
    if given is not None and not given.strip():
        raise typer.BadParameter("is the SIS id of a student")
    return given


T = TypeVar("T")

_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

Course = Annotated[str, typer.Argument(metavar="COURSE", callback=_course_id, help="Canvas course id.")]
AssignmentId = Annotated[
    str | None,
    typer.Option("--assignment", metavar="ID", callback=_assignment_id, help="Only this Canvas assignment."),
]
StudentId = Annotated[
    str | None, typer.Option("--student", metavar="SIS_ID", callback=_student_id, help="Only this student.")
]
Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        metavar="NAME",
        callback=lambda given: given or person(),
        help="Who asks, for Actions and the history. Default: your login, also behind sudo.",
    ),
]

School = Annotated[int | None, typer.Option("--school", metavar="N", min=0, help="Only of this school number.")]
Term = Annotated[
    str, typer.Option("--term", metavar="TERM", help="Only of this school year, such as 2026-27, or term, as listed.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only since this time: 2031-03-04T09:00, 2h, 3d.")
]
UnlessSince = Annotated[
    str | None,
    typer.Option("--unless-since", metavar="TIME", help="Leave out courses done since then: 2031-03-04T09:00, 2h."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without a question, as scripts must.")]


def confirm(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone; the question says how much it concerns.

    Without `--yes` and without somebody at a terminal, nothing is done and the exit code is 2.
    """
    if yes:
        return
    if not is_interactive():
        fail(f"{question} Nothing was done: add --yes to do it without a question", ExitCode.USAGE)
    if not typer.confirm(f"{question} Continue?", err=True):
        fail("nothing was done")


def is_interactive() -> bool:
    """Say whether somebody at a terminal can answer a question."""
    return sys.stdin.isatty()


@contextmanager
def services() -> Iterator[Container]:
    """Yield the services of this installation, and close them. Logs go to standard error."""
    settings = load()
    # A command prints its result, or one sentence. That a system is asked again is of interest to who debugs it.
    quiet = settings if settings.log_level == "DEBUG" else settings.model_copy(update={"log_level": "ERROR"})
    configure_logging(quiet)
    with closing(Container(settings)) as service:
        yield service


def emit_local(service: Container, data: T, as_json: bool, text: Callable[[T], RenderableType] | None = None) -> None:
    """Print `data` as `emit` does, with times in the district's time zone."""
    emit(data, as_json, text, zone=service.settings.district_time_zone)


def fail(message: object, code: ExitCode = ExitCode.PROBLEMS) -> NoReturn:
    """Print the message to standard error and end with the exit code."""
    typer.echo(f"passback: {message}", err=True)
    raise typer.Exit(code) from None


def time_option(service: Container, given: str) -> datetime:
    """Return the time of an option: ISO 8601, in the district's time zone without an offset, or an age such as `2h`."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", given)
    if ago:
        return service.clock.now() - int(ago[1]) * _UNITS[ago[2]]
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter("is no time such as 2031-03-04T09:00 and no duration such as 2h") from None
    return at if at.tzinfo else at.replace(tzinfo=service.settings.district_time_zone or UTC)


def person() -> str:
    """Return the login of the person who runs this command, for Actions and the history.

    `sudo` names the person in SUDO_USER. `su` and service accounts keep the login of the session, which `logname`
    prints. The account of the process counts only where there is no other: a timer, a container, a direct login.
    """
    account = _account()
    logins = [login for login in (os.environ.get("SUDO_USER", ""), _session_login()) if login]
    people = [login for login in logins if login not in (account, "root")]
    return next(iter([*people, *(login for login in logins if login != account)]), account)


def _session_login() -> str:
    try:
        return os.getlogin()
    except OSError:
        # No session: a timer, a container.
        return ""


def _account() -> str:
    user_id = os.geteuid()
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        # Some containers run under a number that has no name.
        return f"user {user_id}"
