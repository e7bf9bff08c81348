"""Pages in which a person uses the sandbox Canvas: courses, Gradebook, assignments, the account, and tools in frames.

They are as plain as they can be; what they change goes through the actions, with their Live Events.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.lti.tools import Tool
from shared.sandbox.canvas.lti.visit import Refused, Visit, rendered, sandbox
from shared.sandbox.canvas.state import ROOT_ACCOUNT_ID, Course, UnknownObject, User


def _number(request: Request, name: str) -> int:
    return int(request.path_params[name])


async def course_page(visit: Visit) -> Response:
    """Show a course: its assignments and its menu."""
    return visit.page("course.html", assignments=_course(visit).listed_assignments())


async def assignment_page(visit: Visit) -> Response:
    """Show an assignment; save what its form says, or post or hide its grades."""
    course, number = _course(visit), _number(visit.request, "assignment_id")
    assignment = course.assignment(number)
    if visit.request.method == "POST":
        _require_staff(visit)
        form = {name: str(value) for name, value in (await visit.request.form()).items()}
        match form.get("do"):
            case "post":
                visit.canvas.post(course.id, number)
            case "hide":
                visit.canvas.hide(course.id, number)
            case _:
                visit.canvas.edit_assignment(course.id, number, _edited(visit, form))
        return RedirectResponse(visit.request.url.path, 303)
    return visit.page("assignment.html", assignment=assignment, zone=visit.zone)


def _edited(visit: Visit, form: dict[str, str]) -> dict[str, Any]:
    due_at = form.get("due_at", "")
    return {
        "name": form["name"],
        "due_at": datetime.fromisoformat(due_at).replace(tzinfo=visit.zone) if due_at else None,
        "points_possible": float(form["points_possible"]) if form.get("points_possible") else None,
        "assignment_group_id": int(form["assignment_group_id"]),
        "workflow_state": "published" if "published" in form else "unpublished",
        "post_to_sis": "post_to_sis" in form,
    }


async def gradebook_page(visit: Visit) -> Response:
    """Show the Gradebook, one assignment at a time, with its Sync menu; save scores that were entered."""
    course, request = _course(visit), visit.request
    _require_staff(visit)
    assignments = course.listed_assignments()
    asked = request.query_params.get("assignment_id", "")
    chosen = course.assignment(int(asked)) if asked.isdigit() else next(iter(assignments), None)
    students = sorted(
        {e.user_id: visit.canvas.users[e.user_id] for e in course.student_enrollments(["active"])}.values(),
        key=lambda user: user.name,
    )
    if request.method == "POST" and chosen:
        for name, value in (await request.form()).items():
            submission = visit.canvas.submission(course, chosen.id, int(name))
            if str(value) != score_text(submission.score):
                visit.canvas.grade_as_posted(course.id, chosen.id, int(name), str(value))
        return RedirectResponse(f"{request.url.path}?assignment_id={chosen.id}", 303)
    rows = [(user, visit.canvas.submission(course, chosen.id, user.id)) for user in students] if chosen else []
    return visit.page("gradebook.html", assignments=assignments, chosen=chosen, rows=rows, score_text=score_text)


def score_text(score: float | None) -> str:
    """Return a score as the Gradebook's fields show it."""
    return "" if score is None else f"{score:g}"


async def account_page(visit: Visit) -> Response:
    """Show the account: its courses and its menu."""
    return visit.page("account.html", courses=list(visit.canvas.courses.values()))


async def tool_page(visit: Visit) -> Response:
    """Show a page with a tool in a frame."""
    tool = _tool(visit)
    url = visit.request.url
    return visit.page("tool.html", tool=tool, src=f"{url.path}/launch?{url.query}")


async def launch_frame(visit: Visit) -> Response:
    """Prepare a launch, and send the frame to the tool's login initiation."""
    tool = _tool(visit)
    request = visit.platform.login_request(visit.launch(tool, _placement(visit)), visit.storage)
    return visit.page("post.html", action=tool.oidc_initiation_url, fields=request)


async def retrieve(visit: Visit) -> Response:
    """Launch the tool to which an address belongs, without a frame: the only `display` here is `borderless`."""
    url = visit.request.query_params.get("url", "")
    for tool in visit.platform.tools.values():
        if url in {tool.target_link_uri, *(placement.target_link_uri for placement in tool.placements)}:
            request = visit.platform.login_request(visit.launch(tool, "", url), "none")
            return visit.page("post.html", action=tool.oidc_initiation_url, fields=request)
    raise UnknownObject("Couldn't find valid settings for this link")


async def grades_page(visit: Visit) -> Response:
    """Lead to the Gradebook: a page of one student's grades is not needed."""
    return RedirectResponse(f"/courses/{_course(visit).id}/gradebook", 303)


async def returned(visit: Visit) -> Response:
    """Show what a tool's return URL shows in its frame: it closes the dialog around it."""
    return visit.page("returned.html")


async def registration_page(visit: Visit) -> Response:
    """Show an administrator the registration page of a tool, in a frame, with a token to register by."""
    _require_staff(visit)
    token = visit.platform.registration_token(visit.real_user.id)
    base = visit.platform.settings.platform_url or visit.base_url
    configuration = f"{base}/api/lti/security/openid-configuration?registration_token={token}"
    src = visit.request.query_params["url"]
    parameters = {"openid_configuration": configuration, "registration_token": token}
    return visit.page("registration.html", src=str(URL(src).include_query_params(**parameters)))


def _course(visit: Visit) -> Course:
    assert visit.course is not None
    return visit.course


def _tool(visit: Visit) -> Tool:
    number = _number(visit.request, "tool_id")
    if number not in visit.platform.tools:
        raise UnknownObject(f"no tool {number}")
    return visit.platform.tools[number]


def _placement(visit: Visit) -> str:
    default = "course_navigation" if visit.course else "account_navigation"
    return visit.request.query_params.get("placement", default)


def _require_staff(visit: Visit) -> None:
    if not visit.is_staff:
        raise Refused("Only teachers may do this.")


def page_route(path: str, view: Callable[[Visit], Awaitable[Response]], *methods: str) -> Route:
    """Return the route of a page, which says why it is not shown."""

    async def endpoint(request: Request) -> Response:
        try:
            return await view(Visit(request))
        except Refused as refusal:
            return rendered("refused.html", 401, text=str(refusal), users=_people(request))
        except UnknownObject as error:
            return rendered("refused.html", 404, text=str(error), users=[])

    return Route(path, endpoint, methods=list(methods) or ["GET"])


def _people(request: Request) -> list[User]:
    return list(sandbox(request).users.values())[:5]


COURSE, ACCOUNT = "/courses/{course_id:int}", f"/accounts/{ROOT_ACCOUNT_ID}"
PAGE_ROUTES: Final = [
    page_route(COURSE, course_page),
    page_route(f"{COURSE}/assignments/{{assignment_id:int}}", assignment_page, "GET", "POST"),
    page_route(f"{COURSE}/gradebook", gradebook_page, "GET", "POST"),
    page_route(f"{COURSE}/grades/{{user_id:int}}", grades_page),
    page_route(ACCOUNT, account_page),
    page_route(f"{ACCOUNT}/lti_registrations", registration_page),
    *(
        route
        for context in (COURSE, ACCOUNT, "/accounts/self")
        for route in (
            page_route(f"{context}/external_tools/retrieve", retrieve),
            page_route(f"{context}/external_tools/{{tool_id:int}}", tool_page),
            page_route(f"{context}/external_tools/{{tool_id:int}}/launch", launch_frame),
            page_route(f"{context}/external_content/success/external_tool_redirect", returned),
        )
    ),
]
