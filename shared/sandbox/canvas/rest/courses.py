"""The REST routes that read one course: itself, its sections, assignments, groups and enrollments.

Source: canvas-lms Courses, Sections, Assignments, Assignment Groups, Enrollments, Users and Accounts API.
"""

from collections.abc import Collection
from functools import partial
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.objects import (
    assignment_json,
    course_json,
    enrollment_json,
    grading_period_json,
    group_json,
    section_json,
    students_in,
    user_json,
)
from shared.sandbox.canvas.rest.request import ApiRequest, BadRequest, api_route
from shared.sandbox.canvas.seed import Assignment, Group, Section
from shared.sandbox.canvas.state import (
    ACCOUNT_ID,
    ROOT_ACCOUNT_ID,
    SERVICE_USER_ID,
    Course,
    Enrollment,
    UnknownObject,
    User,
)
from shared.sandbox.canvas.totals import grades_json

MAX_ASSIGNMENT_IDS: Final = 100
SIS_ACCOUNT: Final = "sis_account_id:"
SIS_USER: Final = "sis_user_id:"
MIN_SEARCH_TERM: Final = 3


async def show_self(request: ApiRequest) -> Response:
    """`GET /api/v1/users/self`: whose token it is."""
    return request.answer(user_json(request.canvas.users[SERVICE_USER_ID]))


async def list_tokens(request: ApiRequest) -> Response:
    """`GET /api/v1/users/:user_id/user_generated_tokens`: the token's own, described by its first characters."""
    seed, tokens = request.canvas.seed, list[dict[str, Any]]()
    if request.path_params["user_id"] == "self":
        ends_at = seed.token_expires_at
        tokens.append({"id": 1, "token_hint": seed.token[:5], "expires_at": ends_at and ends_at.isoformat()})
    return request.listed(tokens, lambda token: token | {"workflow_state": "active", "purpose": "passback"})


async def show_user(request: ApiRequest) -> Response:
    """`GET /api/v1/users/:id`: by id or as `sis_user_id:…`; 404 for one that was deleted."""
    return request.answer(user_json(_user(request, "id")))


async def list_users(request: ApiRequest) -> Response:
    """`GET /api/v1/accounts/:account_id/users`: by the beginning of a name, or by a whole id or SIS id.

    Source: canvas-lms Users API, "List users in account": a term of digits is Canvas's own id before anything else.
    """
    term = request.query_params.get("search_term", "").casefold()
    if 0 < len(term) < MIN_SEARCH_TERM:
        raise BadRequest({"errors": [{"message": f"search_term of {MIN_SEARCH_TERM} or more characters is required"}]})
    known = [user for user in request.canvas.users.values() if user.workflow_state != "deleted"]
    by_id = [user for user in known if str(user.id) == term]
    named = [user for user in known if term in user.name.casefold() or term == (user.sis_user_id or "").casefold()]
    return request.listed(by_id or named, user_json)


async def list_user_enrollments(request: ApiRequest) -> Response:
    """`GET /api/v1/users/:user_id/enrollments`: in every course that was not deleted."""
    user = _user(request, "user_id")
    found = [
        (course, enrollment)
        for course in request.canvas.courses.values()
        for enrollment in _enrollments(request, course)
        if enrollment.user_id == user.id
    ]
    return request.listed(found, lambda each: enrollment_json(*each, user))


async def list_accounts(request: ApiRequest) -> Response:
    """`GET /api/v1/accounts`: the root account."""
    return request.listed([_root_account(request)], dict)


async def show_account(request: ApiRequest) -> Response:
    """`GET /api/v1/accounts/:id`: the root account, also as `self`, or a sub-account, also by its SIS id.

    Canvas's own numbers of sub-accounts follow those of the seed's. Source: Canvas REST API, "Object IDs, SIS IDs, and
    Special IDs": `sis_account_id:...` wherever an id is taken.
    """
    asked, accounts = request.path_params["id"], request.canvas.accounts
    if asked in ("self", str(ROOT_ACCOUNT_ID)):
        return request.answer(_root_account(request))
    shown = {"id": ACCOUNT_ID, "name": "Sandbox Schools", "root_account_id": ROOT_ACCOUNT_ID}
    if asked == str(ACCOUNT_ID):
        return request.answer(shown | {"parent_account_id": ROOT_ACCOUNT_ID})
    found = accounts.get(asked.removeprefix(SIS_ACCOUNT)) if asked.startswith(SIS_ACCOUNT) else None
    if found is None or found.workflow_state == "deleted":
        raise UnknownObject("no such account")
    own_id = ACCOUNT_ID + 1 + list(accounts).index(found.sis_account_id)
    return request.answer(shown | {"id": own_id, "name": found.name, "sis_account_id": found.sis_account_id})


async def list_courses(request: ApiRequest) -> Response:
    """`GET /api/v1/accounts/:account_id/courses`: every course that was not deleted."""
    courses = [course for course in request.canvas.courses.values() if course.workflow_state != "deleted"]
    return request.listed(courses, partial(_course, request))


async def show_course(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:id`; with `include[]=all_courses` a deleted one as well."""
    return request.answer(_course(request, request.any_course if "all_courses" in request.includes else request.course))


async def list_sections(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/sections`; `total_students` are the active and the invited ones."""
    course = request.course

    def shown(section: Section) -> dict[str, Any]:
        if "total_students" not in request.includes:
            return section_json(course, section)
        return section_json(course, section) | {"total_students": students_in(course, section)}

    return request.listed(course.listed_sections(), shown)


async def list_assignments(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/assignments`: unpublished ones too."""
    ids, flag = request.many("assignment_ids"), request.flag("post_to_sis")
    if len(ids) > MAX_ASSIGNMENT_IDS:
        raise BadRequest({"errors": [{"message": f"Too many assignment_ids requested, limit {MAX_ASSIGNMENT_IDS}"}]})
    wanted = [
        assignment
        for assignment in request.course.listed_assignments()
        if (not ids or str(assignment.id) in ids) and flag in (None, assignment.post_to_sis)
    ]
    return request.listed(wanted, partial(_assignment, request, request.course))


async def show_assignment(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/assignments/:id`."""
    course = request.course
    return request.answer(_assignment(request, course, course.assignment(request.path_id("id"))))


async def list_groups(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/assignment_groups`; `grades_published` appears on assignments only here."""
    course = request.course

    def shown(group: Group) -> dict[str, Any]:
        if "assignments" not in request.includes:
            return group_json(group)
        members = [a for a in course.listed_assignments() if a.assignment_group_id == group.id]
        return group_json(group) | {"assignments": [_assignment(request, course, each) for each in members]}

    return request.listed(sorted(course.groups.values(), key=lambda group: group.position), shown)


async def list_enrollments(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/enrollments`: without `state[]` only active and invited ones.

    A student's has the totals, as a grader sees them.
    """
    course, users = request.course, request.canvas.users

    def shown(each: Enrollment) -> dict[str, Any]:
        found = enrollment_json(course, each, users[each.user_id])
        return found | ({"grades": grades_json(course, each.user_id)} if each.is_student else {})

    return request.listed(_enrollments(request, course), shown)


async def list_grading_periods(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/grading_periods`: in an object, not a list."""
    page = request.page(request.course.grading_periods)
    return request.answer({"grading_periods": [grading_period_json(each) for each in page.items]}, link=page.link)


async def list_course_users(request: ApiRequest) -> Response:
    """`GET /api/v1/courses/:course_id/users`: by kind and state of enrollment; each once, with `include[]=email`.

    Source: canvas-lms Courses API, "List users in course". A caller who may not read addresses gets none.
    """
    course, users = request.course, request.canvas.users
    types = [f"{kind.title()}Enrollment" for kind in request.many("enrollment_type")]
    ids = dict.fromkeys(each.user_id for each in _enrollments(request, course, "enrollment_state", types))
    shows_email = "email" in request.includes and request.canvas.seed.may_read_emails
    return request.listed(
        [users[user_id] for user_id in ids],
        lambda user: user_json(user) | ({"email": user.email} if shows_email else {}),
    )


def _enrollments(
    request: ApiRequest, course: Course, state: str = "state", types: Collection[str] = ()
) -> list[Enrollment]:
    """Return the enrollments of the states and types that are asked for; without, the active and invited ones."""
    states, types = request.many(state) or ["active", "invited"], types or request.many("type")
    found = (each for each in list(course.enrollments.values()) if each.state in states)
    return [each for each in found if not types or each.type in types]


def _user(request: ApiRequest, name: str) -> User:
    """Return the person whom the path names, by id or as `sis_user_id:…`. Raises `UnknownObject`."""
    key, users = str(request.path_params[name]), request.canvas.users.values()
    by_sis_id, wanted = key.startswith(SIS_USER), key.removeprefix(SIS_USER)
    found = next((user for user in users if (user.sis_user_id if by_sis_id else str(user.id)) == wanted), None)
    if found is None or found.workflow_state == "deleted":
        raise UnknownObject("no such user")
    return found


def _root_account(request: ApiRequest) -> dict[str, Any]:
    uuid = request.canvas.seed.root_account_uuid
    return {"id": ROOT_ACCOUNT_ID, "name": "Sandbox District", "uuid": uuid, "root_account_id": None}


def _course(request: ApiRequest, course: Course) -> dict[str, Any]:
    return course_json(course, request.canvas.seed.zone, request.includes)


def _assignment(request: ApiRequest, course: Course, assignment: Assignment) -> dict[str, Any]:
    base_dates, theme = request.flag("override_assignment_dates") is False, request.canvas.seed.theme
    return assignment_json(course, assignment, request.includes, base_dates=base_dates, theme=theme)


READ_ROUTES: Final[list[Route]] = [
    api_route("GET", "/api/v1/users/self", show_self),
    api_route("GET", "/api/v1/users/:id", show_user),
    api_route("GET", "/api/v1/users/:user_id/user_generated_tokens", list_tokens),
    api_route("GET", "/api/v1/users/:user_id/enrollments", list_user_enrollments),
    api_route("GET", "/api/v1/accounts", list_accounts),
    api_route("GET", "/api/v1/accounts/:id", show_account),
    api_route("GET", "/api/v1/accounts/:account_id/courses", list_courses),
    api_route("GET", "/api/v1/accounts/:account_id/users", list_users),
    api_route("GET", "/api/v1/courses/:id", show_course),
    api_route("GET", "/api/v1/courses/:course_id/sections", list_sections),
    api_route("GET", "/api/v1/courses/:course_id/assignments", list_assignments),
    api_route("GET", "/api/v1/courses/:course_id/assignments/:id", show_assignment),
    api_route("GET", "/api/v1/courses/:course_id/assignment_groups", list_groups),
    api_route("GET", "/api/v1/courses/:course_id/enrollments", list_enrollments),
    api_route("GET", "/api/v1/courses/:course_id/grading_periods", list_grading_periods),
    api_route("GET", "/api/v1/courses/:course_id/users", list_course_users),
]
