"""The REST routes that read one course: itself, its sections, assignments, groups and enrollments.

Source: canvas-lms Courses, Sections, Assignments, Assignment Groups, Enrollments, Users and Accounts API.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.access import (
    BadRequest,
    any_course_of,
    api_route,
    course_of,
    includes,
    is_true,
    local_id,
    many,
    sandbox,
    shown,
)
from shared.sandbox.canvas.rest.objects import (
    assignment_json,
    course_json,
    enrollment_json,
    group_json,
    section_json,
    user_json,
)
from shared.sandbox.canvas.rest.pagination import page_of
from shared.sandbox.canvas.seed import Assignment
from shared.sandbox.canvas.state import ACCOUNT_ID, ROOT_ACCOUNT_ID, SERVICE_USER_ID, Account, UnknownObject

MAX_ASSIGNMENT_IDS: Final = 100


async def show_self(request: Request) -> Response:
    """`GET /api/v1/users/self`: whose token it is."""
    return shown(request, user_json(sandbox(request).users[SERVICE_USER_ID]))


async def show_user(request: Request) -> Response:
    """`GET /api/v1/users/:id`: by id or as `sis_user_id:…`; 404 for one that was deleted."""
    key, users = str(request.path_params["id"]), sandbox(request).users.values()
    by_sis_id = key.startswith("sis_user_id:")
    name = key.removeprefix("sis_user_id:")
    found = [user for user in users if (user.sis_user_id if by_sis_id else str(user.id)) == name]
    if not found or found[0].workflow_state == "deleted":
        raise UnknownObject("no such user")
    return shown(request, user_json(found[0]))


async def list_accounts(request: Request) -> Response:
    """`GET /api/v1/accounts`: the root account."""
    page = page_of(request, [_account(request)])
    return shown(request, list(page.items), link=page.link)


SIS_ACCOUNT = "sis_account_id:"


async def show_account(request: Request) -> Response:
    """`GET /api/v1/accounts/:id`: the root account, also as `self`, or a sub-account, also by its SIS id.

    Source: Canvas REST API, "Object IDs, SIS IDs, and Special IDs": `sis_account_id:...` wherever an id is taken.
    """
    asked = request.path_params["id"]
    if asked in ("self", str(ROOT_ACCOUNT_ID)):
        return shown(request, _account(request))
    if asked == str(ACCOUNT_ID):
        sub_account = {"id": ACCOUNT_ID, "name": "Sandbox Schools", "root_account_id": ROOT_ACCOUNT_ID}
        return shown(request, sub_account | {"parent_account_id": ROOT_ACCOUNT_ID})
    found = sandbox(request).accounts.get(asked.removeprefix(SIS_ACCOUNT)) if asked.startswith(SIS_ACCOUNT) else None
    if found is None or found.workflow_state == "deleted":
        raise UnknownObject("no such account")
    return shown(request, {"name": found.name, "root_account_id": ROOT_ACCOUNT_ID, **_account_ids(request, found)})


def _account_ids(request: Request, account: Account) -> dict[str, object]:
    """Return the ids of a sub-account; Canvas's own numbers follow those of the seed's."""
    position = list(sandbox(request).accounts).index(account.sis_account_id)
    return {"id": ACCOUNT_ID + 1 + position, "sis_account_id": account.sis_account_id}


async def list_courses(request: Request) -> Response:
    """`GET /api/v1/accounts/:account_id/courses`: every course that was not deleted."""
    canvas = sandbox(request)
    page = page_of(request, [course for course in canvas.courses.values() if course.workflow_state != "deleted"])
    listed = [course_json(course, canvas.seed.zone, includes(request)) for course in page.items]
    return shown(request, listed, link=page.link)


async def show_course(request: Request) -> Response:
    """`GET /api/v1/courses/:id`; with `include[]=all_courses` a deleted one as well."""
    course = any_course_of(request) if "all_courses" in includes(request) else course_of(request)
    return shown(request, course_json(course, sandbox(request).seed.zone, includes(request)))


async def list_sections(request: Request) -> Response:
    """`GET /api/v1/courses/:course_id/sections`."""
    course = course_of(request)
    page = page_of(request, course.listed_sections())
    return shown(request, [section_json(course, section) for section in page.items], link=page.link)


async def list_assignments(request: Request) -> Response:
    """`GET /api/v1/courses/:course_id/assignments`: unpublished ones too."""
    course = course_of(request)
    page = page_of(request, _wanted(request, course.listed_assignments()))
    base_dates = is_true(request.query_params.get("override_assignment_dates")) is False
    theme = sandbox(request).seed.theme
    listed = [
        assignment_json(course, item, includes(request), base_dates=base_dates, theme=theme) for item in page.items
    ]
    return shown(request, listed, link=page.link)


async def show_assignment(request: Request) -> Response:
    """`GET /api/v1/courses/:course_id/assignments/:id`."""
    course = course_of(request)
    assignment = course.assignment(local_id(request.path_params["id"]))
    base_dates = is_true(request.query_params.get("override_assignment_dates")) is False
    theme = sandbox(request).seed.theme
    return shown(request, assignment_json(course, assignment, includes(request), base_dates=base_dates, theme=theme))


async def list_groups(request: Request) -> Response:
    """`GET /api/v1/courses/:course_id/assignment_groups`; `grades_published` appears on assignments only here."""
    course, wanted = course_of(request), includes(request)
    page = page_of(request, sorted(course.groups.values(), key=lambda group: group.position))
    base_dates = is_true(request.query_params.get("override_assignment_dates")) is False
    listed: list[dict[str, Any]] = []
    for group in page.items:
        item = group_json(group)
        if "assignments" in wanted:
            members = [a for a in course.listed_assignments() if a.assignment_group_id == group.id]
            item["assignments"] = [assignment_json(course, a, wanted, base_dates=base_dates) for a in members]
        listed.append(item)
    return shown(request, listed, link=page.link)


async def list_enrollments(request: Request) -> Response:
    """`GET /api/v1/courses/:course_id/enrollments`: without `state[]` only active and invited ones."""
    course, canvas = course_of(request), sandbox(request)
    states = many(request, "state") or ["active", "invited"]
    types = many(request, "type")
    found = [
        enrollment
        for enrollment in list(course.enrollments.values())
        if enrollment.state in states and (not types or enrollment.type in types)
    ]
    page = page_of(request, found)
    listed = [enrollment_json(course, item, canvas.users[item.user_id]) for item in page.items]
    return shown(request, listed, link=page.link)


def _account(request: Request) -> dict[str, Any]:
    uuid = sandbox(request).seed.root_account_uuid
    return {"id": ROOT_ACCOUNT_ID, "name": "Sandbox District", "uuid": uuid, "root_account_id": None}


def _wanted(request: Request, assignments: list[Assignment]) -> list[Assignment]:
    """Return the assignments that `assignment_ids[]` and `post_to_sis` leave."""
    ids = many(request, "assignment_ids")
    if len(ids) > MAX_ASSIGNMENT_IDS:
        raise BadRequest({"errors": [{"message": f"Too many assignment_ids requested, limit {MAX_ASSIGNMENT_IDS}"}]})
    flag = is_true(request.query_params.get("post_to_sis"))
    return [
        assignment
        for assignment in assignments
        if (not ids or str(assignment.id) in ids) and flag in (None, assignment.post_to_sis)
    ]


READ_ROUTES: Final[list[Route]] = [
    api_route("GET", "/api/v1/users/self", show_self),
    api_route("GET", "/api/v1/users/:id", show_user),
    api_route("GET", "/api/v1/accounts", list_accounts),
    api_route("GET", "/api/v1/accounts/:id", show_account),
    api_route("GET", "/api/v1/accounts/:account_id/courses", list_courses),
    api_route("GET", "/api/v1/courses/:id", show_course),
    api_route("GET", "/api/v1/courses/:course_id/sections", list_sections),
    api_route("GET", "/api/v1/courses/:course_id/assignments", list_assignments),
    api_route("GET", "/api/v1/courses/:course_id/assignments/:id", show_assignment),
    api_route("GET", "/api/v1/courses/:course_id/assignment_groups", list_groups),
    api_route("GET", "/api/v1/courses/:course_id/enrollments", list_enrollments),
]
