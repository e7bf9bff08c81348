"""The pages of takeovers: of a course, and of many courses with progress. What cannot be undone has a question."""

import re
from typing import cast

from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.takeover import Selection
from shared.domain.passback.takeover_run import TakeoverMode, TakeoverRequest
from shared.domain.wording import counted
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.takeover_json import overwritten, plan_json
from workers.web.api.dependencies import CANVAS_ID, makers
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import Form, PageRequest, Values, first
from workers.web.views.live_reads import live_takeover_plan
from workers.web.views.people import LivePeople, students_of
from workers.web.views.visibility import visible_to

HISTORY = "The history has what was there, and who asked."
LATER_GRADES = "From then on, the grades of these assignments go to PowerSchool as all others do."


def show_course(request: PageRequest) -> Values:
    """What would be linked and overwritten, what stays apart, and what was taken over."""
    course_id, service = request.course_id(), request.service
    selection = _selection(request.fields)
    plan = plan_json(
        live_takeover_plan(service, course_id, selection), service.takeover.taken_over(course_id), service.clock.now()
    )
    candidates = cast("list[Json]", plan["candidates"])
    has_students = any(candidate["students"] for candidate in candidates)
    people = students_of(service, request.user, course_id) if has_students else LivePeople()
    return {
        "course_id": course_id, "plan": visible_to(request.user, plan), "people": people,
        "made_by": ", ".join(sorted(selection.made_by)),
    }  # fmt: skip


def confirm_course(request: PageRequest) -> Values:
    """What the takeover of a course, or of one assignment, does, before it is done."""
    course_id, service, selection = request.course_id(), request.service, _selection(request.fields)
    plan = live_takeover_plan(service, course_id, selection)
    shown = plan_json(plan, service.takeover.taken_over(course_id), service.clock.now())
    if not plan.links:
        raise ApiError(409, "nothing_to_take_over", "Nothing can be linked here any more: look at the course again.")
    fields, scores, new_scores = overwritten(cast("list[Json]", shown["candidates"]))
    numbers = ((fields, "field"), (scores, "score"))
    changes = " and ".join(counted(number, noun) for number, noun in numbers if number)
    effects = [
        f"{counted(len(plan.links), 'assignment')} in PowerSchool linked: that writes nothing.",
        f"The sync that follows overwrites {changes}: that cannot be undone. {HISTORY}"
        if changes
        else "The sync that follows overwrites nothing.",
        *([f"It sends {counted(new_scores, 'score')} that PowerSchool does not have."] if new_scores else []),
        LATER_GRADES,
    ]
    back = f"/courses/{course_id}/takeover"
    return {
        "title": "Take over", "consequences": effects, "action": back, "fields": _fields(request.fields),
        "back": back, "is_danger": bool(changes),
    }  # fmt: skip


def take_over(request: PageRequest) -> str:
    """Link what can be linked in a course, and sync it."""
    course_id = request.course_id()
    request.actions.take_over(course_id, _selection(request.fields))
    return f"/courses/{course_id}/takeover?done=takeover"


def undo_course(request: PageRequest) -> str:
    """Give back what was taken over in a course and not written to."""
    course_id = request.course_id()
    assignment_id = _assignment(request.fields)
    request.actions.undo_takeover(course_id, assignment_id)
    return f"/courses/{course_id}/takeover?done=undo"


def show_run(request: PageRequest) -> Values:
    """The newest takeover of many courses with its progress, and the form for another one."""
    run = request.service.takeover_runs.newest()
    apart = [(Apart(code), number) for code, number in sorted(run.counts.apart.items())] if run else []
    connected = request.service.records.count()
    return {"run": run, "apart": apart, "connected": connected}


def confirm_run(request: PageRequest) -> Values:
    """What a takeover of many courses does, before it begins. Sent as a form, as its answer is."""
    wanted = _request(request.fields)
    whose = f"Assignments that {' and '.join(sorted(wanted.made_by)) or 'another plugin'} made"
    where = "in all connected courses" if wanted.school is None else f"in the courses of school {wanted.school}"
    effects = [
        f"{whose} are linked {where}, where they are the only ones of their name, date and points.",
        "Linking writes nothing. The syncs that follow overwrite in PowerSchool what differs from Canvas.",
        f"That cannot be undone. {HISTORY} A dry run shows how much it is.",
        "If PowerSchool refuses the first change, it stops, and the remaining courses are untouched.",
        LATER_GRADES,
    ]
    return {
        "title": "Take over many courses", "consequences": effects, "action": "/takeover", "back": "/takeover",
        "fields": {"mode": TakeoverMode.LINK, **_fields(request.fields)}, "is_danger": True,
    }  # fmt: skip


def start(request: PageRequest) -> str:
    """Begin a dry run, a takeover or an undo of many courses."""
    request.actions.start_takeover(_request(request.fields))
    return "/takeover"


def cancel(request: PageRequest) -> str:
    """End the run after the course that it is at."""
    request.actions.cancel_takeover()
    return "/takeover"


def _request(fields: Form) -> TakeoverRequest:
    mode, school = first(fields, "mode", TakeoverMode.LINK), first(fields, "school").strip()
    if mode not in set(TakeoverMode):
        raise ApiError(422, "not_valid", "This is nothing that a takeover does.")
    if school and not re.fullmatch(r"[0-9]{1,8}", school):
        raise ApiError(422, "not_valid", "A school is named by its number in PowerSchool.")
    return TakeoverRequest(TakeoverMode(mode), int(school) if school else None, makers(fields.get("made_by", [])))


def _selection(fields: Form) -> Selection:
    to = first(fields, "to")
    if to and not re.fullmatch(r"[0-9]{1,16}", to):
        raise ApiError(422, "not_valid", "An assignment section of PowerSchool is named by its number.")
    assignment_id = _assignment(fields)
    if to and assignment_id is None:
        raise ApiError(422, "not_valid", "Choose the Canvas assignment as well.")
    return Selection(makers(fields.get("made_by", [])), assignment_id, int(to) if to else None)


def _assignment(fields: Form) -> str | None:
    assignment_id = first(fields, "assignment")
    if assignment_id and not re.fullmatch(CANVAS_ID, assignment_id):
        raise ApiError(422, "not_valid", "An assignment is named by its Canvas id, a number.")
    return assignment_id or None


def _fields(fields: Form) -> dict[str, str]:
    """Return the fields that the question's form sends on."""
    return {name: first(fields, name) for name in ("assignment", "to", "school", "made_by") if first(fields, name)}
