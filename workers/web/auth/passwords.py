"""Passwords: compared with a secret, or with its Argon2 hash."""

import hmac
import secrets

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from shared.config import ConfigurationError

HASH_PREFIX = "$argon2"


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

    def keyed_digest(self, secret: str) -> str:
        """Return what changes with the password, and lets nobody without `secret` try guesses on it."""
        return hmac.new(secret.encode(), f"password {self._configured}".encode(), "sha256").hexdigest()

    def verify(self, given: str) -> bool:
        """Say whether this is the password, without telling by the time it takes how much of it is right.

        Blocks, and takes 64 MB for a hash: `Authenticator` calls it in one of few threads.
        """
        if not self.is_set:
            return False
        if not is_hash(self._configured):
            return secrets.compare_digest(given.encode(), self._configured.encode())
        digest = hmac.digest(self._key, given.encode(), "sha256")
        if self._right is not None and hmac.compare_digest(digest, self._right):
            return True
        if not _verify_hash(self._configured, given):
            return False
        self._right = digest
        return True


def _verify_hash(configured: str, given: str) -> bool:
    try:
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
