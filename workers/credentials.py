"""The passwords of both accounts, and HTTP Basic outside of the API: `/metrics` and Flower judge them alike."""

from base64 import b64decode
from collections.abc import Callable

from shared.config import PREFIX, Settings
from workers.passwords import Password
from workers.status_pages.people import Role

Judge = Callable[[str, str], bool]
"""Says whether a name and a password open the door."""


def passwords_of(settings: Settings) -> dict[Role, Password]:
    """Return the passwords of both accounts, by their names. Raises `ConfigurationError` for a broken hash."""
    configured = {Role.OPERATOR: settings.operator_password, Role.VIEWER: settings.viewer_password}
    return {
        role: Password(f"{PREFIX}{role.upper()}_PASSWORD", each.get_secret_value()) for role, each in configured.items()
    }


def judge_of(settings: Settings) -> Judge | None:
    """Return who judges passwords; None where no password is configured, and so nobody can sign in."""
    passwords = passwords_of(settings)
    if not any(password.is_set for password in passwords.values()):
        return None
    return lambda name, given: name in set(Role) and passwords[Role(name)].fits(given)


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
