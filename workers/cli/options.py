"""What verbs share: arguments and options, who asks, and the services of this installation."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Annotated, NoReturn

import typer
from redis.exceptions import RedisError

from shared.adapters.telemetry.logging import configure_logging
from shared.config import load
from workers.cli.person import person
from workers.cli.terminal.output import ExitCode
from workers.cli.terminal.time_parsing import parse_time
from workers.container import Container

Course = Annotated[str, typer.Argument(metavar="COURSE", help="Canvas course id.")]
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


def open_services() -> Container:
    """Return the services of this installation. Logs go to standard error, apart from what a verb prints."""
    settings = load()
    configure_logging(settings)
    return Container(settings)


@contextmanager
def services(*errors: type[Exception]) -> Iterator[Container]:
    """Yield the services and close them; one of the errors, or an error of Redis, ends with a sentence and code 1."""
    with closing(open_services()) as service:
        try:
            yield service
        except errors as error:
            fail(error)
        except RedisError as error:
            fail(f"Redis does not answer ({type(error).__name__}); check PASSBACK_REDIS_URL")


def fail(message: object, code: ExitCode = ExitCode.PROBLEMS) -> NoReturn:
    """Print the message to standard error and end with the exit code."""
    typer.echo(f"passback: {message}", err=True)
    raise typer.Exit(code) from None


def require_course_ids(*courses: str) -> None:
    """End with a usage error if one is no Canvas course id."""
    if any(not course.isdecimal() for course in courses):
        raise typer.BadParameter("COURSE is a Canvas course id, a number")


def time_option(service: Container, given: str) -> datetime:
    """Return the time of an option: ISO 8601, in the district's time zone without an offset, or an age such as `2h`."""
    return parse_time(given, service.clock.now(), service.settings.district_time_zone)
