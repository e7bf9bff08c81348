"""`passback history`: the audit log of a course: every PowerSchool write, with the values it replaced."""

from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from shared.domain.passback.audit import (
    ARRIVAL_TEXTS,
    AuditEntry,
    HistoryQuery,
    ScoreChange,
    actor_text,
    grader_text,
    matching,
    triggers_text,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.powerschool import WrittenField
from shared.domain.passback.student_status import sentence_of
from workers.cli.options import AssignmentId, Course, Since, StudentId, services, time_option
from workers.cli.terminal.output import JsonOption, emit, indented, local_time, private_file
from workers.grade_passback.operations.history import entry_json, write_csv
from workers.known_ids import require_course, require_selected

PAGE_SIZE = 100

FieldOption = Annotated[WrittenField | None, typer.Option("--field", help="Only writes of this field.")]
By = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Only what this person asked for; `passback`: by itself.")
]
Trigger = Annotated[ChangeCause | None, typer.Option("--trigger", help="Only writes of syncs with this cause.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only until this time.")]
Start = Annotated[int, typer.Option("--start", metavar="N", min=0, help="Leave out the newest N.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help=f"Entries; default {PAGE_SIZE}, with --json and --export all."),
]
Export = Annotated[Path | None, typer.Option("--export", metavar="FILE.csv", help="Write the entries to a CSV file.")]


def history(
    course: Course,
    assignment: AssignmentId = None,
    student: StudentId = None,
    field: FieldOption = None,
    by: By = None,
    trigger: Trigger = None,
    since: Since = None,
    until: Until = None,
    start: Start = 0,
    limit: Limit = None,
    export: Export = None,
    as_json: JsonOption = False,
) -> None:
    """Show every write to PowerSchool, the newest first: when, why, by whom, and the values it replaced."""
    with services() as service:
        require_course(service, course)
        times = (None if given is None else time_option(service, given) for given in (since, until))
        query = HistoryQuery(assignment, student, field, by, trigger, *times)
        record, zone = service.records.course(course), service.settings.district_time_zone or UTC
        found = matching(service.audit.of_course(course, query.since), query)
        is_text = export is None and not as_json
        last = start + (limit or PAGE_SIZE) if limit or is_text else None
        if export is not None:
            with private_file(export, newline="") as file:
                count = write_csv(file, islice(found, start, last), record)
                if not count:
                    require_selected(service, course, assignment, student)
            written = f"{count} {'entry' if count == 1 else 'entries'} written to {export}"
            emit({"course_id": course, "entries": count}, as_json, lambda _: written)
            return
        listed = list(islice(found, start, None if last is None else last + 1))
        if not listed:
            require_selected(service, course, assignment, student)
    size = len(listed) if last is None else last - start
    names = {each.assignment_id: each.name for each in record.assignments} if record else {}
    more = f"older entries: --start {last}" if len(listed) > size else ""
    data = {"course_id": course, "entries": [entry_json(entry) for entry in listed[:size]]}
    emit(data, as_json, lambda _: Group(*history_lines(listed[:size], names, zone), *([Text(more)] if more else [])))


def history_lines(entries: Sequence[AuditEntry], names: dict[str, str], zone: tzinfo) -> Iterator[RenderableType]:
    """Yield the entries for a person; `names` are the assignments' by id."""
    if not entries:
        yield Text("nothing was written")
    for entry in entries:
        at = local_time(entry.at, zone)
        yield Text(f"{at}, because of {triggers_text(entry)}, asked for by {actor_text(entry)}", style="bold")
        yield indented(_location(entry, names), 2)
        for line in (*_field_lines(entry), *(_score_line(s, entry) for s in entry.scores)):
            yield indented(line, 4)
        if entry.answer_lost:
            yield indented(ARRIVAL_TEXTS[entry.arrival], 4)


def _location(entry: AuditEntry, names: dict[str, str]) -> str:
    name = names.get(entry.assignment_id, "assignment")
    there = entry.powerschool_assignment_id or "unknown"
    return f"{name} ({entry.assignment_id}), section {entry.section_dcid}, PowerSchool assignment {there}: {entry.kind}"


def _field_lines(entry: AuditEntry) -> Iterator[str]:
    for field in entry.fields:
        before = "" if field.before is None else f"{_short(field.before) or 'nothing'} -> "
        yield f"{WrittenField(field.field).label}: {before}{_short(field.after or '') or 'nothing'}"


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 60 else f"{one_line[:57]}..."


def _score_line(score: ScoreChange, entry: AuditEntry) -> str:
    before, after = sentence_of(score.before, entry.points_possible), sentence_of(score.after, entry.points_possible)
    grader = grader_text(score.graded_by, {})
    suffix = f", graded by {grader}" if grader else ""
    return f"student {score.student_sis_id or f'DCID {score.student_dcid}'}: {before} -> {after}{suffix}"
