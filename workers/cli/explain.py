"""`passback explain`: whether each assignment is in PowerSchool, and the reasons if not. Fits 80 columns."""

from collections.abc import Iterator
from typing import cast

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from shared.domain.passback.rules.reasons import Reason
from shared.domain.passback.student_status import StudentStatus
from shared.domain.wording import counted
from workers.cli.options import AssignmentId, Course, StudentId, emit_local, services
from workers.cli.terminal.output import ExitCode, JsonOption, indented
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.known_ids import require_course


def explain(
    course: Course, assignment: AssignmentId = None, student: StudentId = None, as_json: JsonOption = False
) -> None:
    """Show whether each assignment is in PowerSchool, and the reasons if not.

    If Canvas or PowerSchool does not respond, the state of the last sync is shown, and the exit code is 1. It is 2 if
    there is no such course, assignment or student.
    """
    with services() as service:
        require_course(service, course)
        explanation = service.explainer.explain(ExplainQuery(course, assignment, student))
        emit_local(service, explanation, as_json, explanation_text)
    raise typer.Exit(_exit_code(explanation, is_selection=bool(assignment or student)))


def _exit_code(explanation: Json, *, is_selection: bool) -> ExitCode:
    """Return 1 for an explanation that is not live, 2 if the course does not have the assignment or the student."""
    if not explanation["live"]:
        return ExitCode.PROBLEMS
    students = [cast("Json", each.get("student", {})) for each in cast("list[Json]", explanation["assignments"])]
    is_found = any(student.get("standing") != StudentStatus.NOT_IN_COURSE for student in students)
    return ExitCode.USAGE if is_selection and not is_found else ExitCode.FINE


def explanation_text(explanation: Json) -> Group:
    """Return an explanation as lines that wrap, so that no code or sentence is cut."""
    assignments = cast("list[Json]", explanation["assignments"])
    is_live = bool(explanation["live"])
    parts = (part for each in assignments for part in _assignment(each, is_live))
    return Group(*_head(explanation), *parts, *_end(explanation))


def _head(explanation: Json) -> Iterator[RenderableType]:
    yield Text(f"Course {explanation['course_id']}", style="bold")
    failure = cast("Json | None", explanation["trouble"])
    if failure is not None:
        yield Text(f"Could not read ({failure['code']}: {failure['message']}).", style="yellow")
    if not explanation["live"]:
        yield Text(f"This is the state of the last sync: {explanation['as_of'] or 'never'}.")
    paused = cast("Json | None", explanation["paused"])
    if paused is not None:
        why = f": {paused['reason']}" if paused["reason"] else ""
        yield Text(f"Paused ({paused['target']}) since {paused['since']} by {paused['actor']}{why}.", style="yellow")
    activity = cast("Json", explanation["activity"])
    yield Text(f"Now: {activity['sentence']}", style="" if activity["state"] == "idle" else "yellow")
    for job in cast("list[Json]", explanation["dead_letters"]):
        about = f" of assignment {job['assignment_id']}" if job["assignment_id"] else ""
        retried = f" Retried {job['retried_at']}." if job["retried_at"] else f" `passback dlq retry {job['id']}`."
        yield Text(f"Dead letter {job['id']}{about} ({job['cause']}): {job['message']}{retried}", style="red")
    yield Text(
        f"last event: {explanation['last_event_at'] or 'never'}\nlast sync:  {explanation['synced_at'] or 'never'}"
    )


def _end(explanation: Json) -> Iterator[RenderableType]:
    if explanation["as_of"] is None and not explanation["live"]:
        yield Text("\nThis course was never synced, so nothing is known of its assignments.")
    elif not explanation["assignments"]:
        yield Text("\nno such assignment here")


def _assignment(assignment: Json, is_live: bool) -> Iterator[RenderableType]:
    yield Text(f"\n{assignment['name']} ({assignment['assignment_id']})", style="bold")
    if assignment["change_waits"]:
        yield indented("A newer change of this assignment waits for its sync.", 2)
    student = cast("Json | None", assignment.get("student"))
    if student is not None:
        yield indented(f"{student['sentence']}{_last_write(cast('Json | None', student['last_write']))}", 2)
        return
    for section in cast("list[Json]", assignment["sections"]):
        yield from _section(section, is_changed=bool(assignment["change_waits"]) and not is_live)


def _last_write(write: Json | None) -> str:
    return "" if write is None else f" Last written {write['at']} by {write['actor']}."


def _section(section: Json, *, is_changed: bool) -> Iterator[RenderableType]:
    written = f", last written {section['written_at']}" if section["written_at"] else ""
    label = f"section {section['section_sis_id'] or 'without a SIS id'}"
    yield indented(f"{label}: {section['state']}{_powerschool_text(section)}{written}", 2)
    for reason in cast("list[Json]", section["reasons"]):
        if is_changed and reason["code"] == Reason.NOT_GRADED_YET:
            # As of the last sync: the change that waits may be the first score.
            continue
        yield indented(f"{reason['code']}: {reason['message']} {reason['remedy']}", 4)
    for student in cast("list[Json]", section["students"]):
        who = student["student_sis_id"] or f"with Canvas id {student['user_id']}"
        yield indented(f"student {who}: {student['code']}: {student['message']}", 4)


def _powerschool_text(section: Json) -> str:
    held = cast("Json | None", section["powerschool"])
    return (
        ""
        if held is None
        else f", {counted(cast('int', held['scores']), 'score')} in PowerSchool assignment {held['assignment_id']}"
    )
