"""Authenticates requests: by a trusted proxy's headers, by a session's cookie, or by a password."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from starlette.requests import HTTPConnection
from starlette.responses import Response

from shared.adapters.redis.operations.sign_in import SessionStore, session_secret
from shared.config import PREFIX
from workers.container import Container
from workers.web.auth.passwords import Authenticator
from workers.web.auth.roles import Role, User

CLOSED = f"Closed until somebody can sign in: set {PREFIX}OPERATOR_PASSWORD."
COOKIE = "passback_session"
SESSION_LIFETIME = timedelta(hours=12)
ROLE, PASSWORD = "role", "password"
SESSION_ID = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who sends a request, and in which session of a browser; `user` is None for somebody who did not sign in.

    The forms of this session and user contain `token`, so that no other site can send them. A session that `is_new` is
    not in the browser yet.
    """

    user: User | None
    session_id: str
    is_new: bool
    token: str


class RequestAuthenticator:
    """Authenticates the requests to one installation, and opens, reads and ends the sessions of browsers.

    A session is a random id in a cookie; Redis has its role until it ends. One that ended, or belongs to an earlier
    password, counts as none.
    """

    def __init__(self, service: Container) -> None:
        self.is_possible = service.settings.has_sign_in
        # One for pages, API and metrics: failed logins count together wherever they are made.
        self.authenticator = Authenticator(service.settings, service.redis, service.keys)
        self._service = service
        self._store = SessionStore(service.redis, service.keys)
        self._proxies = self.authenticator.proxies

    @property
    def accounts(self) -> list[Role]:
        """Return the accounts that have a password."""
        return [role for role, password in self.authenticator.passwords.items() if password.is_set]

    def authenticate(self, request: HTTPConnection) -> Authenticated:
        """Return who sends the request. Raises: RedisError."""
        session_id, role, is_new = self._session(request)
        user = self._proxies.user(request)
        if user is None and role is not None:
            user = User(role.value, role)
        form = f"form {session_id} {user.name if user else ''}"
        token = hmac.new(self._secret.encode(), form.encode(), hashlib.sha256).hexdigest()
        return Authenticated(user, session_id, is_new, token)

    async def check_password(self, request: HTTPConnection, name: str, password: str, entry_point: str) -> User:
        """Return the user with this name and password. Raises: as `Authenticator.role`."""
        role = await self.authenticator.role(name, password, self._proxies.sender(request), entry_point)
        return User(role.value, role)

    def open_session(self, role: Role) -> str:
        """Store the session of somebody who just signed in, and return its id; an earlier one is not continued."""
        session_id = secrets.token_urlsafe(32)
        self._store.save(session_id, {ROLE: role.value, PASSWORD: self._password_digest(role) or ""}, SESSION_LIFETIME)
        return session_id

    def end_session(self, session_id: str) -> None:
        """End the session; a copy of its cookie is worthless from now on."""
        self._store.end(session_id)

    def set_cookie(self, session_id: str, request: HTTPConnection, response: Response) -> None:
        """Give the browser the session's cookie; over TLS it never travels in the clear."""
        response.set_cookie(
            COOKIE, session_id, max_age=int(SESSION_LIFETIME.total_seconds()), path="/",
            secure=self._proxies.is_secure(request), httponly=True, samesite="lax",
        )  # fmt: skip

    def _session(self, request: HTTPConnection) -> tuple[str, Role | None, bool]:
        """Return the id of the browser's session, whose it is, and whether it is new.

        It has no role before anybody signed in by password: nothing is stored then.
        """
        session_id = request.cookies.get(COOKIE, "")
        if not SESSION_ID.fullmatch(session_id):
            return secrets.token_urlsafe(32), None, True
        fields = self._store.find(session_id)
        if not fields:
            return session_id, None, False
        role = Role(fields[ROLE])
        digest = self._password_digest(role)
        is_current = digest is not None and hmac.compare_digest(digest, fields[PASSWORD])
        return session_id, role if is_current else None, False

    def _password_digest(self, role: Role) -> str | None:
        """Return the keyed digest of an account's password, None for an account without one."""
        password = self.authenticator.passwords[role]
        return password.keyed_digest(self._secret) if password.is_set else None

    @cached_property
    def _secret(self) -> str:
        return self._service.settings.session_secret.get_secret_value() or session_secret(
            self._service.redis, self._service.keys
        )
