"""`passback purge`: deletes stored data. Without `--yes` it only counts what it would delete."""

import re
from collections.abc import Callable
from typing import Annotated

import typer

from shared.domain.actions import course_target
from shared.domain.passback.erasure import StudentIds
from workers.cli.options import Actor, emit_local, require_course_ids, services, time_option
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.container import Container
from workers.erasure import Erasure, ErasureResult
from workers.recorded_actions import RecordedActions

purge = typer.Typer(help="Delete stored data. Without --yes, only count what would be deleted.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", help="Delete it. Only a backup can restore it.")]
Courses = Annotated[list[str], typer.Argument(metavar="COURSE...", help="Canvas course ids.")]
SisId = Annotated[str, typer.Argument(metavar="SIS_ID", help="The student's SIS id, as Canvas has it.")]
Dcids = Annotated[
    list[int] | None, typer.Option("--dcid", metavar="N", help="STUDENTS.DCID, if the audit log does not have it.")
]
Before = Annotated[str, typer.Argument(metavar="T", help="A time such as 2031-03-04, or an age such as 365d.")]


@purge.command()
def course(courses: Courses, yes: Yes = False, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Delete courses: links, categories, states, audit log, dead letters. PowerSchool is not changed."""
    require_course_ids(*courses)
    target = course_target(courses[0]) if len(set(courses)) == 1 else "courses"
    with services() as service:
        erased = _erase(service, actor, target, yes, lambda e, who: e.courses(courses, who, dry_run=not yes))
    _end(erased, yes, as_json)


@purge.command()
def student(
    sis_id: SisId, dcid: Dcids = None, yes: Yes = False, actor: Actor = "", as_json: JsonOption = False
) -> None:
    """Delete a student from every course, then search for the id. The exit code is 1 if it is still found."""
    who = StudentIds(sis_id, frozenset(dcid or ()))
    with services() as service:
        erased = _erase(service, actor, "student", yes, lambda e, actor: e.student(who, actor, dry_run=not yes))
    _end(erased, yes, as_json)


@purge.command("older-than")
def older_than(before: Before, yes: Yes = False, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Delete audit entries, dead letters and stored messages from before a time."""
    with services() as service:
        at = time_option(service, before)
        erased = _erase(service, actor, "older_than", yes, lambda e, who: e.older_than(at, who, dry_run=not yes))
    _end(erased, yes, as_json)


@purge.command()
def everything(yes: Yes = False, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Delete the district: every key under the Redis prefix, the list of earlier purges included."""
    with services() as service:
        erased = service.erasure.everything(actor, dry_run=not yes)
    _end(erased, yes, as_json)


@purge.command("list")
def list_purges(as_json: JsonOption = False) -> None:
    """List earlier purges: when, by whom, and how much; not of whom."""
    with services() as service:
        emit_local(service, service.erasure_log.all(), as_json)


def _erase(
    service: Container, actor: str, scope: str, yes: bool, erase: Callable[[Erasure, str], ErasureResult]
) -> ErasureResult:
    return RecordedActions(service, actor).purge(scope, erase, is_recorded=yes)


def _end(result: ErasureResult, yes: bool, as_json: bool) -> None:
    data = {
        "purged": yes,
        "erased": dict(result.erased),
        "left_out": list(result.skipped),
        "still_in": dict(result.remaining_in),
    }
    emit(data, as_json, lambda _: _text(result, yes))
    raise typer.Exit(ExitCode.FINE if result.is_complete else ExitCode.PROBLEMS)


def _text(result: ErasureResult, yes: bool) -> str:
    verb = "erased" if yes else "would be erased"
    lines = [f"{_counted(count, what)} {verb}" for what, count in result.erased.items()] or ["nothing to erase"]
    lines += [f"course {course} is being synced and was left out: try again" for course in result.skipped]
    lines += [
        f"still in {count} keys {kind}: see deploy/guides/privacy.md" for kind, count in result.remaining_in.items()
    ]
    return "\n".join(lines if yes else [*lines, "nothing was done: add --yes"])


def _counted(count: int, kind: str) -> str:
    """Return the number with the kind of what is erased, whose first noun is in the plural: `1 audit entry`."""
    if count != 1:
        return f"{count} {kind}"
    parts = kind.split()
    noun = next(index for index, word in enumerate(parts) if word.endswith("s"))
    parts[noun] = re.sub("ies$", "y", parts[noun]).removesuffix("s")
    return f"1 {' '.join(parts)}"
