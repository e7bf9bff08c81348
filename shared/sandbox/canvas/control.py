"""The control plane, `/_sandbox`: seed and state, actions, event settings, deliveries and keys.

Faults and the request log have their routes in `shared.sandbox.faults`.
"""

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, validate_call
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.live_events.delivery import EventSettings
from shared.sandbox.canvas.rest.access import sandbox
from shared.sandbox.canvas.rest.objects import (
    assignment_json,
    course_json,
    enrollment_json,
    section_json,
    submission_json,
    user_json,
)
from shared.sandbox.canvas.roster import roster_json
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import Assignment, CanvasSeed, Section, Submission
from shared.sandbox.canvas.state import Course, Enrollment, UnknownObject, User
from shared.sandbox.faults import CONTROL_PREFIX

ACTIONS: Final = frozenset(
    {
        "grade",
        "grade_many",
        "grade_checkpoint",
        "grade_as_posted",
        "clear",
        "excuse",
        "mark_missing",
        "set_late_policy_status",
        "submit",
        "quiz_submit",
        "post",
        "hide",
        "apply_missing_policy",
        "apply_late_policy",
        "create_assignment",
        "edit_assignment",
        "delete_assignment",
        "release_moderated",
        "add_override",
        "remove_override",
        "rename_group",
        "create_group",
        "rename_section",
        "cross_list",
        "drop_student",
        "enroll_student",
        "edit_term",
        "change_theme",
        "edit_course",
        "edit_user",
        "suspend_user",
    }
)


class ActionRequest(BaseModel):
    """The body of `POST /_sandbox/act`: which action, and its arguments by name."""

    model_config = ConfigDict(extra="allow")

    do: str


async def act(request: Request) -> Response:
    """Do a action and return the new state of what it touched; 422 says what was wrong with the request."""
    canvas = sandbox(request)
    try:
        action = ActionRequest.model_validate_json(await request.body())
        if action.do not in ACTIONS:
            return JSONResponse({"error": f"no action {action.do}; known: {', '.join(sorted(ACTIONS))}"}, 422)
        method: Callable[..., object] = validate_call(getattr(canvas, action.do))
        touched = method(**(action.model_extra or {}))
    except (ValidationError, UnknownObject) as error:
        return JSONResponse({"error": str(error)}, 422)
    return JSONResponse(touched_json(canvas, touched))


async def seed(request: Request) -> Response:
    """Start again from a seed."""
    try:
        sandbox(request).load(CanvasSeed.model_validate_json(await request.body()))
    except ValidationError as error:
        return JSONResponse({"error": str(error)}, 422)
    return Response(status_code=204)


async def state(request: Request) -> Response:
    """Show every course with everything in it, and how many events are outstanding."""
    canvas = sandbox(request)
    courses = [_everything(canvas, course) for course in canvas.courses.values()]
    return JSONResponse({"courses": courses, "outstanding_events": canvas.deliveries.outstanding})


async def roster(request: Request) -> Response:
    """Show what was provisioned, entity by entity, by SIS ids."""
    return JSONResponse(roster_json(sandbox(request)))


async def event_settings(request: Request) -> Response:
    """Show or replace where events go and what happens to them on the way."""
    canvas = sandbox(request)
    if request.method == "PUT":
        try:
            canvas.configure_events(EventSettings.model_validate_json(await request.body()))
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 422)
    return JSONResponse(canvas.deliveries.settings.model_dump())


async def deliveries(request: Request) -> Response:
    """Show or clear the log of deliveries, the oldest first."""
    log = sandbox(request).deliveries.log
    if request.method == "DELETE":
        log.clear()
        return Response(status_code=204)
    return JSONResponse([delivery.as_json() for delivery in list(log)])


async def jwks(request: Request) -> Response:
    """Publish the keys that sign events, as Canvas does."""
    return JSONResponse(sandbox(request).keys.jwks())


async def rotate_keys(request: Request) -> Response:
    """Rotate the keys and return the new set."""
    return JSONResponse(sandbox(request).keys.rotate())


def touched_json(canvas: CanvasSandbox, touched: object) -> Any:
    """Return what a action returned, as REST would show it."""
    shown: Any
    match touched:
        case list():
            shown = [touched_json(canvas, item) for item in touched]
        case Submission():
            shown = submission_json(canvas, _home(canvas, touched.assignment_id), touched)
        case Assignment():
            shown = assignment_json(_home(canvas, touched.id), touched, ["overrides"], base_dates=True)
        case Enrollment():
            shown = enrollment_json(canvas.course(touched.course_id), touched, canvas.users[touched.user_id])
        case Section():
            shown = section_json(next(c for c in canvas.courses.values() if touched.id in c.sections), touched)
        case Course():
            shown = course_json(touched, canvas.seed.zone, ["term", "concluded"])
        case User():
            shown = user_json(touched)
        case BaseModel():
            shown = touched.model_dump(mode="json")
        case _:
            raise TypeError(f"a action returned {type(touched).__name__}")
    return shown


def _home(canvas: CanvasSandbox, assignment_id: int) -> Course:
    return next(course for course in canvas.courses.values() if assignment_id in course.assignments)


def _everything(canvas: CanvasSandbox, course: Course) -> dict[str, Any]:
    submissions = [s for s in list(course.submissions.values()) if s.assignment_id in course.assignments]
    return course_json(course, canvas.seed.zone, ["term", "concluded"]) | {
        "sections": [section_json(course, section) for section in course.sections.values()],
        "groups": [group.model_dump() for group in course.groups.values()],
        "assignments": touched_json(canvas, list(course.assignments.values())),
        "enrollments": touched_json(canvas, list(course.enrollments.values())),
        "submissions": touched_json(canvas, submissions),
    }


CONTROL_ROUTES: Final[list[Route]] = [
    Route(f"{CONTROL_PREFIX}/act", act, methods=["POST"]),
    Route(f"{CONTROL_PREFIX}/seed", seed, methods=["POST"]),
    Route(f"{CONTROL_PREFIX}/state", state, methods=["GET"]),
    Route(f"{CONTROL_PREFIX}/roster", roster, methods=["GET"]),
    Route(f"{CONTROL_PREFIX}/events", event_settings, methods=["GET", "PUT"]),
    Route(f"{CONTROL_PREFIX}/deliveries", deliveries, methods=["GET", "DELETE"]),
    Route(f"{CONTROL_PREFIX}/jwks", jwks, methods=["GET"]),
    Route(f"{CONTROL_PREFIX}/rotate-keys", rotate_keys, methods=["POST"]),
]
