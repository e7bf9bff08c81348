"""The REST routes that change something, for clients which grade or edit as a teacher's tool does.

Source: canvas-lms Assignments and Submissions API.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final, get_args
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.responses import Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.objects import assignment_json, submission_json
from shared.sandbox.canvas.rest.request import ApiRequest, BadRequest, api_route, is_true
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import OVERRIDE_DATES, Assignment, LatePolicyStatus
from shared.sandbox.canvas.state import Course, UnknownObject

EDITABLE: Final = frozenset({
    "name", "description", "due_at", "unlock_at", "lock_at", "points_possible", "grading_type", "post_to_sis",
    "published", "assignment_group_id", "submission_types", "only_visible_to_overrides", "omit_from_final_grade",
    "anonymous_grading", "moderated_grading", "integration_id", "integration_data",
})  # fmt: skip


async def create_assignment(request: ApiRequest) -> Response:
    """`POST /api/v1/courses/:course_id/assignments`: unpublished unless it says otherwise."""
    course = request.course
    fields = {"workflow_state": "unpublished"} | _fields(course, await nested(request, "assignment"))
    created = _valid(partial(request.canvas.create_assignment, course.id, fields))
    return request.answer(assignment_json(course, created), 201)


async def edit_assignment(request: ApiRequest) -> Response:
    """`PUT /api/v1/courses/:course_id/assignments/:id`."""
    course, assignment_id = request.course, request.path_id("id")
    changes = _fields(course, await nested(request, "assignment"))
    if course.assignment(assignment_id).checkpoints:
        _refuse_dates_of_a_parent(changes)
    edited = _valid(partial(request.canvas.edit_assignment, course.id, assignment_id, changes))
    return request.answer(assignment_json(course, edited))


def _valid(write: Callable[[], Assignment]) -> Assignment:
    try:
        return write()
    except ValidationError as error:
        raise BadRequest({"errors": [{"message": "invalid assignment"}]}) from error


def _refuse_dates_of_a_parent(changes: dict[str, Any]) -> None:
    """Refuse what only the checkpoints of a discussion have. The words are those of Canvas's own mutation."""
    for name in (*OVERRIDE_DATES, "points_possible"):
        if changes.get(name) is not None:
            message = f"Cannot set {name} in the parent assignment for checkpoints."
            raise BadRequest({"errors": {name: [{"attribute": name, "message": message}]}})


async def grade_submission(request: ApiRequest) -> Response:
    """`PUT /api/v1/courses/:course_id/assignments/:assignment_id/submissions/:user_id`."""
    course, canvas = request.course, request.canvas
    ids = course.id, request.path_id("assignment_id"), request.path_id("user_id")
    fields = await nested(request, "submission")
    if course.assignment(ids[1]).checkpoints and "posted_grade" in fields:
        _grade_checkpoint(canvas, ids, fields)
    elif "posted_grade" in fields:
        try:
            canvas.grade_as_posted(*ids, str(fields["posted_grade"]))
        except ValueError as error:
            raise BadRequest({"errors": [{"message": "invalid grade"}]}) from error
    if "excuse" in fields:
        canvas.excuse(*ids, excused=bool(_flag(fields["excuse"])))
    if "late_policy_status" in fields:
        status = fields["late_policy_status"] or None
        if status not in (None, *get_args(LatePolicyStatus)):
            raise BadRequest({"errors": [{"message": "invalid late_policy_status"}]})
        canvas.set_late_policy_status(*ids, status)
    return request.answer(submission_json(canvas, course, canvas.submission(course, *ids[1:])))


def _grade_checkpoint(canvas: CanvasSandbox, ids: tuple[int, int, int], fields: dict[str, Any]) -> None:
    """Grade the part of a discussion that `sub_assignment_tag` names (canvas-lms `Assignment#grade_student`)."""
    course_id, assignment_id, user_id = ids
    posted = str(fields["posted_grade"]).strip()
    try:
        score = float(posted) if posted else None
        canvas.grade_checkpoint(course_id, assignment_id, str(fields.get("sub_assignment_tag")), user_id, score)
    except (ValueError, UnknownObject) as error:
        raise BadRequest({"errors": [{"message": str(error)}]}) from error


async def nested(request: ApiRequest, root: str) -> dict[str, Any]:
    """Return the fields below `root` of a JSON body or of a form in Rails's notation, `root[field]`."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        given: dict[str, Any] = json.loads(body or b"{}").get(root, {})
        return given
    fields: dict[str, Any] = {}
    for key, value in parse_qsl(body.decode(), keep_blank_values=True):
        if key.startswith(f"{root}[") and key.endswith("[]"):
            fields.setdefault(key[len(root) + 1 : -3], []).append(value)
        elif key.startswith(f"{root}["):
            fields[key[len(root) + 1 : -1]] = value
    return fields


def _fields(course: Course, given: dict[str, Any]) -> dict[str, Any]:
    """Return what Canvas takes of the given fields; the rest is silently dropped."""
    fields = {name: None if value == "" else value for name, value in given.items() if name in EDITABLE}
    if not course.sis_feature:
        fields.pop("post_to_sis", None)
    if "published" in fields:
        fields["workflow_state"] = "published" if _flag(fields.pop("published")) else "unpublished"
    return fields


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else is_true(str(value))


WRITE_ROUTES: Final[list[Route]] = [
    api_route("POST", "/api/v1/courses/:course_id/assignments", create_assignment),
    api_route("PUT", "/api/v1/courses/:course_id/assignments/:id", edit_assignment),
    api_route("PUT", "/api/v1/courses/:course_id/assignments/:assignment_id/submissions/:user_id", grade_submission),
]
