"""`passback history`: the audit log of a course: every PowerSchool write, with the values it replaced."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from shared.domain.passback.audit import AuditEntry, ScoreChange, entries_about
from shared.domain.passback.powerschool import Score
from shared.domain.passback.student_status import sentence_of
from workers.cli.options import AssignmentId, Course, StudentId, refuse_unknown, services, time_option
from workers.cli.terminal.output import JsonOption, emit, private_file
from workers.cli.terminal.printable import printable
from workers.grade_passback.operations.audit_json import entry_json

COLUMNS = (
    "at", "course_id", "assignment_id", "section_dcid", "powerschool_assignment_id",
    "powerschool_assignment_section_id", "kind", "causes", "actor", "token",
    "student_dcid", "student_sis_id", "field", "before", "after", "answer_lost",
)  # fmt: skip
RESPONSE_LOST = "answer lost: PowerSchool has it or not"
# A spreadsheet runs text that begins so; a name in Canvas may.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")

Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only since this time: 2031-03-04, 2h, 3d.")]
Export = Annotated[Path | None, typer.Option("--export", metavar="FILE.csv", help="Write the entries to a CSV file.")]


def history(
    course: Course,
    assignment: AssignmentId = None,
    student: StudentId = None,
    since: Since = None,
    export: Export = None,
    as_json: JsonOption = False,
) -> None:
    """Show every write to PowerSchool, the newest first: when, why, by whom, and the values it replaced."""
    with services() as service:
        refuse_unknown(service, course)
        entries = service.audit.of_course(course, None if since is None else time_option(service, since))
        found = entries_about(entries, assignment, student)
        if export is not None:
            count = _export(found, export)
            emit({"course_id": course, "entries": count}, as_json, lambda _: f"{count} entries written to {export}")
            return
        listed = list(found)
    data = {"course_id": course, "entries": [entry_json(entry) for entry in listed]}
    emit(data, as_json, lambda _: Group(*_lines(listed)))


def _lines(entries: list[AuditEntry]) -> Iterator[RenderableType]:
    if not entries:
        yield Text("nothing was written")
    for entry in entries:
        causes = ", ".join(entry.occasion.causes)
        lost = f", {RESPONSE_LOST}" if entry.answer_lost else ""
        by = f"by {entry.occasion.actor} ({causes})"
        yield Text(f"{entry.at:%Y-%m-%d %H:%M:%S} UTC {entry.kind} {by}{lost}", style="bold")
        yield Padding(Text(_location(entry)), (0, 0, 0, 2))
        for line in (*_field_lines(entry), *(_score_line(s, entry) for s in entry.scores)):
            yield Padding(Text(line), (0, 0, 0, 4))


def _location(entry: AuditEntry) -> str:
    there = entry.powerschool_assignment_id or "unknown"
    return f"Canvas assignment {entry.assignment_id}, section {entry.section_dcid}, PowerSchool assignment {there}"


def _field_lines(entry: AuditEntry) -> Iterator[str]:
    for field in entry.fields:
        before = "" if field.before is None else f"{_short(field.before)} -> "
        yield f"{field.field}: {before}{_short(field.after or '')}"


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 60 else f"{one_line[:57]}..."


def _score_line(score: ScoreChange, entry: AuditEntry) -> str:
    before, after = sentence_of(score.before, entry.points_possible), sentence_of(score.after, entry.points_possible)
    return f"student {score.student_sis_id or f'DCID {score.student_dcid}'}: {before} -> {after}"


def _export(entries: Iterable[AuditEntry], path: Path) -> int:
    """Write a row per changed field or value; only this user may read it. Returns how many entries."""
    count = 0
    with private_file(path, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for entry in entries:
            count += 1
            writer.writerows(_rows(entry))
    return count


def _rows(entry: AuditEntry) -> Iterator[list[object]]:
    occasion = entry.occasion
    head: list[object] = [
        entry.at.isoformat(), entry.course_id, entry.assignment_id, entry.section_dcid,
        entry.powerschool_assignment_id, entry.powerschool_assignment_section_id,
        entry.kind, " ".join(occasion.causes), _safe(occasion.actor), occasion.token,
    ]  # fmt: skip
    for field in entry.fields:
        yield [*head, "", "", field.field, _safe(field.before or ""), _safe(field.after or ""), entry.answer_lost]
    for score in entry.scores:
        before, after = _values(score.before), _values(score.after)
        changed = [name for name in before if before[name] != after[name]] or ["points"]
        for name in changed:
            sis_id = _safe(score.student_sis_id or "")
            yield [*head, score.student_dcid, sis_id, name, before[name], after[name], entry.answer_lost]


def _values(score: Score | None) -> dict[str, object]:
    if score is None:
        return {"points": "", "missing": False, "exempt": False}
    return {"points": "" if score.points is None else score.points, "missing": score.missing, "exempt": score.exempt}


def _safe(text: str) -> str:
    text = printable(text)
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text
