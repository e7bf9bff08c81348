"""Handles requests to pages: who may see them, forged forms, templates, and error pages."""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.adapters.redis.client import RedisUnavailable
from shared.adapters.redis.remote_limits.outages import read_outages, record_page_view
from shared.config import ConfigurationError
from shared.errors import CourseGone, NotInCourse, PassbackError
from workers.container import Container
from workers.web.api.dependencies import CANVAS_ID
from workers.web.auth.roles import User
from workers.web.auth.sign_in import CLOSED, Authenticated, RequestAuthenticator
from workers.web.errors import ApiError
from workers.web.pages.rendering import Renderer
from workers.web.views.operator_actions import OperatorActions

SEE_OTHER = 303
MAX_FIELDS = 1000
COUNTS_AGE = timedelta(seconds=5)

Form = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of a signed-in user, with the fields of its form, or of its query where it reads by GET."""

    service: Container
    user: User
    token: str
    path: str
    fields: Form
    path_params: Mapping[str, str]

    @property
    def actions(self) -> OperatorActions:
        """Return what the user does: only operators may send the forms that do something."""
        return OperatorActions(self.service, self.user)

    def field(self, name: str, default: str = "") -> str:
        """Return the first value of a field."""
        return first(self.fields, name, default)

    def course_id(self) -> str:
        """Return the course that the path names. Raises `ApiError` if that is no id."""
        course_id = self.path_params["course_id"]
        if not re.fullmatch(CANVAS_ID, course_id):
            raise ApiError(404, "not_found", "A course's address ends with its Canvas id, a number.")
        return course_id

    def offset(self) -> int:
        """Return where the page of a list starts."""
        start = self.field("start", "0")
        return int(start) if start.isdecimal() and len(start) < 9 else 0


Values = Mapping[str, object]
View = Callable[[PageRequest], Values | str | Response]
"""Returns the values for a page's template, or the path of the page that a request leads to, or a file."""


class Access(NamedTuple):
    """By which method a page is asked for, and whether operators alone may."""

    method: str
    for_operators: bool


READ = Access("GET", for_operators=False)
# A form that only reads is sent so that no name gets into an address.
SEARCH = Access("POST", for_operators=False)
ACT = Access("POST", for_operators=True)


class PageHandlers:
    """Makes routes of views, and renders pages and error pages. Views block, and so run in threads."""

    def __init__(self, service: Container, sign_in: RequestAuthenticator) -> None:
        self.service = service
        self.sign_in = sign_in
        self.renderer = Renderer(service.clock, service.settings.district_time_zone, service.settings.canvas_url)
        self._with_problems, self._counted_at = 0, datetime.min.replace(tzinfo=UTC)

    def _page(self, template: str, request: PageRequest, values: Values) -> Response:
        """Return the page with what every page shows."""
        redis, keys = self.service.redis, self.service.keys
        record_page_view(redis, keys)
        return self.renderer.page(
            template, 200, user=request.user, token=request.token, path=request.path,
            outages=read_outages(redis, keys), counts=self._needing_people(), **values,
        )  # fmt: skip

    def message(self, status: int, title: str, text: str, request: Request | None = None) -> Response:
        """Return a page that says why there is no other; with the navigation for whoever may use it.

        Without Redis nobody knows who asks: the navigation is there, and leads to pages that say the same.
        """
        user, token, counts = None, "", None
        try:
            if request is not None and self.sign_in.is_possible:
                caller = self.sign_in.authenticate(request)
                user, token = caller.user, caller.token
                counts = self._needing_people() if user else None
        except RedisError:
            counts = {}
        # What is unavailable comes back: the page is loaded again by itself.
        refresh = "5" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
        return self.renderer.page(
            "layout/message.html", status, title=title, text=text, user=user, token=token, counts=counts, path="",
            refresh=refresh,
        )  # fmt: skip

    def _needing_people(self) -> dict[str, int]:
        """Return the numbers of the navigation by its paths: what a person should look at."""
        service, now = self.service, self.service.clock.now()
        if now - self._counted_at > COUNTS_AGE:
            # Reads a summary of every course.
            self._with_problems, self._counted_at = service.course_lists.totals().with_problems, now
        return {
            "/courses": self._with_problems,
            "/dead-letters": service.dead_letter_queue.count(),
            "/provisioning": len(service.provision_runs.held_runs()),
        }

    def route(self, access: Access, path: str, view: View, template: str) -> Route:
        """Return the route of a page. Forms are accepted from a page of this installation alone."""

        async def endpoint(request: Request) -> Response:
            fields = await request.body() if access.method == "POST" else request.url.query.encode()
            return await run_in_threadpool(self._respond, request, access, view, template, parse_form(fields))

        return Route(path, endpoint, methods=[access.method])

    def _respond(self, request: Request, access: Access, view: View, template: str, fields: Form) -> Response:
        if not self.sign_in.is_possible:
            return self.message(403, "Closed", CLOSED)
        caller = self.sign_in.authenticate(request)
        if caller.user is None:
            return self._not_signed_in(request)
        if access.method == "POST":
            verify_csrf(request, caller, first(fields, "token"))
        if access.for_operators and not caller.user.can_operate:
            raise ApiError(403, "not_operator", "Only operators may do this.")
        page_request = PageRequest(
            self.service, caller.user, caller.token, request.url.path, fields, request.path_params
        )
        found = view(page_request)
        if isinstance(found, str):
            response = redirect(found)
        else:
            response = found if isinstance(found, Response) else self._page(template, page_request, found)
        if caller.is_new:
            self.sign_in.set_cookie(caller.session_id, request, response)
        return response

    def _not_signed_in(self, request: Request) -> Response:
        if not self.sign_in.accounts:
            return self.message(403, "Not signed in", "The proxy in front of this page names nobody who may see it.")
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return redirect(f"/sign-in?next={quote(back)}" if request.method == "GET" and back != "/" else "/sign-in")

    def exception_handlers(self) -> dict[Any, Callable[[Request, Any], Response]]:
        """Return the page for each error, as Starlette takes them."""

        def message(status: int | None, title: str, text: str = "") -> Callable[[Request, Any], Response]:
            return lambda request, error: self.message(status or error.status_code, title, text or str(error), request)

        def not_done(request: Request, error: ApiError) -> Response:
            return with_retry_after(self.message(error.status, "Not done", error.message, request), error)

        not_found = message(None, "Not found", "There is no page at this address.")
        no_redis = message(503, "Redis does not answer", "Nothing is lost. Load this page again in a moment.")
        unexpected = "This page has a defect. Nothing else is touched by it; please report it."
        return {
            404: not_found,
            405: not_found,
            ApiError: not_done,
            RedisError: no_redis,
            # Also one of the errors of remote systems, of which the class is looked up first.
            RedisUnavailable: no_redis,
            ConfigurationError: message(503, "Not configured"),
            CourseGone: message(404, "Not found", "Canvas has no course of this id."),
            NotInCourse: message(404, "Not found"),
            PassbackError: message(503, "Canvas or PowerSchool did not answer as it should"),
            Exception: message(500, "Something is wrong here", unexpected),
        }


def verify_csrf(request: Request, caller: Authenticated, token: str) -> None:
    """Raise `ApiError` for a form that is not from a page that this session was given."""
    is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if is_foreign or not hmac.compare_digest(caller.token.encode(), token.encode()):
        raise ApiError(403, "maybe_forged", "This form is too old, or not from here: load its page again.")


def with_retry_after(response: Response, error: ApiError) -> Response:
    """Return the response with the error's `Retry-After`, if it has one."""
    if "Retry-After" in error.headers:
        response.headers["Retry-After"] = error.headers["Retry-After"]
    return response


def parse_form(body: bytes) -> dict[str, list[str]]:
    """Return the fields of an urlencoded form. Raises `ApiError` for what is none."""
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ApiError(422, "not_valid", "This form cannot be read.") from None


def first(fields: Form, name: str, default: str = "") -> str:
    """Return the first value of a field."""
    return fields.get(name, [default])[0]


def redirect(path: str) -> Response:
    """Return the response that leads a browser to another page of this installation."""
    return RedirectResponse(path, SEE_OTHER)
