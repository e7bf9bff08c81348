"""What verbs share: arguments and options, who asks, and the services of this installation."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Annotated, NoReturn

import typer

from shared.adapters.telemetry.logging import configure_logging
from shared.config import ConfigurationError, load
from workers.cli.terminal.output import ExitCode
from workers.cli.terminal.person import person
from workers.cli.terminal.times import parse_time
from workers.container import Container
from workers.grade_passback.course_reader import refuse_unknown_course


def require_course_ids(*courses: str) -> None:
    """End with a usage error if one is no Canvas course id."""
    if any(not (course.isascii() and course.isdecimal()) for course in courses):
        raise typer.BadParameter("COURSE is a Canvas course id, a number")


def _course_id(given: str) -> str:
    require_course_ids(given)
    return given


Course = Annotated[str, typer.Argument(metavar="COURSE", callback=_course_id, help="Canvas course id.")]
AssignmentId = Annotated[str | None, typer.Option("--assignment", metavar="ID", help="Only this Canvas assignment.")]
StudentId = Annotated[str | None, typer.Option("--student", metavar="SIS_ID", help="Only this student.")]
Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        metavar="NAME",
        callback=lambda given: given or person(),
        help="Who asks, for Actions and the history. Default: your login, also behind sudo.",
    ),
]

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


def fail(message: object, code: ExitCode = ExitCode.PROBLEMS) -> NoReturn:
    """Print the message to standard error and end with the exit code."""
    typer.echo(f"passback: {message}", err=True)
    raise typer.Exit(code) from None


def refuse_unknown(service: Container, course: str) -> None:
    """Raise `CourseGone` for a course of which nothing is stored and that Canvas does not have.

    Where Canvas cannot be asked, nothing is refused.
    """
    if service.records.course(course) is not None:
        return
    with suppress(ConfigurationError):
        refuse_unknown_course(service.canvas.check_course, service.records, course)


def time_option(service: Container, given: str) -> datetime:
    """Return the time of an option: ISO 8601, in the district's time zone without an offset, or an age such as `2h`."""
    return parse_time(given, service.clock.now(), service.settings.district_time_zone)
