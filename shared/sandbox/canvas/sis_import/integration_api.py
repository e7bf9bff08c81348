"""The SIS Integration API, whose base path is `/api/sis`.

Source: canvas-lms app/controllers/sis_api_controller.rb, lib/api/v1/sis_assignment.rb. It does not check due dates,
names, module visibility or attendance.
"""

from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.request import ApiRequest, BadRequest, api_route
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import OVERRIDE_DATES, Assignment, Override, Section
from shared.sandbox.canvas.state import Course
from shared.sandbox.canvas.values import fields_of, times_of

NOT_ENABLED: Final = {
    "code": "not_enabled",
    "error": "A SIS integration is not configured and the bulk SIS Grade Export feature is not enabled",
}
PUBLISHED_STATES: Final = ("available", "completed")


async def list_of_account(request: ApiRequest) -> Response:
    """`GET /api/sis/accounts/:account_id/assignments`: of all published courses."""
    canvas, with_students = request.canvas, "student_overrides" in request.includes
    if not canvas.seed.sis_feature:
        raise BadRequest(NOT_ENABLED)
    published = [c for c in canvas.courses.values() if c.sis_feature and c.workflow_state in PUBLISHED_STATES]
    found = [
        (course, assignment)
        for course in sorted(published, key=lambda course: course.id)
        for assignment in course.listed_assignments()
        if assignment.published and assignment.post_to_sis
    ]
    return request.listed(found, lambda each: _item(canvas, *each, with_students))


def _item(canvas: CanvasSandbox, course: Course, assignment: Assignment, with_students: bool) -> dict[str, Any]:
    group = course.groups.get(assignment.assignment_group_id)
    with_override = {override.course_section_id for override in assignment.active_overrides}
    all_sections = not assignment.only_visible_to_overrides
    sections = [each for each in course.listed_sections() if all_sections or each.id in with_override]
    item: dict[str, Any] = {
        **fields_of(assignment, "id", "name", "points_possible", "integration_id", "integration_data"),
        **times_of(assignment, "created_at", *OVERRIDE_DATES),
        "course_id": course.id,
        "include_in_final_grade": not assignment.omit_from_final_grade and assignment.grading_type != "not_graded",
        "submission_types": assignment.submission_types,
        "assignment_group": group.model_dump(exclude={"position"}) if group else None,
        "sections": [_section(canvas, course, s, _override(assignment, s)) for s in sections],
    }
    if with_students:
        item["user_overrides"] = [_of_students(canvas, o) for o in assignment.active_overrides if o.student_ids]
    return item


def _override(assignment: Assignment, section: Section) -> Override | None:
    return next((o for o in assignment.active_overrides if o.course_section_id == section.id), None)


def _section(canvas: CanvasSandbox, course: Course, section: Section, override: Override | None) -> dict[str, Any]:
    here = {"id": course.id, "name": course.name, "sis_id": course.sis_course_id, "integration_id": None}
    item: dict[str, Any] = {
        "id": section.id,
        "name": section.name,
        "sis_id": section.sis_section_id,
        "integration_id": None,
        "origin_course": here,
    }
    if section.nonxlist_course_id is not None:
        origin = canvas.courses.get(section.nonxlist_course_id)
        item["origin_course"] = {
            "id": section.nonxlist_course_id,
            "name": origin.name if origin else section.name,
            "sis_id": origin.sis_course_id if origin else section.sis_section_id,
            "integration_id": None,
        }
        item["xlist_course"] = here
    if override is not None:
        item["override"] = {"id": override.id, "override_title": override.title} | times_of(override, *OVERRIDE_DATES)
    return item


def _of_students(canvas: CanvasSandbox, override: Override) -> dict[str, Any]:
    students = [
        {"user_id": user_id, "sis_user_id": canvas.users[user_id].sis_user_id} for user_id in override.student_ids or ()
    ]
    return {"id": override.id, "title": override.title, "students": students} | times_of(override, *OVERRIDE_DATES)


SIS_ROUTES: Final[list[Route]] = [
    api_route("GET", "/api/sis/accounts/:account_id/assignments", list_of_account),
]
