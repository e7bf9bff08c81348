"""Passwords: compared with a secret, or with its Argon2 hash."""

import hashlib
import hmac
import secrets
import threading

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from shared.config import ConfigurationError

HASH_PREFIX = "$argon2"

# To check a hash takes 64 MB and a while: guesses wait for one another instead of taking all memory.
_CHECKS_AT_ONCE = threading.BoundedSemaphore(2)


def hashed(password: str) -> str:
    """Return the hash to configure instead of the password."""
    return PasswordHasher().hash(password)


def is_hash(configured: str) -> bool:
    """Say whether what is configured is a password's hash, and not the password."""
    return configured.startswith(HASH_PREFIX)


class Password:
    """What one account is opened with. A right password is remembered, as a digest, since to check a hash is slow."""

    def __init__(self, variable: str, configured: str) -> None:
        self._configured = configured
        self._key = secrets.token_bytes(32)
        self._right: bytes | None = None
        if is_hash(configured):
            _check_hash(variable, configured)

    @property
    def is_set(self) -> bool:
        """Say whether the account can be opened at all."""
        return bool(self._configured)

    @property
    def fingerprint(self) -> str:
        """Return what changes with the password, and tells nothing about it."""
        return hashlib.sha256(f"passback session {self._configured}".encode()).hexdigest()

    def fits(self, given: str) -> bool:
        """Say whether this is the password, without telling by the time it takes how much of it is right."""
        if not self.is_set:
            return False
        if not is_hash(self._configured):
            return secrets.compare_digest(given.encode(), self._configured.encode())
        digest = hmac.digest(self._key, given.encode(), "sha256")
        if self._right is not None and hmac.compare_digest(digest, self._right):
            return True
        if not _fits_hash(self._configured, given):
            return False
        self._right = digest
        return True


def _fits_hash(configured: str, given: str) -> bool:
    try:
        with _CHECKS_AT_ONCE:
            return PasswordHasher().verify(configured, given)
    except VerificationError:
        return False


def _check_hash(variable: str, configured: str) -> None:
    try:
        extract_parameters(configured)
    except InvalidHashError:
        raise ConfigurationError(
            f"{variable}: begins like an Argon2 hash and is none; make one with `passback password`"
        ) from None
