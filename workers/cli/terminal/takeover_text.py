"""The text of `passback takeover`: what is linked and overwritten, and what stays apart. Fits 80 columns."""

from collections.abc import Iterator
from typing import cast

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from shared.domain.passback.rules.apart import Apart
from shared.domain.wording import counted
from workers.cli.terminal.plan_text import student_text
from workers.grade_passback.explain.response import Json


def plan_text(plan: Json) -> Group:
    """Return the takeover of one course as lines that wrap. Students have their ids."""
    head = Text(f"Course {plan['course_id']}: {plan['summary']}", style="bold")
    candidates, taken_over = _list(plan["candidates"]), _list(plan["taken_over"])
    parts: list[RenderableType] = [line for each in candidates for line in _candidate(each)]
    if not candidates:
        parts.append(Text("No assignment in PowerSchool waits for a takeover here."))
    if taken_over:
        can_undo = sum(bool(each["can_undo"]) for each in taken_over)
        parts.append(Text(f"\n{counted(len(taken_over), 'assignment')} taken over so far; {can_undo} can be undone."))
    return Group(head, *parts)


def undo_text(result: Json) -> Group:
    """Return what an undo did."""
    undone, written = _list(result["undone"]), _list(result["written"])
    lines = [Text(f"Course {result['course_id']}: {counted(len(undone), 'assignment')} given back.", style="bold")]
    lines += [Text(f"Passback has written to {each['name']} ({each['assignment_id']}): it stays.") for each in written]
    return Group(*lines)


def run_text(run: Json) -> Group:
    """Return how a takeover of many courses ended."""
    counts = cast("dict[str, dict[str, int]]", run["counts"])
    state = str(run["state"]).replace("_", " ")
    lines: list[RenderableType] = [
        Text(f"{run['done']} of {run['total']} courses, {state}: {run['summary']}", style="bold")
    ]
    if run["message"]:
        lines.append(Text(str(run["message"])))
    if counts["makers"]:
        makers = ", ".join(f"{maker} ({number})" for maker, number in sorted(counts["makers"].items()))
        lines.append(Text(f"Made by: {makers}"))
    for code, number in sorted(counts["apart"].items()):
        reason = Apart(code)
        lines.append(_indented(f"{number} {code}: {reason.message} {reason.remedy}", 2))
    issues = _list(run["notes"])
    for issue in issues:
        what = str(issue["error"]) or f"{issue['apart']} apart"
        lines.append(_indented(f"course {issue['course_id']}: {what}", 2))
    if run["more_notes"]:
        lines.append(_indented(f"and {counted(cast('int', run['more_notes']), 'course')} more", 2))
    return Group(*lines)


def _candidate(candidate: Json) -> Iterator[RenderableType]:
    yield Text(f"\n{candidate['name']} ({candidate['assignment_id']}), section {candidate['section_sis_id']}", "bold")
    for there in _list(candidate["powerschool"]):
        yield _indented(
            f"in PowerSchool: {there['name']}, due {there['due_date']}, {there['points']} points, made by "
            f"{there['made_by']} (assignment section {there['assignment_section_id']})",
            2,
        )
    for reason in _list(candidate["apart"]):
        yield _indented(f"stays apart, {reason['code']}: {reason['message']} {reason['remedy']}", 2)
    for change in _list(candidate["fields"]):
        yield _indented(f"{change['field']}: {change['before'] or 'nothing'} → {change['after'] or 'nothing'}", 4)
    points = cast("str | None", candidate["points"])
    for student in _list(candidate["students"]):
        yield _indented(student_text(student, cast("str | None", candidate["points_before"]), points), 4)
    if candidate["scores_equal"]:
        yield _indented(f"{counted(cast('int', candidate['scores_equal']), 'score')} in PowerSchool as in Canvas", 4)
    if candidate["scores_only_there"]:
        number = counted(cast("int", candidate["scores_only_there"]), "score")
        yield _indented(f"{number} that Canvas does not have: not touched", 4)
    for reason in _list(candidate["held_back"]):
        yield _indented(f"nothing is written for now, {reason['code']}: {reason['message']} {reason['remedy']}", 4)


def _list(value: object) -> list[Json]:
    return cast("list[Json]", value)


def _indented(text: str, columns: int) -> Padding:
    return Padding(Text(text), (0, 0, 0, columns))
