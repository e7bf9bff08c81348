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

LONGEST_PASSWORD = 1000
_MAY_BE_CHECKED = Response()


class SignInViews:
    """The forms to sign in and out."""

    def __init__(self, desk: PageHandlers) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the paths."""
        return [
            Route("/sign-in", self._show, methods=["GET"]),
            Route("/sign-in", self._enter, methods=["POST"]),
            Route("/sign-out", self._leave, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        asked = request.query_params.get("next", "/")
        return await run_in_threadpool(self._desk.answered, lambda: self._form(request, asked))

    async def _enter(self, request: Request) -> Response:
        body = await request.body()
        refused = await run_in_threadpool(self._refused, request, body)
        if refused is not None:
            return refused
        form = parse_form(body)
        name, password = _first(form, "account"), _first(form, "password")[:LONGEST_PASSWORD]
        try:
            person = await self._desk.sign_in.by_password(request, name, password, "pages")
        except (ApiError, RedisError) as error:
            return await run_in_threadpool(self._desk.answered, partial(self._not_entered, request, form, error))
        return await run_in_threadpool(self._desk.answered, lambda: self._entered(request, form, person))

    async def _leave(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._desk.answered, lambda: self._left(request, parse_form(body)))

    def _form(self, request: Request, asked: str, status: int = 200, problem: str = "") -> Response:
        sign_in = self._desk.sign_in
        if not sign_in.is_possible:
            return self._desk.message(403, "Closed", CLOSED)
        if not sign_in.accounts:
            return redirect("/")
        caller = sign_in.caller(request)
        response = self._desk.renderer.page(
            "sign_in.html", status, next=safe(asked), problem=problem, accounts=sign_in.accounts, person=None,
            token=sign_in.sessions.token(caller.session, ""), path="/sign-in",
        )  # fmt: skip
        if caller.session.is_new:
            sign_in.sessions.write(caller.session, response, secure=caller.is_secure)
        return response

    def _refused(self, request: Request, body: bytes) -> Response | None:
        """Return the answer to a form that is not read any further, None for one whose password is checked."""
        sign_in = self._desk.sign_in

        def checked() -> Response:
            form = parse_form(body)
            if not sign_in.sessions.is_token(sign_in.caller(request).session, "", _first(form, "token")):
                return self._form(request, _first(form, "next"), 403, "This form was too old. Please send it again.")
            return _MAY_BE_CHECKED

        answer = self._desk.answered(checked)
        return None if answer is _MAY_BE_CHECKED else answer

    def _not_entered(self, request: Request, form: Mapping[str, list[str]], error: Exception) -> Response:
        if not isinstance(error, ApiError):
            raise error
        response = self._form(request, _first(form, "next"), error.status, error.message)
        if error.headers and "Retry-After" in error.headers:
            response.headers["Retry-After"] = error.headers["Retry-After"]
        return response

    def _entered(self, request: Request, form: Mapping[str, list[str]], person: User) -> Response:
        sign_in = self._desk.sign_in
        # A session of this browser that somebody signed in to before ends here.
        sign_in.sessions.end(sign_in.caller(request).session)
        self._desk.acts.note_sign_in(person)
        response = redirect(safe(_first(form, "next")))
        sign_in.sessions.write(sign_in.sessions.open(person.role), response, secure=sign_in.is_secure(request))
        return response

    def _left(self, request: Request, form: Mapping[str, list[str]]) -> Response:
        caller = self._desk.sign_in.caller(request)
        self._desk.refuse_forged(request, caller, _first(form, "token"))
        self._desk.sign_in.sessions.end(caller.session)
        response = redirect("/sign-in")
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return response


def safe(path: str) -> str:
    """Return a path of ours; the first page for anything that leads elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


def _first(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]
