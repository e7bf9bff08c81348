"""Handles requests for pages inside Canvas: who asks is in the token of the launch."""

from collections.abc import Awaitable, Callable, Mapping

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.config import ConfigurationError
from shared.errors import CourseGone, PassbackError
from workers.container import Container
from workers.web.errors import ApiError, redis_unavailable
from workers.web.lti.pages import account_pages, course_pages, student_pages
from workers.web.lti.pages.page_renderer import TOKEN_FIELD, TOKEN_HEADER, LtiPageRenderer, LtiRequest, View
from workers.web.lti.pages.turns import Turns
from workers.web.lti.refusals import Refusal
from workers.web.lti.session import InvalidSession, LtiRole, LtiSession, LtiSessions
from workers.web.pages.page_handlers import Form, first, parse_form
from workers.web.views.live_reads import FOR_BOTH_SIDES, waits_at_most

TOO_OLD = (
    "This page was opened more than an hour ago, or passback was set up anew since. Open it again from its link in "
    "Canvas."
)

VIEWS: Mapping[str, View] = {**course_pages.POST, **student_pages.POST, **account_pages.POST}
LANDING: Mapping[str, View] = {
    "post_grades": course_pages.show_post_grades,
    "assignment_menu": course_pages.show_assignment,
    "assignment_view": course_pages.show_assignment,
}
"""The first page of a launch, by the placement; for others the course's."""


class LtiPages(LtiPageRenderer):
    """Turns views into Starlette endpoints. Views block, and so run in threads."""

    def __init__(self, service: Container, sessions: LtiSessions) -> None:
        super().__init__(service)
        self.sessions = sessions
        self._turns = Turns()

    def landing_page(self, session: LtiSession) -> Response:
        """Return the first page of a launch."""
        is_account = session.role is LtiRole.ADMIN and session.course_id is None
        view = account_pages.show_account if is_account else LANDING.get(session.placement, course_pages.show_course)
        return view(self, LtiRequest(session, self.sessions.issue(session), {}))

    def message(
        self, status: int, title: str, text: str, *, template: str = "lti/launch/message.html", **values: object
    ) -> Response:
        """Return a page without a session: it says why there is no other, or is on the way to one."""
        values = {"code": "", "again": {}, **values}
        return self.renderer.page(template, status, session=None, title=title, text=text, **values)

    def refusal(self, refusal: Refusal, *, again: Mapping[str, str] | None = None) -> Response:
        """Return the page of a refusal: what is wrong, what to do, and its code; with a form to begin `again`."""
        reason = refusal.value
        text = f"{reason.what} {reason.remedy}"
        return self.message(reason.status, "Not opened", text, code=refusal.code, again=again or {})

    def routes(self) -> list[Route]:
        """Return the routes of all pages."""
        return [Route(path, self.post_view(view), methods=["POST"]) for path, view in VIEWS.items()]

    def post_view(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page, which a form or a script of another page inside Canvas asks for."""

        async def endpoint(request: Request) -> Response:
            if request.url.query:
                # Nothing of a page inside Canvas is in its address: what is there was added by somebody else.
                raise ApiError(422, "not_valid", "This page has no such address.")
            form = parse_form(await request.body())
            token = request.headers.get(TOKEN_HEADER) or first(form, TOKEN_FIELD)
            if view not in student_pages.READ_LIVE:
                return await run_in_threadpool(self._respond, view, token, form)
            session = await run_in_threadpool(self._session, token)
            async with self._turns.of(session.actor) as is_newest:
                return await run_in_threadpool(
                    self._respond, view if is_newest else course_pages.asked_again, token, form
                )

        return endpoint

    def _session(self, token: str) -> LtiSession:
        try:
            return self.sessions.read(token)
        except InvalidSession:
            raise ApiError(403, "too_old", TOO_OLD) from None
        except RedisError:
            raise redis_unavailable() from None

    def _respond(self, view: View, token: str, form: Form) -> Response:
        request = LtiRequest(self._session(token), token, form)
        try:
            try:
                with waits_at_most(FOR_BOTH_SIDES):
                    return view(self, request)
            except CourseGone:
                return course_pages.course_gone(self, request)
            except (PassbackError, ConfigurationError):
                return course_pages.no_response(self, request)
        except RedisError:
            raise redis_unavailable() from None
