"""The verbs of `passback purge`: erasing what is remembered. Without `--yes` they say what they would erase."""

from typing import Annotated

import typer

from shared.domain.passback.erasure import StudentIds
from workers.cli.services import open_services
from workers.cli.sync import Actor, system_user
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.cli.terminal.time_parsing import parse_time
from workers.container import Container
from workers.erasure import Erasure, ErasureResult, SyncsRunning

purge = typer.Typer(help="Erase what is remembered; without --yes, say what would be.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", help="Erase it. There is no way back but a backup.")]
Courses = Annotated[list[str], typer.Argument(metavar="COURSE...", help="Canvas course ids.")]
SisId = Annotated[str, typer.Argument(metavar="SIS_ID", help="The student's SIS id, as Canvas has it.")]
Dcids = Annotated[list[int] | None, typer.Option("--dcid", metavar="N", help="STUDENTS.DCID, if not in the audit.")]
Before = Annotated[str, typer.Argument(metavar="T", help="A time such as 2031-03-04, or an age such as 365d.")]


@purge.command()
def course(courses: Courses, yes: Yes = False, actor: Actor = None, as_json: JsonOption = False) -> None:
    """Erase courses: links, categories, records, audit, dead letters. What is in PowerSchool stays there."""
    if any(not each.isdecimal() for each in courses):
        raise typer.BadParameter("COURSE is a Canvas course id, a number")
    purged = _erase().courses(courses, actor or system_user(), dry_run=not yes)
    _end(purged, yes, as_json)


@purge.command()
def student(
    sis_id: SisId, dcid: Dcids = None, yes: Yes = False, actor: Actor = None, as_json: JsonOption = False
) -> None:
    """Erase a student from every course, then search for the id; the exit code is 1 if it still stands somewhere."""
    who = StudentIds(sis_id, frozenset(dcid or ()))
    purged = _erase().student(who, actor or system_user(), dry_run=not yes)
    _end(purged, yes, as_json)


@purge.command("older-than")
def older_than(before: Before, yes: Yes = False, actor: Actor = None, as_json: JsonOption = False) -> None:
    """Erase audit entries, dead letters and kept messages from before a moment."""
    service = open_services()
    moment = parse_time(before, service.clock.now(), service.settings.district_time_zone)
    purged = _erase(service).older_than(moment, actor or system_user(), dry_run=not yes)
    _end(purged, yes, as_json)


@purge.command()
def everything(yes: Yes = False, actor: Actor = None, as_json: JsonOption = False) -> None:
    """Erase the district: every key under the prefix of the settings, notes of earlier purges included."""
    try:
        purged = _erase().everything(actor or system_user(), dry_run=not yes)
    except SyncsRunning as error:
        typer.echo(f"passback: {error}", err=True)
        raise typer.Exit(ExitCode.PROBLEMS) from None
    _end(purged, yes, as_json)


@purge.command("list")
def list_purges(as_json: JsonOption = False) -> None:
    """List the purges there were: when, by whom, and how much; not of whom."""
    emit(open_services().erasure_log.all(), as_json)


def _erase(service: Container | None = None) -> Erasure:
    return (service or open_services()).erasure


def _end(purged: ErasureResult, yes: bool, as_json: bool) -> None:
    told = {
        "purged": yes,
        "erased": dict(purged.erased),
        "left_out": list(purged.left_out),
        "still_in": dict(purged.still_in),
    }
    emit(told, as_json, lambda _: _text(purged, yes))
    raise typer.Exit(ExitCode.FINE if purged.is_whole else ExitCode.PROBLEMS)


def _text(purged: ErasureResult, yes: bool) -> str:
    verb = "erased" if yes else "would be erased"
    lines = [f"{count} {what} {verb}" for what, count in purged.erased.items()] or ["nothing to erase"]
    lines += [f"course {course} is being synced and was left out: try again" for course in purged.left_out]
    lines += [f"still in {count} keys {kind}: see deploy/guides/privacy.md" for kind, count in purged.still_in.items()]
    return "\n".join(lines if yes else [*lines, "nothing was done: add --yes"])
