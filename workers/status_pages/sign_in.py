"""Finds out who sends a request: by the proxy's word, by a session's cookie, or by a password."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import structlog
from redis import Redis
from starlette.requests import HTTPConnection

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sign_in import Guesses, session_secret
from shared.config import PREFIX, Settings
from shared.log_events import LogEvent
from workers.credentials import passwords_of
from workers.status_pages.people import Person, Role
from workers.status_pages.proxies import Proxies
from workers.status_pages.refusals import NotDone
from workers.status_pages.sessions import Session, Sessions

log = structlog.get_logger()

CHALLENGE = {"WWW-Authenticate": 'Basic realm="passback", charset="UTF-8"'}
CLOSED = f"Closed until somebody can sign in: set {PREFIX}OPERATOR_PASSWORD."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, with the session it belongs to. `person` is None for somebody who did not sign in."""

    person: Person | None
    session: Session
    token: str
    is_secure: bool


class SignIn:
    """The doors of one installation."""

    def __init__(self, settings: Settings, redis: Callable[[], Redis], keys: Keys) -> None:
        self.is_possible = settings.has_sign_in
        self.by_proxy = bool(settings.proxy_user_header)
        self._settings = settings
        self._redis = redis
        self._keys = keys
        self._proxies = Proxies(settings)
        self._passwords = passwords_of(settings)
        self.sessions = Sessions(lambda: self._secret, settings.session_s, self._fingerprint)

    @property
    def accounts(self) -> list[Role]:
        """Return the accounts that have a password."""
        return [role for role, password in self._passwords.items() if password.is_set]

    def caller(self, request: HTTPConnection) -> Caller:
        """Return who sends the request."""
        session = self.sessions.read(request)
        person = self._proxies.person(request)
        if person is None and session.role is not None:
            person = Person(session.role.value, session.role)
        token = self.sessions.token(session, person.name if person else "")
        return Caller(person, session, token, self._proxies.is_secure(request))

    def is_secure(self, request: HTTPConnection) -> bool:
        """Say whether the browser speaks TLS."""
        return self._proxies.is_secure(request)

    def by_password(self, request: HTTPConnection, name: str, password: str) -> Person:
        """Return who has this name and password. Raises `NotDone`: wrong (401), or guessed too often (429)."""
        address, guesses = self._proxies.address(request), self._guesses
        if (wait := guesses.wait_for(address)) is not None:
            log.warning(LogEvent.SIGN_IN_REFUSED, cause="too_many_guesses", account=_account(name))
            seconds = str(round(wait.total_seconds()))
            raise NotDone(
                429, "too_many_guesses", f"Too many wrong passwords. Try again in {seconds} seconds.",
                {"Retry-After": seconds},
            )  # fmt: skip
        role = next((role for role in Role if role.value == name), None)
        if role is None or not self._passwords[role].fits(password):
            guesses.note_wrong(address)
            log.warning(LogEvent.SIGN_IN_REFUSED, cause="wrong_password", account=_account(name))
            raise NotDone(401, "not_signed_in", "This is no account with this password.", CHALLENGE)
        guesses.forget(address)
        return Person(name, role)

    @cached_property
    def _secret(self) -> str:
        return self._settings.session_secret.get_secret_value() or session_secret(self._redis(), self._keys)

    @cached_property
    def _guesses(self) -> Guesses:
        return Guesses(self._redis(), self._keys)

    def _fingerprint(self, role: Role) -> str | None:
        password = self._passwords[role]
        return password.fingerprint if password.is_set else None


def _account(name: str) -> str:
    return name if name in set(Role) else "unknown"
