"""The API about takeovers: of a course, and of many courses with progress."""

from typing import Annotated, cast

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints

from shared.domain.passback.takeover import Selection
from shared.domain.passback.takeover_run import TakeoverMode, TakeoverRequest, TakeoverRun
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.takeover_json import plan_json, undo_json
from workers.web.api.dependencies import (
    MAKER,
    MAX_MAKERS,
    Actions,
    AssignmentId,
    CourseId,
    OneAssignment,
    Service,
    SignedIn,
    StrictModel,
    makers,
    plain,
)
from workers.web.errors import ApiError
from workers.web.views.live_reads import live_takeover_plan
from workers.web.views.visibility import visible_to

PowerSchoolId = Annotated[int, Field(ge=1, le=10**16)]
Maker = Annotated[str, StringConstraints(pattern=f"^{MAKER}$")]
Makers = Annotated[list[Maker], Field(max_length=MAX_MAKERS)]

router = APIRouter()


class TakeoverBody(OneAssignment):
    """What is taken over in a course. `made_by` holds values of `createdbyplugin`, or `teacher`.

    `to` is the assignment section id of the PowerSchool assignment that a person chose for `assignment_id`.
    """

    made_by: Makers = Field(default_factory=list)
    to: PowerSchoolId | None = None


class RunBody(StrictModel):
    """A takeover of many courses: all connected ones, or those of a school number."""

    mode: TakeoverMode
    school: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    made_by: Makers = Field(default_factory=list)


@router.get("/courses/{course_id}/takeover")
def takeover_plan(
    service: Service,
    user: SignedIn,
    course_id: CourseId,
    made_by: Annotated[list[Maker], Query(max_length=MAX_MAKERS, description="`createdbyplugin`, or teacher")] = [],  # noqa: B006
    assignment_id: AssignmentId = None,
    to: Annotated[int | None, Query(ge=1, le=10**16, description="This assignment section of PowerSchool")] = None,
) -> Json:
    """Return what a takeover would link and the next sync overwrite, and what stays apart. Writes nothing."""
    plan = live_takeover_plan(service, course_id, _selection(made_by, assignment_id, to))
    return visible_to(user, plan_json(plan, service.takeover.taken_over(course_id), service.clock.now()))


@router.post("/courses/{course_id}/takeover", status_code=202)
def take_over(
    service: Service, user: SignedIn, actions: Actions, course_id: CourseId, body: TakeoverBody | None = None
) -> Json:
    """Link what can be linked, and request a sync, which makes both sides agree."""
    given = body or TakeoverBody()
    plan = actions.take_over(course_id, _selection(given.made_by, given.assignment_id, given.to))
    taken_over = service.takeover.taken_over(course_id)
    return visible_to(user, plan_json(plan, taken_over, service.clock.now(), is_done=True))


@router.post("/courses/{course_id}/takeover/undo")
def undo(actions: Actions, course_id: CourseId, body: OneAssignment | None = None) -> Json:
    """Delete the links of what was taken over and not written to since."""
    return undo_json(course_id, actions.undo_takeover(course_id, body.assignment_id if body else None))


@router.get("/takeover")
def newest_run(service: Service) -> Json:
    """Return the newest takeover of many courses, with its progress."""
    run = service.takeover_runs.newest()
    if run is None:
        raise ApiError(404, "no_takeover", "Nobody has taken over many courses in the last 30 days.")
    return _run_json(run)


@router.post("/takeover", status_code=202)
def start(actions: Actions, body: RunBody) -> Json:
    """Begin a takeover of many courses, or go on with the same one that did not end; one runs at a time."""
    return _run_json(actions.start_takeover(TakeoverRequest(body.mode, body.school, makers(body.made_by))))


@router.post("/takeover/cancel")
def cancel(actions: Actions) -> Json:
    """End the running takeover after the course that it is at."""
    return {"cancelled": actions.cancel_takeover()}


def _selection(made_by: list[str], assignment_id: str | None, to: int | None) -> Selection:
    if to is not None and assignment_id is None:
        raise ApiError(409, "assignment_not_named", "`to` needs the `assignment_id` that it is chosen for.")
    return Selection(makers(made_by), assignment_id, to)


def _run_json(run: TakeoverRun) -> Json:
    return {**cast("Json", plain(run)), "summary": run.summary}
