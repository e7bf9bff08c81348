"""Who may use the API: the operator, by password; and no page of another site on the operator's behalf."""

import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from workers.status_pages.refusals import NotDone, refusal

OPERATOR = "operator"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="passback", charset="UTF-8"'}
LARGEST_BODY = 10_000


class _Utf8Basic(HTTPBasic):
    """HTTP Basic whose name and password are UTF-8, as the challenge says; unreadable ones count as none."""

    async def __call__(  # type: ignore[override]  # as FastAPI's own HTTPBasic, which differs from its base
        self, request: HTTPConnection
    ) -> HTTPBasicCredentials | None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        return HTTPBasicCredentials(username=name, password=password)


_basic = _Utf8Basic(scheme_name="operator", auto_error=False)


def operator_only(password: str) -> Callable[..., str]:
    """Return the check that the caller is the operator. Without a password configured, nobody is."""

    def signed_in(given: Annotated[HTTPBasicCredentials | None, Depends(_basic)]) -> str:
        if not password:
            raise NotDone(
                403, "no_password_configured", "The API is closed until PASSBACK_OPERATOR_PASSWORD is set."
            )  # fmt: skip
        if given is None or not _is_operator(given, password):
            raise NotDone(401, "not_signed_in", "Sign in as operator.", CHALLENGE)
        return OPERATOR

    return signed_in


def _is_operator(given: HTTPBasicCredentials, password: str) -> bool:
    """Compare both without telling by the time it takes how much of them is right."""
    name_fits = secrets.compare_digest(given.username.encode(), OPERATOR.encode())
    password_fits = secrets.compare_digest(given.password.encode(), password.encode())
    return name_fits and password_fits


def not_forged(request: Request) -> None:
    """Refuse an action that a page of another site could have sent with the browser's stored password.

    A form can neither send JSON nor set a header; a script of another site would have to be allowed to first.
    """
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if not is_json and "x-requested-with" not in request.headers:
        raise NotDone(
            403, "maybe_forged", "Send the header X-Requested-With, or Content-Type: application/json, with an action."
        )


class SmallBodies:
    """Passes on requests whose body is small and says so: nobody has signed in yet when a body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (answer := _too_large(Headers(scope=scope))) is not None:
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _too_large(headers: Headers) -> ASGIApp | None:
    if "transfer-encoding" in headers:
        return refusal(411, "length_required", "Send the body with its Content-Length.", {"Connection": "close"})
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        return refusal(413, "too_large", "The body is larger than the API reads.", {"Connection": "close"})
    return None
