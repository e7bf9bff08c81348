"""Handles requests for pages inside Canvas: who asks is in the token of the launch."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.container import Container
from workers.web.errors import ApiError, redis_unavailable
from workers.web.lti.refusals import Refusal
from workers.web.lti.session import InvalidSession, LtiSession, LtiSessions
from workers.web.pages.page_handlers import Form, first, parse_form
from workers.web.pages.rendering import Renderer

TOKEN_FIELD, TOKEN_HEADER = "lti_token", "X-Passback-Lti"
TOO_OLD = "This page was opened more than an hour ago. Open it again from its link in Canvas."


@dataclass(frozen=True, slots=True)
class LtiRequest:
    """One request of somebody whom Canvas sent, with the fields of its form."""

    session: LtiSession
    token: str
    form_fields: Form

    def form(self, name: str) -> str:
        """Return a field of the form."""
        return first(self.form_fields, name)


View = Callable[["LtiPages", LtiRequest], Response]


class LtiPages:
    """Turns views into Starlette endpoints, and renders pages. Views block, and so run in threads."""

    def __init__(self, service: Container, sessions: LtiSessions) -> None:
        self.service = service
        self.sessions = sessions
        self.renderer = Renderer(service.clock, service.settings.district_time_zone, service.settings.canvas_url)

    def landing_page(self, session: LtiSession) -> Response:
        """Return the first page of a launch, by its placement."""
        return self.page("lti/landing.html", LtiRequest(session, self.sessions.issue(session), {}))

    def page(self, template: str, request: LtiRequest, **values: object) -> Response:
        """Return the page, with what every page inside Canvas shows."""
        return self.renderer.page(template, 200, session=request.session, lti_token=request.token, **values)

    def message(
        self, status: int, title: str, text: str, *, template: str = "lti/message.html", **values: object
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
        return []

    def post_view(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page, which a form or a script of another page inside Canvas asks for."""

        async def endpoint(request: Request) -> Response:
            form = parse_form(await request.body())
            token = request.headers.get(TOKEN_HEADER) or first(form, TOKEN_FIELD)
            return await run_in_threadpool(self._respond, view, token, form)

        return endpoint

    def _respond(self, view: View, token: str, form: Form) -> Response:
        try:
            return view(self, LtiRequest(self.sessions.read(token), token, form))
        except InvalidSession:
            raise ApiError(403, "too_old", TOO_OLD) from None
        except RedisError:
            raise redis_unavailable() from None
