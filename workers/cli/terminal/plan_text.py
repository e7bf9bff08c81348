"""What `sync --dry-run` and `takeover` would do, and why. Fits 80 columns."""

from collections.abc import Iterator
from typing import cast

from rich.console import Group, RenderableType
from rich.text import Text

from shared.domain.passback.rules.apart import Apart
from shared.domain.wording import counted
from workers.cli.terminal.output import indented
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
    yield indented(f"{label}: {' '.join(cast('list[str]', section['would']))}", 2)
    for change in cast("list[Json]", section["fields"]):
        yield indented(f"{change['field']}: {change['before'] or 'nothing'} → {change['after'] or 'nothing'}", 4)
    for reason in cast("list[Json]", section["reasons"]):
        yield indented(f"{reason['code']}: {reason['message']} {reason['remedy']}", 4)
    for student in cast("list[Json]", section["students"]):
        yield indented(student_text(student, cast("str | None", section["points_before"]) or points, points), 4)
    if section["scores_equal"]:
        yield indented(f"{counted(cast('int', section['scores_equal']), 'score')} in PowerSchool as in Canvas", 4)


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


def takeover_plan_text(plan: Json) -> Group:
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
        lines.append(indented(f"{number} {code}: {reason.message} {reason.remedy}", 2))
    issues = _list(run["notes"])
    for issue in issues:
        what = str(issue["error"]) or f"{issue['apart']} apart"
        lines.append(indented(f"course {issue['course_id']}: {what}", 2))
    if run["more_notes"]:
        lines.append(indented(f"and {counted(cast('int', run['more_notes']), 'course')} more", 2))
    return Group(*lines)


def _candidate(candidate: Json) -> Iterator[RenderableType]:
    yield Text(f"\n{candidate['name']} ({candidate['assignment_id']}), section {candidate['section_sis_id']}", "bold")
    for there in _list(candidate["powerschool"]):
        yield indented(
            f"in PowerSchool: {there['name']}, due {there['due_date']}, {there['points']} points, made by "
            f"{there['made_by']} (assignment section {there['assignment_section_id']})",
            2,
        )
    for reason in _list(candidate["apart"]):
        yield indented(f"stays apart, {reason['code']}: {reason['message']} {reason['remedy']}", 2)
    for change in _list(candidate["fields"]):
        yield indented(f"{change['field']}: {change['before'] or 'nothing'} → {change['after'] or 'nothing'}", 4)
    points = cast("str | None", candidate["points"])
    for student in _list(candidate["students"]):
        yield indented(student_text(student, cast("str | None", candidate["points_before"]), points), 4)
    if candidate["scores_equal"]:
        yield indented(f"{counted(cast('int', candidate['scores_equal']), 'score')} in PowerSchool as in Canvas", 4)
    if candidate["scores_only_there"]:
        number = counted(cast("int", candidate["scores_only_there"]), "score")
        yield indented(f"{number} that Canvas does not have: not touched", 4)
    for reason in _list(candidate["held_back"]):
        yield indented(f"nothing is written for now, {reason['code']}: {reason['message']} {reason['remedy']}", 4)


def _list(value: object) -> list[Json]:
    return cast("list[Json]", value)
