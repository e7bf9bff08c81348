"""Signed cookies: who signed in, and the number that the tokens against forgery are made of."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from workers.status_pages.people import Role

COOKIE = "passback_session"


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser's cookie says. `role` is None before anybody signed in by password.

    A session that `is_new` is not in the browser yet.
    """

    nonce: str
    role: Role | None = None
    is_new: bool = False


class Sessions:
    """Reads and writes the cookies. One that is old, forged, or of an earlier password counts as none."""

    def __init__(self, secret: Callable[[], str], lasts_s: int, fingerprint: Callable[[Role], str | None]) -> None:
        self._secret = secret
        self._lasts_s = lasts_s
        self._fingerprint = fingerprint

    def read(self, request: HTTPConnection) -> Session:
        """Return the browser's session, a new one if it has none."""
        try:
            said = self._signer().loads(request.cookies.get(COOKIE, ""), max_age=self._lasts_s)
            session = Session(said["nonce"], Role(said["role"]) if said["role"] else None)
        except (BadSignature, KeyError, TypeError, ValueError):
            return Session(secrets.token_urlsafe(16), is_new=True)
        if session.role is not None and said["fingerprint"] != self._fingerprint(session.role):
            return Session(session.nonce)
        return session

    def signed_in(self, role: Role) -> Session:
        """Return the session of somebody who just signed in: nothing of an earlier one goes on."""
        return Session(secrets.token_urlsafe(16), role)

    def write(self, session: Session, response: Response, *, secure: bool) -> None:
        """Give the browser its cookie."""
        fingerprint = None if session.role is None else self._fingerprint(session.role)
        said = self._signer().dumps({"nonce": session.nonce, "role": session.role, "fingerprint": fingerprint})
        response.set_cookie(
            COOKIE, said, max_age=self._lasts_s, path="/", secure=secure, httponly=True, samesite="lax"
        )  # fmt: skip

    def token(self, session: Session, name: str) -> str:
        """Return what the forms of this session and person carry, so that no other site can send them."""
        return hmac.new(self._secret().encode(), f"form {session.nonce} {name}".encode(), hashlib.sha256).hexdigest()

    def is_token(self, session: Session, name: str, given: str) -> bool:
        """Say whether a form carries this session's token."""
        return hmac.compare_digest(self.token(session, name).encode(), given.encode())

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret(), salt="passback session")
