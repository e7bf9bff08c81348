"""Finds out who sends a request: by the proxy's word, by a session's cookie, or by a password."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from redis import Redis
from starlette.requests import HTTPConnection

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.sign_in import SessionStore, session_secret
from shared.clock import SystemClock
from shared.config import PREFIX, Settings
from workers.web.auth.credentials import Authenticator
from workers.web.auth.roles import Role, User
from workers.web.auth.sessions import Session, Sessions
from workers.web.auth.trusted_proxies import Proxies

CLOSED = f"Closed until somebody can sign in: set {PREFIX}OPERATOR_PASSWORD."


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who sends a request, with the session it belongs to. `person` is None for somebody who did not sign in."""

    person: User | None
    session: Session
    token: str
    is_secure: bool


class RequestAuthenticator:
    """The doors of one installation."""

    def __init__(
        self, settings: Settings, redis: Callable[[], Redis], keys: Keys, authenticator: Authenticator | None = None
    ) -> None:
        self.is_possible = settings.has_sign_in
        self.by_proxy = bool(settings.proxy_headers)
        self._settings = settings
        self._redis = redis
        self._keys = keys
        self._proxies = Proxies(settings)
        self._authenticator = authenticator or Authenticator(settings, redis, keys, SystemClock())
        self.sessions = Sessions(lambda: self._store, lambda: self._secret, self._password_digest)

    @property
    def accounts(self) -> list[Role]:
        """Return the accounts that have a password."""
        return [role for role, password in self._authenticator.passwords.items() if password.is_set]

    def authenticate(self, request: HTTPConnection) -> Authenticated:
        """Return who sends the request."""
        session = self.sessions.read(request)
        person = self._proxies.person(request)
        if person is None and session.role is not None:
            person = User(session.role.value, session.role)
        token = self.sessions.token(session, person.name if person else "")
        return Authenticated(person, session, token, self._proxies.is_secure(request))

    def is_secure(self, request: HTTPConnection) -> bool:
        """Say whether the browser speaks TLS."""
        return self._proxies.is_secure(request)

    async def check_password(self, request: HTTPConnection, name: str, password: str, entry_point: str) -> User:
        """Return who has this name and password. Raises: as `Authenticator.role`."""
        role = await self._authenticator.role(name, password, self._proxies.sender(request), entry_point)
        return User(role.value, role)

    @cached_property
    def _secret(self) -> str:
        return self._settings.session_secret.get_secret_value() or session_secret(self._redis(), self._keys)

    @cached_property
    def _store(self) -> SessionStore:
        return SessionStore(self._redis(), self._keys)

    def _password_digest(self, role: Role) -> str | None:
        password = self._authenticator.passwords[role]
        return password.keyed_digest(self._secret) if password.is_set else None
