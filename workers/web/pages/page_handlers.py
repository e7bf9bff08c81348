"""What every page needs: who may see it and act on it, and what is answered where something is not done."""

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
from workers.web.views.provisioning import ProvisioningPages

SEE_OTHER = 303
MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of somebody who signed in, with the fields of its form and the parts of its path."""

    person: User
    caller: Authenticated
    path: str
    query: Mapping[str, list[str]]
    form: Mapping[str, list[str]]
    parts: Mapping[str, str]

    def asked(self, name: str, default: str = "") -> str:
        """Return a field of the query."""
        return self.query.get(name, [default])[0]

    def start(self) -> int:
        """Return where the page of a list starts."""
        given = self.asked("start", "0")
        return int(given) if given.isdecimal() and len(given) < 9 else 0

    def said(self, name: str, default: str = "") -> str:
        """Return a field of the form."""
        return self.form.get(name, [default])[0]


View = Callable[[PageRequest], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


class PageHandlers:
    """What every page needs."""

    def __init__(self, service: Container, sign_in: RequestAuthenticator, provisioning: ProvisioningPages) -> None:
        self.service = service
        self.sign_in = sign_in
        self.provisioning = provisioning
        self.acts = OperatorActions(service, provisioning)
        self.renderer = Renderer(service.clock, service.settings.district_time_zone)

    def page(self, template: str, visit: PageRequest, status: int = 200, **values: object) -> Response:
        """Return the page with what every page shows."""
        return self.renderer.page(
            template, status, person=visit.person, token=visit.caller.token, path=visit.path, **values
        )  # fmt: skip

    def message(self, status: int, title: str, text: str, person: User | None = None, token: str = "") -> Response:
        """Return a page that says why there is no other."""
        return self.renderer.page("message.html", status, title=title, text=text, person=person, token=token, path="")

    def looking(self, view: View) -> Endpoint:
        """Return the endpoint of a page for everybody who signed in."""

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(self._guarded, request, view, b"")

        return endpoint

    def acting(self, view: View) -> Endpoint:
        """Return the endpoint of a form: for operators, and from a page of ours alone."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(self._guarded, request, self._checked(request, view), body)

        return endpoint

    def _checked(self, request: Request, view: View) -> View:
        def checked(visit: PageRequest) -> Response:
            self.refuse_forged(request, visit.caller, visit.said("token"))
            if not visit.person.may_act:
                raise ApiError(403, "not_operator", "Only operators may do this.")
            return view(visit)

        return checked

    def refuse_forged(self, request: Request, caller: Authenticated, token: str) -> None:
        """Raise `ApiError` for a form that is not from a page that this session was given."""
        is_foreign = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        name = caller.person.name if caller.person else ""
        if is_foreign or not self.sign_in.sessions.is_token(caller.session, name, token):
            raise ApiError(403, "maybe_forged", "This form is too old, or not from here: load its page again.")

    def _guarded(self, request: Request, view: View, body: bytes) -> Response:
        return self.answered(lambda: self._answer(request, view, parse_form(body)))

    def answered(self, answer: Callable[[], Response]) -> Response:
        """Return the answer, or the page that says why there is none."""
        try:
            return answer()
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

    def _answer(self, request: Request, view: View, form: Mapping[str, list[str]]) -> Response:
        if not self.sign_in.is_possible:
            return self.message(403, "Closed", CLOSED)
        caller = self.sign_in.caller(request)
        if caller.person is None:
            return self._not_signed_in(request)
        query = parse_form(request.url.query.encode())
        visit = PageRequest(caller.person, caller, request.url.path, query, form, request.path_params)
        response = view(visit)
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
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise ApiError(422, "not_valid", "This form cannot be read.") from None


def redirect(path: str) -> Response:
    """Return the answer that leads a browser to another page of ours."""
    return RedirectResponse(path, SEE_OTHER)
