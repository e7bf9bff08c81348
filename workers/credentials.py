"""HTTP Basic outside of the API: `/metrics` and Flower judge names and passwords alike."""

from base64 import b64decode
from collections.abc import Callable

from shared.config import PREFIX, Settings
from workers.passwords import Password

OPERATOR = "operator"
VIEWER = "viewer"

Judge = Callable[[str, str], bool]
"""Says whether a name and a password open the door."""


def judge_of(settings: Settings) -> Judge | None:
    """Return who judges passwords; None where no password is configured, and so nobody can sign in."""
    passwords = {
        name: Password(f"{PREFIX}{name.upper()}_PASSWORD", configured.get_secret_value())
        for name, configured in ((OPERATOR, settings.operator_password), (VIEWER, settings.viewer_password))
    }
    if not any(password.is_set for password in passwords.values()):
        return None
    return lambda name, given: name in passwords and passwords[name].fits(given)


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
