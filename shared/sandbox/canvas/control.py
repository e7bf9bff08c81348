"""The control plane, `/_sandbox`: seed and state, actions, event settings, deliveries and keys.

Faults and the request log have their routes in `shared.sandbox.control`.
"""

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.actions.course_actions import AdminActions, CourseActions
from shared.sandbox.canvas.actions.grades import GradeActions
from shared.sandbox.canvas.live_events.delivery import EventSettings
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
from shared.sandbox.canvas.state import Course, Enrollment, User
from shared.sandbox.control import actions_of, control_route, log_route, perform

ACTIONS: Final = actions_of(GradeActions, CourseActions, AdminActions)


def sandbox(request: Request) -> CanvasSandbox:
    """Return the sandbox behind the app, its SIS imports as far as they are now."""
    canvas: CanvasSandbox = request.app.state.sandbox
    canvas.sis.advance()
    return canvas


async def act(request: Request) -> Response:
    """Do an action and return the new state of what it touched."""
    canvas = sandbox(request)
    return JSONResponse(touched_json(canvas, await perform(request, canvas, ACTIONS)))


async def seed(request: Request) -> Response:
    """Start again from a seed."""
    sandbox(request).load(CanvasSeed.model_validate_json(await request.body()))
    return Response(status_code=204)


def state_json(canvas: CanvasSandbox) -> dict[str, Any]:
    """Return every course with everything in it, and how many events are outstanding."""
    courses = [_course_with_contents(canvas, course) for course in canvas.courses.values()]
    return {"courses": courses, "outstanding_events": canvas.deliveries.outstanding}


async def event_settings(request: Request) -> Response:
    """Show or replace where events go and what happens to them on the way."""
    canvas = sandbox(request)
    if request.method == "PUT":
        canvas.configure_events(EventSettings.model_validate_json(await request.body()))
    return JSONResponse(canvas.deliveries.settings.model_dump())


def shown(path: str, read: Callable[[CanvasSandbox], Any], method: str = "GET") -> Route:
    """Return a route that answers what `read` returns."""

    async def show(request: Request) -> Response:
        return JSONResponse(read(sandbox(request)))

    return control_route(path, show, method)


def touched_json(canvas: CanvasSandbox, touched: object) -> Any:
    """Return what an action returned, as REST would show it."""
    result: Any
    match touched:
        case list():
            result = [touched_json(canvas, item) for item in touched]
        case Submission():
            result = submission_json(canvas, _home(canvas, touched.assignment_id), touched)
        case Assignment():
            result = assignment_json(_home(canvas, touched.id), touched, ["overrides"], base_dates=True)
        case Enrollment():
            result = enrollment_json(canvas.course(touched.course_id), touched, canvas.users[touched.user_id])
        case Section():
            result = section_json(next(c for c in canvas.courses.values() if touched.id in c.sections), touched)
        case Course():
            result = course_json(touched, canvas.seed.zone, ["term", "concluded"])
        case User():
            result = user_json(touched)
        case BaseModel():
            result = touched.model_dump(mode="json")
        case _:
            raise TypeError(f"an action returned {type(touched).__name__}")
    return result


def _home(canvas: CanvasSandbox, assignment_id: int) -> Course:
    return next(course for course in canvas.courses.values() if assignment_id in course.assignments)


def _course_with_contents(canvas: CanvasSandbox, course: Course) -> dict[str, Any]:
    submissions = [s for s in list(course.submissions.values()) if s.assignment_id in course.assignments]
    return course_json(course, canvas.seed.zone, ["term", "concluded"]) | {
        "sections": [section_json(course, section) for section in course.sections.values()],
        "groups": [group.model_dump() for group in course.groups.values()],
        "assignments": touched_json(canvas, list(course.assignments.values())),
        "enrollments": touched_json(canvas, list(course.enrollments.values())),
        "submissions": touched_json(canvas, submissions),
    }


CONTROL_ROUTES: Final[list[Route]] = [
    control_route("/act", act, "POST"),
    control_route("/seed", seed, "POST"),
    shown("/state", state_json),
    shown("/roster", roster_json),
    control_route("/events", event_settings, "GET", "PUT"),
    log_route("/deliveries", lambda request: sandbox(request).deliveries.log),
    shown("/jwks", lambda canvas: canvas.keys.jwks()),
    shown("/rotate-keys", lambda canvas: canvas.keys.rotate(), "POST"),
]
