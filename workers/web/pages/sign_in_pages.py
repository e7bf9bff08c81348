"""Signing in and out."""

from collections.abc import Mapping
from functools import partial

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.web.auth.roles import User
from workers.web.auth.sessions import COOKIE
from workers.web.auth.sign_in import CLOSED
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, parse_form, redirect

MAX_PASSWORD_CHARS = 1000
_FORM_IS_VALID = Response()


class SignInViews:
    """The forms to sign in and out."""

    def __init__(self, handlers: PageHandlers) -> None:
        self._handlers = handlers

    def routes(self) -> list[Route]:
        """Return the paths."""
        return [
            Route("/sign-in", self._get, methods=["GET"]),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
        ]

    async def _get(self, request: Request) -> Response:
        asked = request.query_params.get("next", "/")
        return await run_in_threadpool(self._handlers.respond, lambda: self._form(request, asked))

    async def _sign_in(self, request: Request) -> Response:
        body = await request.body()
        refused = await run_in_threadpool(self._refused, request, body)
        if refused is not None:
            return refused
        form = parse_form(body)
        name, password = _first(form, "account"), _first(form, "password")[:MAX_PASSWORD_CHARS]
        try:
            person = await self._handlers.sign_in.check_password(request, name, password, "pages")
        except (ApiError, RedisError) as error:
            return await run_in_threadpool(self._handlers.respond, partial(self._not_signed_in, request, form, error))
        return await run_in_threadpool(self._handlers.respond, lambda: self._signed_in(request, form, person))

    async def _sign_out(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._handlers.respond, lambda: self._signed_out(request, parse_form(body)))

    def _form(self, request: Request, asked: str, status: int = 200, problem: str = "") -> Response:
        sign_in = self._handlers.sign_in
        if not sign_in.is_possible:
            return self._handlers.message(403, "Closed", CLOSED)
        if not sign_in.accounts:
            return redirect("/")
        caller = sign_in.authenticate(request)
        response = self._handlers.renderer.page(
            "sign_in.html", status, next=safe(asked), problem=problem, accounts=sign_in.accounts, person=None,
            token=sign_in.sessions.token(caller.session, ""), path="/sign-in",
        )  # fmt: skip
        if caller.session.is_new:
            sign_in.sessions.write(caller.session, response, secure=caller.is_secure)
        return response

    def _refused(self, request: Request, body: bytes) -> Response | None:
        """Return the answer to a form that is not read any further, None for one whose password is checked."""
        sign_in = self._handlers.sign_in

        def checked() -> Response:
            form = parse_form(body)
            if not sign_in.sessions.is_token(sign_in.authenticate(request).session, "", _first(form, "token")):
                return self._form(request, _first(form, "next"), 403, "This form was too old. Please send it again.")
            return _FORM_IS_VALID

        answer = self._handlers.respond(checked)
        return None if answer is _FORM_IS_VALID else answer

    def _not_signed_in(self, request: Request, form: Mapping[str, list[str]], error: Exception) -> Response:
        if not isinstance(error, ApiError):
            raise error
        response = self._form(request, _first(form, "next"), error.status, error.message)
        if error.headers and "Retry-After" in error.headers:
            response.headers["Retry-After"] = error.headers["Retry-After"]
        return response

    def _signed_in(self, request: Request, form: Mapping[str, list[str]], person: User) -> Response:
        sign_in = self._handlers.sign_in
        # A session of this browser that somebody signed in to before ends here.
        sign_in.sessions.end(sign_in.authenticate(request).session)
        self._handlers.actions.record_sign_in(person)
        response = redirect(safe(_first(form, "next")))
        sign_in.sessions.write(sign_in.sessions.open(person.role), response, secure=sign_in.is_secure(request))
        return response

    def _signed_out(self, request: Request, form: Mapping[str, list[str]]) -> Response:
        caller = self._handlers.sign_in.authenticate(request)
        self._handlers.verify_csrf(request, caller, _first(form, "token"))
        self._handlers.sign_in.sessions.end(caller.session)
        response = redirect("/sign-in")
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return response


def safe(path: str) -> str:
    """Return a path of ours; the first page for anything that leads elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


def _first(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]
