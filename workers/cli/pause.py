"""The verbs `pause` and `resume`: everything, provisioning, or one course."""

from enum import StrEnum
from typing import Annotated

import structlog
import typer

from shared.domain.pauses import EVERYTHING, PROVISIONING, course_target
from shared.log_events import LogEvent
from workers.cli.services import open_services
from workers.cli.sync import Actor, system_user

log = structlog.get_logger()


class What(StrEnum):
    """What can be held back."""

    PASSBACK = EVERYTHING
    PROVISIONING = PROVISIONING
    COURSE = "course"


Target = Annotated[What, typer.Argument(metavar="[passback|provisioning|course]")]
CourseId = Annotated[str | None, typer.Argument(metavar="[COURSE]", help="The Canvas course id, after `course`.")]


def pause(
    what: Target = What.PASSBACK,
    course: CourseId = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for others to read.")] = "",
    actor: Actor = None,
) -> None:
    """Hold everything, provisioning or one course back. Changes are collected; what runs right now ends first."""
    service, target, who = open_services(), _target(what, course), actor or system_user()
    if not service.pauses.pause(target, who, reason):
        typer.echo(f"{target} is paused already")
        return
    log.info(LogEvent.PAUSED, target=target, actor=who)
    typer.echo(f"{target} is paused; `passback resume` lets it go on")


def resume(what: Target = What.PASSBACK, course: CourseId = None, actor: Actor = None) -> None:
    """Let go on what was paused."""
    service, target, who = open_services(), _target(what, course), actor or system_user()
    if not service.pauses.resume(target):
        typer.echo(f"{target} is not paused")
        return
    log.info(LogEvent.RESUMED, target=target, actor=who)
    typer.echo(f"{target} goes on")


def _target(what: What, course: str | None) -> str:
    """Return the target; ends with a usage error if a course's id is missing or out of place."""
    if (what is What.COURSE) != (course is not None):
        raise typer.BadParameter("name one course: `course COURSE`" if course is None else "only `course` takes an id")
    if course is None:
        return what.value
    if not course.isdecimal():
        raise typer.BadParameter("COURSE is a Canvas course id, a number")
    return course_target(course)
