"""The text of `passback sync COURSE --dry-run`: every assignment, what would be done and why. Fits 80 columns."""

from collections.abc import Iterator
from typing import cast

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from shared.domain.wording import counted
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.preview import ScoreAction, score_text


def plan_text(plan: Json) -> Group:
    """Return a preview as lines that wrap. Students have their ids; the page adds names."""
    assignments = cast("list[Json]", plan["assignments"])
    head = Text(f"Course {plan['course_id']}: {plan['summary']}", style="bold")
    if not assignments:
        return Group(head, Text("no such assignment here"))
    return Group(head, *(line for assignment in assignments for line in _assignment(assignment)))


def _assignment(assignment: Json) -> Iterator[RenderableType]:
    yield Text(f"\n{assignment['name']} ({assignment['assignment_id']})", style="bold")
    for section in cast("list[Json]", assignment["sections"]):
        yield from _section(section, cast("str | None", assignment["points_possible"]))


def _section(section: Json, points: str | None) -> Iterator[RenderableType]:
    label = f"section {section['section_sis_id'] or 'without a SIS id'}"
    yield _indented(f"{label}: {' '.join(cast('list[str]', section['would']))}", 2)
    for change in cast("list[Json]", section["fields"]):
        yield _indented(f"{change['field']}: {change['before'] or 'nothing'} → {change['after'] or 'nothing'}", 4)
    for reason in cast("list[Json]", section["reasons"]):
        yield _indented(f"{reason['code']}: {reason['message']} {reason['remedy']}", 4)
    for student in cast("list[Json]", section["students"]):
        yield _indented(student_text(student, cast("str | None", section["points_before"]) or points, points), 4)
    if section["scores_equal"]:
        yield _indented(f"{counted(cast('int', section['scores_equal']), 'score')} in PowerSchool as in Canvas", 4)


def student_text(student: Json, points_before: str | None, points: str | None) -> str:
    """Return one student of a preview: the id, the score before and after, or why it is held."""
    sis_id = student["student_sis_id"]
    who = f"student {sis_id}" if sis_id else f"student with Canvas id {student['user_id']}"
    before = score_text(cast("Json | None", student["before"]), points_before)
    if student["do"] == ScoreAction.HOLD:
        return f"{who}: {student['code']}: {student['message']}"
    if student["do"] == ScoreAction.NOTHING:
        return f"{who}: {before}"
    return f"{who}: {before} → {score_text(cast('Json | None', student['after']), points)}"


def _indented(text: str, columns: int) -> Padding:
    return Padding(Text(text), (0, 0, 0, columns))
