"""`passback readiness`: what would keep grades back, before anything is graded, and who can mend it."""

import time
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from shared.domain.passback.readiness.findings import ReadinessRun
from shared.domain.passback.rules.reasons import Actor as Mender
from shared.domain.wording import counted
from workers.cli.district.progress import ProgressLine, cancellable
from workers.cli.options import Actor, School, Term, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit, indented, local_time, private_file
from workers.container import Container
from workers.doctor import system_findings
from workers.grade_passback.readiness.report import (
    ListedFinding,
    ReadinessQuery,
    ReadinessReport,
    readiness_report,
    write_readiness_csv,
)
from workers.recorded_actions import RecordedActions

# As many findings are printed; --json and --export have all.
MAX_SHOWN = 50
POLL_S = 1.0
# A system that is away for longer ends the command. A worker goes on with the check.
MAX_AWAY_S = 60.0

Teacher = Annotated[
    str, typer.Option("--teacher", metavar="ID", help="Only of this lead teacher: SIS id or USERS.DCID.")
]
Who = Annotated[Mender | None, typer.Option("--who", help="Only what this one can mend.")]
Code = Annotated[str, typer.Option("--code", metavar="CODE", help="Only this reason.")]
Now = Annotated[bool, typer.Option("--now", help="Check the district now, or go on with a check, and wait for it.")]
Export = Annotated[
    Path | None, typer.Option("--export", metavar="FILE.csv", help="Write the findings by school and teacher.")
]


def readiness(
    school: School = None,
    term: Term = "",
    teacher: Teacher = "",
    who: Who = None,
    code: Code = "",
    now: Now = False,
    export: Export = None,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Show what would keep grades back, by the newest check of the district; without one, check it now.

    The exit code is 0 only if everything was checked and nothing that is selected needs mending, and 2 for a school,
    term, teacher or reason that the check does not know.
    """
    with services() as service:
        if now or service.readiness.run() is None:
            RecordedActions(service, actor).check_readiness()
            _finish(service)
        query = ReadinessQuery(school, term, teacher, who, code)
        report = readiness_report(service.readiness, query)
        zone = service.settings.district_time_zone
    if report.unknown:
        raise typer.BadParameter(" ".join(each[0].lower() + each[1:] for each in report.unknown))
    if export is None:
        is_part = query != ReadinessQuery()
        emit(report.as_json(), as_json, lambda _: _text(report, zone, is_part=is_part))
    else:
        with private_file(export, newline="") as file:
            count = write_readiness_csv(file, report.findings)
        written = f"{counted(count, 'finding')} written to {export}"
        emit({"findings": count, "ready": report.is_ready}, as_json, lambda _: written)
    raise typer.Exit(ExitCode.FINE if report.is_ready else ExitCode.PROBLEMS)


def _finish(service: Container) -> None:
    """Go on with the check until it is finished, or is cancelled, or a system is away for too long."""
    check, line = service.readiness_check, ProgressLine()
    with cancellable() as cancelled:

        def has_to_stop() -> bool:
            line.show(_progress(service.readiness.run()))
            return cancelled.is_set()

        done, away_since = -1, time.monotonic()
        while not cancelled.is_set():
            run = check.advance(lambda: system_findings(service), has_to_stop, cancelled.is_set)
            if run is not None and run.finished_at is not None:
                break
            stored = service.readiness.run()
            if stored is None or stored.finished_at is not None:
                break
            if stored.done > done or not stored.waits_for:
                done, away_since = stored.done, time.monotonic()
            if stored.waits_for and (not stored.done or time.monotonic() - away_since > MAX_AWAY_S):
                break
            time.sleep(POLL_S)
    line.end()


def _progress(run: ReadinessRun | None) -> str:
    if run is None or not run.is_prepared:
        return "reading the lists of the district"
    return f"{run.done} of {counted(run.courses, 'course')} read"


def _text(report: ReadinessReport, zone: tzinfo | None, *, is_part: bool) -> RenderableType:
    lines = [*_head(report, zone, is_part=is_part), *map(_finding, report.findings[:MAX_SHOWN])]
    more = len(report.findings) - MAX_SHOWN
    if more > 0:
        lines.append(Text(f"and {counted(more, 'finding')} more: --export FILE.csv, or --json"))
    return Group(*lines)


def _head(report: ReadinessReport, zone: tzinfo | None, *, is_part: bool) -> Iterator[RenderableType]:
    run, waits_for = report.run, report.waits_for
    assert run is not None
    at = local_time(run.started_at, zone)
    if run.finished_at is None:
        yield Text(f"Check of {at} by {run.actor}: {_progress(run)}; it is not finished.", style="bold")
    else:
        yield Text(f"Checked {counted(run.courses, 'course')}, {at}.", style="bold")
    if waits_for is not None:
        state = "It waits" if run.finished_at is None else "It ended before everything was read"
        yield Text(f"{state}: {waits_for.meaning} {waits_for.fix}", style="bold red")
    for system in report.systems:
        yield Text(f"{system.check}: {system.found}", style="bold red")
        yield indented(system.fix)
    for sentence in report.not_checked:
        yield Text(f"Not checked: {sentence}", style="yellow")
    for course in report.unread[:MAX_SHOWN]:
        yield Text(f"course {course.course_id} could not be read ({course.unread})", style="yellow")
    grades = sum(1 for each in report.findings if each.finding.grades)
    if report.is_ready:
        selected = "Nothing of what is selected" if is_part else "Nothing"
        yield Text(f"{selected} would keep grades back.", style="green")
    elif report.findings:
        yield Text(f"{counted(len(report.findings), 'finding')}, {grades} of them with work that would not be sent")


def _finding(listed: ListedFinding) -> RenderableType:
    f = listed.finding
    parts: list[tuple[str, object]] = [
        ("school", f.school_number or ""), ("teacher", listed.teacher_sis_id or f.teacher_users_dcid or ""),
        ("course", f.course_id), ("assignment", ", ".join(f.assignment_ids[:3])), ("group", f.group_id),
    ]  # fmt: skip
    where = ", ".join(f"{name} {value}" for name, value in parts if value)
    held = f" {counted(f.grades, 'grade')}." if f.grades else ""
    return Group(
        Text(f"{where or 'district'}:{held} {f.message}"),
        Padding(Text(f"{f.who.replace('_', ' ')}: {f.remedy}", style="dim"), (0, 0, 0, 2)),
    )
