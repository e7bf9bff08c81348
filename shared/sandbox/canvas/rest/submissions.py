"""The REST routes that read grades.

Source: canvas-lms Submissions API and app/controllers/submissions_api_controller.rb.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.objects import submission_json, user_json
from shared.sandbox.canvas.rest.request import ApiRequest, BadRequest, PageTooHeavy, api_route
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import Assignment, Submission
from shared.sandbox.canvas.state import Course, Enrollment

MAX_STUDENT_IDS: Final = 100
STATES_OF: Final = {"active": ["active", "invited"], "concluded": ["completed"]}


async def list_submissions(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/students/submissions`: a row per student and published assignment.

    Grouped pages run over enrollments, and only within a page a student is not repeated.
    """
    course, canvas = request.course, request.canvas
    enrollments, assignments = _enrollments(request, course), _assignments(request, course)
    is_wanted = _filter(request)
    if request.flag("grouped"):
        page = request.page(enrollments, has_last=False)
        _take_time(canvas, len(page.items) * len(assignments), assignments)
        groups = [
            _group(request, course, enrollment, _rows(canvas, course, [enrollment], assignments, is_wanted))
            for enrollment in _once(page.items)
        ]
        return request.answer(groups, link=page.link)
    flat = request.page(_rows(canvas, course, _once(enrollments), assignments, is_wanted), has_last=False)
    _take_time(canvas, len(flat.items), assignments)
    return request.answer([_flat(request, course, row) for row in flat.items], link=flat.link)


async def list_assignment_submissions(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/assignments/:assignment_id/submissions`."""
    course, enrollments = request.course, _once(request.course.student_enrollments())
    assignment = course.assignment(request.path_id("assignment_id"))
    rows = _rows(request.canvas, course, enrollments, [assignment], _filter(request))
    return request.listed(rows, partial(_flat, request, course))


async def show_submission(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/assignments/:assignment_id/submissions/:user_id`."""
    course, ids = request.course, (request.path_id("assignment_id"), request.path_id("user_id"))
    return request.answer(_flat(request, course, request.canvas.submission(course, *ids)))


def _take_time(canvas: CanvasSandbox, cells: int, assignments: Sequence[Assignment]) -> None:
    """Raise `PageTooHeavy` for a page of so many submissions, or of these assignments, as the faults say."""
    faults = canvas.switchboard.faults
    if 0 < faults.max_page_cells < cells or any(each.id in faults.slow_assignments for each in assignments):
        raise PageTooHeavy


def _enrollments(request: ApiRequest, course: Course) -> list[Enrollment]:
    """Return the enrollments asked about: with `post_to_sis` only of users whom an SIS import enrolled."""
    ids = request.many("student_ids")
    if len(ids) > MAX_STUDENT_IDS:
        raise BadRequest({"error": "too many students"})
    states = STATES_OF.get(request.query_params.get("enrollment_state", ""))
    found = [e for e in course.student_enrollments(states) if "all" in ids or str(e.user_id) in ids]
    if request.flag("post_to_sis"):
        from_sis = {enrollment.user_id for enrollment in course.student_enrollments() if enrollment.from_sis}
        return [enrollment for enrollment in found if enrollment.user_id in from_sis]
    return found


def _assignments(request: ApiRequest, course: Course) -> list[Assignment]:
    ids = request.many("assignment_ids")
    only_sis = request.flag("post_to_sis")
    return [
        assignment
        for assignment in course.listed_assignments()
        if assignment.published
        and (not ids or str(assignment.id) in ids)
        and (not only_sis or (course.sis_feature and assignment.post_to_sis))
    ]


def _rows(
    canvas: CanvasSandbox,
    course: Course,
    enrollments: Sequence[Enrollment],
    assignments: Sequence[Assignment],
    is_wanted: Callable[[Submission], bool],
) -> list[Submission]:
    """Return a row per student and assignment; work that is not assigned only if something was recorded for it."""
    rows = []
    for user_id in dict.fromkeys(enrollment.user_id for enrollment in enrollments):
        for assignment in assignments:
            known = (assignment.id, user_id) in course.submissions
            if known or course.is_assigned_to(assignment, user_id):
                rows.append(canvas.submission(course, assignment.id, user_id))
    return [row for row in rows if is_wanted(row)]


def _group(request: ApiRequest, course: Course, enrollment: Enrollment, rows: list[Submission]) -> dict[str, Any]:
    canvas = request.canvas
    return {
        "user_id": enrollment.user_id,
        "section_id": enrollment.section_id,
        "integration_id": None,
        "sis_user_id": canvas.users[enrollment.user_id].sis_user_id,
        "submissions": [submission_json(canvas, course, row, request.includes) for row in rows],
    }


def _flat(request: ApiRequest, course: Course, submission: Submission) -> dict[str, Any]:
    """Return a submission by itself; SIS ids need `include[]=user`."""
    row = submission_json(request.canvas, course, submission, request.includes)
    return row | ({"user": user_json(request.canvas.users[row["user_id"]])} if "user" in request.includes else {})


def _once(enrollments: Sequence[Enrollment]) -> list[Enrollment]:
    """Return the first enrollment of each user."""
    return list({enrollment.user_id: enrollment for enrollment in reversed(enrollments)}.values())[::-1]


def _filter(request: ApiRequest) -> Callable[[Submission], bool]:
    """Return whether a submission is asked for; changes of only the status move neither time."""
    graded, submitted = _time(request, "graded_since"), _time(request, "submitted_since")
    state = request.query_params.get("workflow_state")
    return lambda row: (
        state in (None, row.workflow_state) and _since(row.graded_at, graded) and _since(row.submitted_at, submitted)
    )


def _time(request: ApiRequest, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise BadRequest({"errors": [{"message": f"Invalid {name}"}]}) from error


def _since(time: datetime | None, start: datetime | None) -> bool:
    return start is None or (time is not None and time >= start)


_OF_ASSIGNMENT: Final = "/api/v1/courses/:course_id/assignments/:assignment_id/submissions"
SUBMISSION_ROUTES: Final[list[Route]] = [
    api_route("GET", "/api/v1/courses/:course_id/students/submissions", list_submissions),
    api_route("GET", _OF_ASSIGNMENT, list_assignment_submissions),
    api_route("GET", f"{_OF_ASSIGNMENT}/:user_id", show_submission),
]
