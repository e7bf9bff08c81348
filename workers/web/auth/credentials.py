"""Who has a password: one check for the sign-in, the API, `/metrics` and Flower.

Each attempt is counted in Redis before it is checked. Checks run beside the event loop, two at once, since an Argon2
hash takes 64 MB and a while; the attempts of one sender on one account go one after the other; what is more than may
wait is refused.
"""

import asyncio
import os
import secrets
import sys
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cached_property, partial

import structlog
from redis import Redis
from redis.exceptions import RedisError

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.sign_in import LoginThrottle
from shared.clock import Clock
from shared.config import PREFIX, Settings
from shared.log_events import LogEvent
from workers.runtime.log_limit import LogLimit
from workers.web.auth.passwords import Password
from workers.web.auth.roles import Role
from workers.web.errors import ApiError

log = structlog.get_logger()

CHALLENGE = {"WWW-Authenticate": 'Basic realm="passback", charset="UTF-8"'}
CHECK_CONCURRENCY = 2
LOWEST_PRIORITY = 19
MAX_WAITING = 64
MAX_WAITING_PER_SENDER = 24
METRICS_ACCOUNT = "metrics"
UNKNOWN_ACCOUNT = "unknown"
RETRY_AFTER = {"Retry-After": "2"}


def passwords_of(settings: Settings) -> dict[Role, Password]:
    """Return the passwords of both accounts, by their names. Raises `ConfigurationError` for a broken hash."""
    configured = {Role.OPERATOR: settings.operator_password, Role.VIEWER: settings.viewer_password}
    return {
        role: Password(f"{PREFIX}{role.upper()}_PASSWORD", each.get_secret_value()) for role, each in configured.items()
    }


class Authenticator:
    """Checks names and passwords, and the token of the metrics."""

    def __init__(self, settings: Settings, redis: Callable[[], Redis], keys: Keys, clock: Clock) -> None:
        self.passwords = passwords_of(settings)
        self._token = settings.metrics_token.get_secret_value()
        self._redis = redis
        self._keys = keys
        self._log_limit = LogLimit(clock)
        self._threads = ThreadPoolExecutor(CHECK_CONCURRENCY, "password-check", _lower_priority)
        self._waiting = 0
        self._attempts: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @property
    def has_passwords(self) -> bool:
        """Say whether any account can be opened by a password."""
        return any(password.is_set for password in self.passwords.values())

    async def role(self, name: str, password: str, sender: str, entry_point: str) -> Role:
        """Return the role of the account with this name and password.

        `sender` is the address as `Proxies.sender` gives it; `entry_point` is a name for logs.
        Raises: ApiError (401: wrong, 429: guessed too often, 503: too many attempts at once); RedisError.
        """
        role = next((role for role in Role if role.value == name), None)
        verify = partial(self.passwords[role].verify, password) if role else _never
        await self._attempt(role.value if role else UNKNOWN_ACCOUNT, sender, entry_point, verify)
        assert role is not None, "an unknown account was opened"
        return role

    async def operator(self, name: str, password: str, sender: str, entry_point: str) -> None:
        """Return if this is the operator. Raises: as `role`; ApiError (403) for anybody else who has a password."""
        if await self.role(name, password, sender, entry_point) is not Role.OPERATOR:
            raise ApiError(403, "not_operator", "This is for the operator.")

    async def token(self, given: str, sender: str, entry_point: str) -> None:
        """Return if this is the metrics' token.

        Without Redis it is checked uncounted, so that the metrics can say that Redis is away: a token is long.
        Raises: ApiError, as `role`.
        """
        await self._attempt(METRICS_ACCOUNT, sender, entry_point, partial(self._is_token, given))

    def _is_token(self, given: str) -> bool:
        return bool(self._token) and secrets.compare_digest(given.encode(), self._token.encode())

    async def _attempt(self, account: str, sender: str, entry_point: str, verify: Callable[[], bool]) -> None:
        async with self._one_at_a_time(account, sender, entry_point):
            loop = asyncio.get_running_loop()
            wait, is_right = await loop.run_in_executor(self._threads, self._check, account, sender, verify)
        if wait is not None:
            self._log("too_many_guesses", account, entry_point)
            seconds = str(max(1, round(wait.total_seconds())))
            message = f"Too many wrong passwords. Try again in {seconds} seconds."
            raise ApiError(429, "too_many_guesses", message, {"Retry-After": seconds})
        if not is_right:
            self._log("wrong_password", account, entry_point)
            raise ApiError(401, "not_signed_in", "This is no account with this password.", CHALLENGE)

    def _check(self, account: str, sender: str, verify: Callable[[], bool]) -> tuple[timedelta | None, bool]:
        """Count, then check; blocks."""
        try:
            if (wait := self._guesses.count(account, sender)) is not None:
                return wait, False
            if not verify():
                return None, False
            self._guesses.forgive(account, sender)
        except (RedisError, OSError):
            if account != METRICS_ACCOUNT:
                raise
            return None, verify()
        return None, True

    @asynccontextmanager
    async def _one_at_a_time(self, account: str, sender: str, entry_point: str) -> AsyncIterator[None]:
        """Let one attempt of a sender on an account go on at a time, so that right ones are never counted together."""
        lock, waiting = self._attempts.get((account, sender), (asyncio.Lock(), 0))
        if self._waiting >= MAX_WAITING or waiting >= MAX_WAITING_PER_SENDER:
            self._log("too_busy", account, entry_point)
            raise ApiError(503, "too_busy", "Too many passwords are being checked. Send it again.", RETRY_AFTER)
        self._waiting += 1
        self._attempts[account, sender] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            self._waiting -= 1
            lock, waiting = self._attempts.pop((account, sender))
            if waiting > 1:
                self._attempts[account, sender] = lock, waiting - 1

    def _log(self, cause: str, account: str, entry_point: str) -> None:
        if (unlogged := self._log_limit.due((cause, account, entry_point))) is not None:
            log.warning(LogEvent.LOGIN_FAILED, cause=cause, account=account, door=entry_point, unlogged=unlogged)

    @cached_property
    def _guesses(self) -> LoginThrottle:
        return LoginThrottle(self._redis(), self._keys)


def _lower_priority() -> None:
    """Let this thread, and those that Argon2 starts from it, have the processor only when the receivers do not need it.

    Linux has a priority for each thread; elsewhere it would be the whole process's, and stays as it is.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _never() -> bool:
    return False


def name_and_password(authorization: str) -> tuple[str, str]:
    """Return both from an `Authorization` header in UTF-8; two empty texts from any other one."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password
