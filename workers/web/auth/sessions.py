"""Sessions of browsers: a random id in a cookie; who signed in stands in Redis, until it ends."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import HTTPConnection
from starlette.responses import Response

from shared.adapters.redis.operations.sign_in import SessionStore
from workers.web.auth.roles import Role

COOKIE = "passback_session"
SESSION_LIFETIME = timedelta(hours=12)
ROLE, PASSWORD = "role", "password"
ID = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's session. `role` is None before anybody signed in by password: nothing is stored then.

    A session that `is_new` is not in the browser yet.
    """

    id: str
    role: Role | None = None
    is_new: bool = False


class Sessions:
    """Opens, reads and ends sessions. One that ended, or belongs to an earlier password, counts as none.

    `password_digest` returns the keyed digest of an account's password, None for an account without one.
    """

    def __init__(
        self,
        store: Callable[[], SessionStore],
        secret: Callable[[], str],
        password_digest: Callable[[Role], str | None],
    ) -> None:
        self._store = store
        self._secret = secret
        self._password_digest = password_digest

    def read(self, request: HTTPConnection) -> Session:
        """Return the browser's session, a new one if it has none. Raises: RedisError."""
        session_id = request.cookies.get(COOKIE, "")
        if not ID.fullmatch(session_id):
            return Session(secrets.token_urlsafe(32), is_new=True)
        fields = self._store().find(session_id)
        if not fields:
            return Session(session_id)
        role = Role(fields[ROLE])
        digest = self._password_digest(role)
        is_current = digest is not None and hmac.compare_digest(digest, fields[PASSWORD])
        return Session(session_id, role if is_current else None)

    def open(self, role: Role) -> Session:
        """Store and return the session of somebody who just signed in: nothing of an earlier one goes on."""
        session = Session(secrets.token_urlsafe(32), role)
        fields = {ROLE: role.value, PASSWORD: self._password_digest(role) or ""}
        self._store().save(session.id, fields, SESSION_LIFETIME)
        return session

    def end(self, session: Session) -> None:
        """End the session everywhere: a copy of its cookie opens nothing any more."""
        self._store().end(session.id)

    def write(self, session: Session, response: Response, *, secure: bool) -> None:
        """Give the browser its cookie."""
        max_age = int(SESSION_LIFETIME.total_seconds())
        response.set_cookie(
            COOKIE, session.id, max_age=max_age, path="/", secure=secure, httponly=True, samesite="lax"
        )  # fmt: skip

    def token(self, session: Session, name: str) -> str:
        """Return what the forms of this session and person carry, so that no other site can send them."""
        return hmac.new(self._secret().encode(), f"form {session.id} {name}".encode(), hashlib.sha256).hexdigest()

    def is_token(self, session: Session, name: str, given: str) -> bool:
        """Say whether a form carries this session's token."""
        return hmac.compare_digest(self.token(session, name).encode(), given.encode())
