"""Signing in and out."""

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workers.status_pages.desk import Desk, parse_form, to
from workers.status_pages.people import Role
from workers.status_pages.refusals import NotDone
from workers.status_pages.sessions import COOKIE
from workers.status_pages.sign_in import CLOSED

LONGEST_PASSWORD = 1000


class Doors:
    """The forms to sign in and out."""

    def __init__(self, desk: Desk) -> None:
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
        return await run_in_threadpool(self._desk.answered, lambda: self._entered(request, parse_form(body)))

    async def _leave(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._desk.answered, lambda: self._left(request, parse_form(body)))

    def _form(self, request: Request, asked: str, status: int = 200, problem: str = "") -> Response:
        sign_in = self._desk.sign_in
        if not sign_in.is_possible:
            return self._desk.message(403, "Closed", CLOSED)
        if not sign_in.accounts:
            return to("/")
        caller = sign_in.caller(request)
        response = self._desk.renderer.page(
            "sign_in.html", status, next=safe(asked), problem=problem, accounts=sign_in.accounts, person=None,
            token=sign_in.sessions.token(caller.session, ""), path="/sign-in",
        )  # fmt: skip
        if caller.session.is_new:
            sign_in.sessions.write(caller.session, response, secure=caller.is_secure)
        return response

    def _entered(self, request: Request, form: Mapping[str, list[str]]) -> Response:
        sign_in, asked = self._desk.sign_in, _first(form, "next")
        caller = sign_in.caller(request)
        if not sign_in.sessions.is_token(caller.session, "", _first(form, "token")):
            return self._form(request, asked, 403, "This form was too old. Please send it again.")
        try:
            person = sign_in.by_password(request, _first(form, "account"), _first(form, "password")[:LONGEST_PASSWORD])
        except NotDone as refused:
            return self._form(request, asked, refused.status, refused.message)
        self._desk.acts.note_sign_in(person)
        response = to(safe(asked))
        sign_in.sessions.write(sign_in.sessions.signed_in(Role(person.name)), response, secure=caller.is_secure)
        return response

    def _left(self, request: Request, form: Mapping[str, list[str]]) -> Response:
        self._desk.refuse_forged(request, self._desk.sign_in.caller(request), _first(form, "token"))
        response = to("/sign-in")
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return response


def safe(path: str) -> str:
    """Return a path of ours; the first page for anything that leads elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


def _first(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]
