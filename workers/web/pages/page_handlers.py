"""Handles requests to pages: sign-in, operator role, forged forms, and error pages."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.config import ConfigurationError
from shared.errors import PassbackError
from workers.container import Container
from workers.web.auth.roles import User
from workers.web.auth.sign_in import CLOSED, Authenticated, RequestAuthenticator
from workers.web.errors import ApiError
from workers.web.pages.rendering import Renderer
from workers.web.views.operator_actions import OperatorActions

SEE_OTHER = 303
MAX_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of a signed-in user, with the fields of its query and form."""

    person: User
    caller: Authenticated
    path: str
    query_fields: Mapping[str, list[str]]
    form_fields: Mapping[str, list[str]]
    path_params: Mapping[str, str]

    def query(self, name: str, default: str = "") -> str:
        """Return a field of the query."""
        return self.query_fields.get(name, [default])[0]

    def offset(self) -> int:
        """Return where the page of a list starts."""
        given = self.query("start", "0")
        return int(given) if given.isdecimal() and len(given) < 9 else 0

    def form(self, name: str, default: str = "") -> str:
        """Return a field of the form."""
        return self.form_fields.get(name, [default])[0]


View = Callable[["PageHandlers", PageRequest], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


class PageHandlers:
    """Wraps views into Starlette endpoints, and renders pages and error pages."""

    def __init__(self, service: Container, sign_in: RequestAuthenticator) -> None:
        self.service = service
        self.sign_in = sign_in
        self.actions = OperatorActions(service)
        self.renderer = Renderer(service.clock, service.settings.district_time_zone)

    def page(self, template: str, page_request: PageRequest, status: int = 200, **values: object) -> Response:
        """Return the page with what every page shows."""
        return self.renderer.page(
            template, status, person=page_request.person, token=page_request.caller.token, path=page_request.path,
            **values,
        )  # fmt: skip

    def message(self, status: int, title: str, text: str, person: User | None = None, token: str = "") -> Response:
        """Return a page that says why there is no other."""
        return self.renderer.page("message.html", status, title=title, text=text, person=person, token=token, path="")

    def get_view(self, view: View) -> Endpoint:
        """Return the endpoint of a page for everybody who signed in."""

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(self._with_errors, request, view, b"")

        return endpoint

    def post_view(self, view: View) -> Endpoint:
        """Return the endpoint of a form: for operators, and from a page of ours alone."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(self._with_errors, request, self._authorize(request, view), body)

        return endpoint

    def _authorize(self, request: Request, view: View) -> View:
        def authorized(pages: PageHandlers, page_request: PageRequest) -> Response:
            self.verify_csrf(request, page_request.caller, page_request.form("token"))
            if not page_request.person.can_operate:
                raise ApiError(403, "not_operator", "Only operators may do this.")
            return view(pages, page_request)

        return authorized

    def verify_csrf(self, request: Request, caller: Authenticated, token: str) -> None:
        """Raise `ApiError` for a form that is not from a page that this session was given."""
        is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        name = caller.person.name if caller.person else ""
        if is_foreign or not self.sign_in.sessions.is_token(caller.session, name, token):
            raise ApiError(403, "maybe_forged", "This form is too old, or not from here: load its page again.")

    def _with_errors(self, request: Request, view: View, body: bytes) -> Response:
        return self.respond(lambda: self._respond(request, view, parse_form(body)))

    def respond(self, view: Callable[[], Response]) -> Response:
        """Return the response of `view`, or an error page."""
        try:
            return view()
        except ApiError as refused:
            response = self.message(refused.status, "Not done", refused.message)
            if refused.headers and "Retry-After" in refused.headers:
                response.headers["Retry-After"] = refused.headers["Retry-After"]
            return response
        except RedisError:
            return self.message(503, "Redis does not answer", "Nothing is lost. Load this page again in a moment.")
        except ConfigurationError as error:
            return self.message(503, "Not configured", str(error))
        except PassbackError as error:
            return self.message(503, "Canvas or PowerSchool did not answer as it should", str(error))

    def _respond(self, request: Request, view: View, form: Mapping[str, list[str]]) -> Response:
        if not self.sign_in.is_possible:
            return self.message(403, "Closed", CLOSED)
        caller = self.sign_in.authenticate(request)
        if caller.person is None:
            return self._not_signed_in(request)
        query = parse_form(request.url.query.encode())
        page_request = PageRequest(caller.person, caller, request.url.path, query, form, request.path_params)
        response = view(self, page_request)
        if caller.session.is_new:
            self.sign_in.sessions.write(caller.session, response, secure=caller.is_secure)
        return response

    def _not_signed_in(self, request: Request) -> Response:
        if not self.sign_in.accounts:
            return self.message(403, "Not signed in", "The proxy in front of this page names nobody who may see it.")
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return redirect(f"/sign-in?next={quote(back)}" if request.method == "GET" and back != "/" else "/sign-in")


def parse_form(body: bytes) -> dict[str, list[str]]:
    """Return the fields of an urlencoded form. Raises `ApiError` for what is none."""
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ApiError(422, "not_valid", "This form cannot be read.") from None


def redirect(path: str) -> Response:
    """Return the answer that leads a browser to another page of ours."""
    return RedirectResponse(path, SEE_OTHER)
