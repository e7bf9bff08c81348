"""Who somebody is, and what that person may do."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do; the names of the two accounts with passwords, too."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signed in, by the name that the account or the proxy gives."""

    name: str
    role: Role

    @property
    def can_operate(self) -> bool:
        """Say whether the person may do more than look."""
        return self.role is Role.OPERATOR

    @property
    def actor(self) -> str:
        """Return the name for logs and for the audit: of an e-mail address, what stands before the @."""
        return self.name.partition("@")[0] or self.role.value
