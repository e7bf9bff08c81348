"""Users and their roles."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do. `viewer` and `operator` are also the names of the two accounts with passwords."""

    VIEWER = "viewer"
    SCORE_VIEWER = "score-viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class User:
    """A signed-in user, by the name of the account or the one that the proxy gives."""

    name: str
    role: Role

    @property
    def can_operate(self) -> bool:
        """Say whether the user may do more than read."""
        return self.role is Role.OPERATOR

    @property
    def can_see_scores(self) -> bool:
        """Say whether the user may see students' scores and names."""
        return self.role is not Role.VIEWER

    @property
    def actor(self) -> str:
        """Return the name for logs and for the audit: of an e-mail address, the part before the @."""
        return self.name.partition("@")[0] or self.role.value
