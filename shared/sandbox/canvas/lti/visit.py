"""Who is signed in to the sandbox Canvas, and where: what every page of it starts from.

`?as=<user id>` signs somebody in, `?become_user_id=<user id>` lets an administrator act as somebody else, and
`?storage=` chooses what the page around a tool offers.
"""

from pathlib import Path
from typing import Any, Final, cast, get_args
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.sandbox.canvas.lti.claims import STAFF, Launch, current_enrollments, is_account_admin
from shared.sandbox.canvas.lti.platform import LtiPlatform, Storage
from shared.sandbox.canvas.lti.tools import Placement, Tool
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.state import ROOT_ACCOUNT_ID

# Who has the permission `manage_grades` by their role; the only one that a placement of a tool asks for here.
GRADERS: Final = frozenset({"TeacherEnrollment", "TaEnrollment"})
SESSION_COOKIE: Final = "_sandbox_session"
TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


class Refused(Exception):
    """The signed-in person may not see this page, or nobody is signed in."""


def rendered(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(TEMPLATES.get_template(template).render(**values), status)


def sandbox(request: Request) -> CanvasSandbox:
    """Return the sandbox behind the app."""
    return cast("CanvasSandbox", request.app.state.sandbox)


def platform(request: Request) -> LtiPlatform:
    """Return the platform behind the app."""
    return sandbox(request).lti


def signed_in_user_id(request: Request) -> int | None:
    """Return as whom somebody is signed in: the other person while an administrator acts as one."""
    session = _session(request)
    return session[0] if session else None


def _session(request: Request) -> tuple[int, int] | None:
    """Return the person as whom somebody acts and the real one, from the address or the cookie."""
    users, query = sandbox(request).users, request.query_params
    user, _, real = request.cookies.get(SESSION_COOKIE, "").partition("-")
    ids = [query.get("as", real), query.get("become_user_id", "" if "as" in query else user)]
    if not ids[0].isdigit() or int(ids[0]) not in users:
        return None
    real_id = int(ids[0])
    user_id = int(ids[1]) if ids[1].isdigit() and int(ids[1]) in users else real_id
    return (user_id, real_id) if is_account_admin(users[real_id]) else (real_id, real_id)


class Visit:
    """One request of a signed-in person for a page of a course, or of the account."""

    def __init__(self, request: Request) -> None:
        session = _session(request)
        if session is None:
            raise Refused("Sign in first: add ?as=<user id> to the address.")
        self.request, self.canvas, self.platform = request, sandbox(request), platform(request)
        self.user, self.real_user = self.canvas.users[session[0]], self.canvas.users[session[1]]
        number = request.path_params.get("course_id")
        self.course = None if number is None else self.canvas.course(number)
        self.base_url = str(request.base_url).rstrip("/")
        own = current_enrollments(self.course, self.user) if self.course else []
        self._types = {each.type for each in own}
        self.is_admin = is_account_admin(self.user)
        self.is_staff = self.is_admin or bool(self._types & STAFF)
        if not self.is_staff and not own:
            raise Refused("You are not a member of this page's course or account.")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the course, else of the account."""
        return ZoneInfo((self.course and self.course.time_zone) or self.canvas.seed.zone)

    @property
    def storage(self) -> Storage:
        """What this page offers to tools."""
        asked = self.request.query_params.get("storage")
        return cast("Storage", asked) if asked in get_args(Storage) else self.platform.settings.storage

    def launch(self, tool: Tool, placement: str, target: str = "") -> Launch:
        """Return the launch of a tool's placement, or of an address, by this person, here."""
        assignment = self.request.query_params.get("assignment_id", "")
        number = self.course.assignment(int(assignment)).id if self.course and assignment.isdigit() else None
        return Launch(
            self.canvas, tool, placement, self.user, self.real_user, self.course, number, self.base_url, target
        )

    def tools(self, placement: str) -> list[tuple[Tool, str]]:
        """Return the tools that this person is offered in a placement, with the text of the link."""
        found = ((tool, tool.placed(placement)) for tool in self.platform.tools.values())
        return [(tool, placed.text or tool.title) for tool, placed in found if placed and self._sees(placed)]

    def _sees(self, placement: Placement) -> bool:
        """Say whether the person sees the link. Whoever knows its address can launch it all the same."""
        may_grade = self.is_admin or bool(self._types & GRADERS)
        return may_grade if placement.required_permissions else self.is_staff or placement.visibility != "admins"

    def page(self, template: str, **values: Any) -> Response:
        """Return a page, and the cookie that keeps the person signed in."""
        response = rendered(
            template,
            visit=self,
            course=self.course,
            path=f"/courses/{self.course.id}" if self.course else f"/accounts/{ROOT_ACCOUNT_ID}",
            forwarding=f"{self.platform.settings.platform_url or self.base_url}/post_message_forwarding"
            f"?token={self.platform.parent_token(self.base_url)}",
            **values,
        )
        is_secure = self.request.url.scheme == "https"
        response.set_cookie(
            SESSION_COOKIE,
            f"{self.user.id}-{self.real_user.id}",
            httponly=True,
            secure=is_secure,
            samesite="none" if is_secure else "lax",
        )
        return response
