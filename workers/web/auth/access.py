"""Who may use the API: people who signed in; and no page of another site on their behalf."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from workers.web.auth.credentials import CHALLENGE, name_and_password
from workers.web.auth.roles import User
from workers.web.auth.sign_in import CLOSED, RequestAuthenticator
from workers.web.errors import ApiError


class _Utf8Basic(HTTPBasic):
    """HTTP Basic whose name and password are UTF-8, as the challenge says; unreadable ones count as none."""

    async def __call__(  # type: ignore[override]  # as FastAPI's own HTTPBasic, which differs from its base
        self, request: HTTPConnection
    ) -> HTTPBasicCredentials | None:
        name, password = name_and_password(request.headers.get("authorization", ""))
        return HTTPBasicCredentials(username=name, password=password) if name or password else None


_basic = _Utf8Basic(scheme_name="password", auto_error=False)


def require_user(sign_in: RequestAuthenticator) -> Callable[..., Awaitable[User]]:
    """Return the check that the caller signed in: by HTTP Basic, with a session's cookie, or at a trusted proxy."""

    async def signed_in(request: Request, given: Annotated[HTTPBasicCredentials | None, Depends(_basic)]) -> User:
        if not sign_in.is_possible:
            raise ApiError(403, "no_password_configured", CLOSED)
        if given is not None:
            return await sign_in.check_password(request, given.username, given.password, "api")
        person = (await run_in_threadpool(sign_in.authenticate, request)).person
        if person is None:
            raise ApiError(401, "not_signed_in", "Sign in as operator or viewer.", CHALLENGE)
        return person

    return signed_in


def require_operator(person: User) -> User:
    """Return the person who wants to act. Raises `ApiError` for one who may only look."""
    if not person.can_operate:
        raise ApiError(403, "not_operator", "Only operators may do this.")
    return person


def require_csrf(request: Request) -> None:
    """Refuse an action that a page of another site could have sent with the browser's stored password.

    A form can neither send JSON nor set a header; a script of another site would have to be allowed to first.
    """
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if not is_json and "x-requested-with" not in request.headers:
        raise ApiError(
            403, "maybe_forged", "Send the header X-Requested-With, or Content-Type: application/json, with an action."
        )
