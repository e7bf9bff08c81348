"""HTTP Basic outside of the API: `/metrics` and Flower judge names and passwords alike."""

import secrets
from base64 import b64decode
from collections.abc import Callable

from shared.config import Settings

OPERATOR = "operator"

Judge = Callable[[str, str], bool]
"""Says whether a name and a password open the door."""


def judge_of(settings: Settings) -> Judge | None:
    """Return who judges passwords; None where no password is configured, and so nobody can sign in."""
    password = settings.operator_password.get_secret_value()
    return None if not password else lambda name, given: _same(name, OPERATOR) & _same(given, password)


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


def _same(given: str, expected: str) -> bool:
    """Compare without telling by the time it takes how much of it is right."""
    return secrets.compare_digest(given.encode(), expected.encode())
