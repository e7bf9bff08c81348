"""Checks passwords and the metrics token: for the sign-in, the API, `/metrics` and Flower.

Each attempt is counted in Redis before it is checked. Checks run beside the event loop, two at once, since an Argon2
hash takes 64 MB and a while; the attempts of one sender on one account go one after the other; what is more than may
wait is rejected with 503.
"""

import asyncio
import hmac
import os
import secrets
import sys
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import structlog
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from redis import Redis
from redis.exceptions import RedisError

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.sign_in import LoginThrottle
from shared.clock import SystemClock
from shared.config import PREFIX, ConfigurationError, Settings
from shared.log_events import LogEvent
from workers.runtime.log_limit import LogLimit
from workers.web.auth.roles import Role
from workers.web.auth.trusted_proxies import Proxies
from workers.web.errors import ApiError

log = structlog.get_logger()

HASH_PREFIX = "$argon2"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="passback", charset="UTF-8"'}
CHECK_CONCURRENCY = 2
LOWEST_PRIORITY = 19
MAX_WAITING = 64
MAX_WAITING_PER_SENDER = 24
METRICS_ACCOUNT = "metrics"
UNKNOWN_ACCOUNT = "unknown"
RETRY_AFTER = timedelta(seconds=2)


def hashed(password: str) -> str:
    """Return the Argon2 hash to configure instead of the password."""
    return PasswordHasher().hash(password)


def is_hash(configured: str) -> bool:
    """Say whether the configured text is a password's hash, and not the password."""
    return configured.startswith(HASH_PREFIX)


class Password:
    """The password of one account. A right one is cached as a digest, because checking a hash is slow."""

    def __init__(self, variable: str, configured: str) -> None:
        self._configured = configured
        self._key = secrets.token_bytes(32)
        self._cached_digest: bytes | None = None
        if is_hash(configured):
            try:
                extract_parameters(configured)
            except InvalidHashError:
                raise ConfigurationError(
                    f"{variable}: begins like an Argon2 hash and is none; make one with `passback password`"
                ) from None

    @property
    def is_set(self) -> bool:
        """Say whether the account has a password."""
        return bool(self._configured)

    def keyed_digest(self, secret: str) -> str:
        """Return a digest that changes with the password, and cannot be guessed at without `secret`."""
        return hmac.new(secret.encode(), f"password {self._configured}".encode(), "sha256").hexdigest()

    def verify(self, given: str) -> bool:
        """Say whether this is the password, in a time that does not depend on how much of it is right.

        Blocks, and takes 64 MB for a hash: `Authenticator` calls it in one of few threads.
        """
        if not self.is_set:
            return False
        if not is_hash(self._configured):
            return secrets.compare_digest(given.encode(), self._configured.encode())
        digest = hmac.digest(self._key, given.encode(), "sha256")
        if self._cached_digest is not None and hmac.compare_digest(digest, self._cached_digest):
            return True
        try:
            PasswordHasher().verify(self._configured, given)
        except VerificationError:
            return False
        self._cached_digest = digest
        return True


class Authenticator:
    """Checks names and passwords, and the metrics token; `proxies` says who sends them.

    Raises `ConfigurationError` for a broken hash.
    """

    def __init__(self, settings: Settings, redis: Redis, keys: Keys) -> None:
        configured = {Role.OPERATOR: settings.operator_password, Role.VIEWER: settings.viewer_password}
        self.passwords = {
            role: Password(f"{PREFIX}{role.upper()}_PASSWORD", secret.get_secret_value())
            for role, secret in configured.items()
        }
        self.proxies = Proxies(settings)
        self._token = settings.metrics_token.get_secret_value()
        self._throttle = LoginThrottle(redis, keys)
        self._log_limit = LogLimit(SystemClock())
        self._threads = ThreadPoolExecutor(CHECK_CONCURRENCY, "password-check", _lower_priority)
        self._waiting = 0
        self._attempts: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @property
    def has_passwords(self) -> bool:
        """Say whether any account has a password."""
        return any(password.is_set for password in self.passwords.values())

    @property
    def has_token(self) -> bool:
        """Say whether the metrics have a token."""
        return bool(self._token)

    async def role(self, name: str, password: str, sender: str, entry_point: str) -> Role:
        """Return the role of the account with this name and password.

        `sender` is the address as `Proxies.sender` gives it; `entry_point` is a name for logs.
        Raises: ApiError (401: wrong, 429: guessed too often, 503: too many attempts at once); RedisError.
        """
        role = next((role for role in self.passwords if role.value == name), None)
        verify = partial(self.passwords[role].verify, password) if role else _never
        await self._attempt(role.value if role else UNKNOWN_ACCOUNT, sender, entry_point, verify)
        assert role is not None, "an unknown account was opened"
        return role

    async def operator(self, name: str, password: str, sender: str, entry_point: str) -> None:
        """Return if this is the operator. Raises: as `role`; ApiError (403) for another account."""
        if await self.role(name, password, sender, entry_point) is not Role.OPERATOR:
            raise ApiError(403, "not_operator", "This is for the operator.")

    async def token(self, given: str, sender: str, entry_point: str) -> None:
        """Return if this is the metrics' token.

        Without Redis it is checked uncounted, so that the metrics can show that Redis is unavailable: a token is long.
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
            message = f"Too many wrong passwords. Try again in {max(1, round(wait.total_seconds()))} seconds."
            raise ApiError(429, "too_many_guesses", message, retry_after=wait)
        if not is_right:
            self._log("wrong_password", account, entry_point)
            raise ApiError(401, "not_signed_in", "This is no account with this password.", CHALLENGE)

    def _check(self, account: str, sender: str, verify: Callable[[], bool]) -> tuple[timedelta | None, bool]:
        """Count the attempt, then check it. Blocks."""
        try:
            if (wait := self._throttle.count(account, sender)) is not None:
                return wait, False
            if not verify():
                return None, False
            self._throttle.forgive(account, sender)
        except (RedisError, OSError):
            if account != METRICS_ACCOUNT:
                raise
            return None, verify()
        return None, True

    @asynccontextmanager
    async def _one_at_a_time(self, account: str, sender: str, entry_point: str) -> AsyncIterator[None]:
        """Run one attempt of a sender on an account at a time, so that parallel right ones do not count as guesses."""
        lock, waiting = self._attempts.get((account, sender), (asyncio.Lock(), 0))
        if self._waiting >= MAX_WAITING or waiting >= MAX_WAITING_PER_SENDER:
            self._log("too_busy", account, entry_point)
            raise ApiError(
                503, "too_busy", "Too many passwords are being checked. Send it again.", retry_after=RETRY_AFTER
            )
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
        if (suppressed := self._log_limit.due((cause, account, entry_point))) is not None:
            log.warning(LogEvent.LOGIN_FAILED, cause=cause, account=account, door=entry_point, unlogged=suppressed)


def _lower_priority() -> None:
    """Give this thread, and those that Argon2 starts from it, a lower CPU priority than the receivers.

    Only Linux has a priority for each thread; elsewhere it stays unchanged.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _never() -> bool:
    return False


def name_and_password(authorization: str) -> tuple[str, str]:
    """Return both from a Basic `Authorization` header in UTF-8; two empty texts from any other one."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password
