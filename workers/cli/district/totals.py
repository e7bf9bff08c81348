"""`passback totals`: why students' totals in Canvas and PowerSchool differ. Fits 80 columns."""

from collections.abc import Iterator, Mapping
from typing import cast

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from shared.domain.wording import counted
from workers.cli.options import Course, StudentId, emit_local, services
from workers.cli.terminal.output import ExitCode, JsonOption, indented, table_of
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.totals_json import totals_json
from workers.known_ids import require_course


def totals(course: Course, student: StudentId = None, as_json: JsonOption = False) -> None:
    """Show why students' totals in Canvas and PowerSchool differ, cause by cause. Reads both systems, stores nothing.

    The exit code is 2 if there is no such course or student.
    """
    with services() as service:
        require_course(service, course)
        found = totals_json(service.totals.read(course, student))
        emit_local(service, found, as_json, totals_text)
    raise typer.Exit(ExitCode.USAGE if student is not None and not found["students"] else ExitCode.FINE)


def totals_text(found: Json) -> Group:
    """Return the totals of one student line by line, those of several as a table."""
    students = cast("list[Json]", found["students"])
    head = Text(f"Course {found['course_id']}, read {found['read_at']}", style="bold")
    if not students:
        return Group(head, Text("\nno such student here"))
    if len({student["user_id"] for student in students}) == 1:
        return Group(head, *(part for student in students for part in _student(student)))
    return Group(head, *_course(students, cast("list[Json]", found["causes"])))


def _course(students: list[Json], causes: list[Json]) -> Iterator[RenderableType]:
    table = table_of(("student", "section"), ())
    for name in ("Canvas", "PowerSchool", "differs by", "not explained"):
        table.add_column(name, justify="right")
    for student in students:
        who = str(student["student_sis_id"] or f"Canvas user {student['user_id']}")
        if "canvas" not in student:
            table.add_row(who, "-", "-", "-", "-", "-")
            continue
        numbers = (_number(student["canvas"]), _number(student["powerschool"]), _difference(student))
        table.add_row(who, str(student["section_sis_id"]), *numbers, _number(student["unexplained"]))
    yield table
    yield Text("\nWhat makes the totals differ:" if causes else "\nThe totals do not differ.", style="bold")
    for cause in causes:
        yield indented(f"{cause['label']}: {counted(cast('int', cause['count']), 'student')}. {cause['advice']}")
    yield Text("\nOne student, step by step: passback totals COURSE --student SIS_ID")


def _student(student: Json) -> Iterator[RenderableType]:
    who = student["student_sis_id"] or f"with Canvas id {student['user_id']}"
    section = f", section {student['section_sis_id']}" if student["section_sis_id"] else ""
    yield Text(f"\nStudent {who}{section}", style="bold")
    if "canvas" not in student:
        yield indented(str(student["message"]))
        return
    yield Text(f"  {_number(student['canvas']):>8}  Canvas's total")
    steps = cast("list[Json]", student["steps"])
    effective = [step for step in steps if step["has_effect"]]
    for step in effective:
        about = f" {step['name']}:" if step["name"] else ""
        yield Text(f"  {_signed(step['change']):>8}  {step['label']}.{about}")
        yield Padding(Text(f"{step['sentence']}"), (0, 0, 0, 14))
    yield Text(f"  {_number(student['powerschool']):>8}  what PowerSchool's gradebook gives")
    term_grade = cast("Json", student["own_grade"])
    if term_grade["store_code"]:
        grade = term_grade["percent"] or term_grade["letter"]
        yield Text(f"  {grade!s:>8}  PowerSchool's own grade, {term_grade['store_code']}")
    yield indented(str(term_grade["sentence"]))
    for caveat in cast("list[str]", student["notes"]):
        yield indented(caveat)
    if without := [f"{step['name']} ({step['label']})" for step in steps if not step["has_effect"]]:
        yield indented(f"Also different, but without effect on the total: {', '.join(without)}.")
    advice: Mapping[object, object] = {step["label"]: step["advice"] for step in effective}
    if advice:
        yield Text("\n  What to do", style="bold")
    for label, text in advice.items():
        yield indented(f"{label}: {text}")


def _difference(student: Json) -> str:
    """Return by how much the totals differ; a dash where only one side has one: none is not 0."""
    is_on_one_side = (student["canvas"] is None) is not (student["powerschool"] is None)
    return "-" if is_on_one_side else _signed(student["difference"])


def _number(value: object) -> str:
    return "none" if value is None else str(value)


def _signed(change: object) -> str:
    text = str(change)
    return text if text.startswith("-") else f"+{text}"
