"""What stands in front of a remote system: every request of every worker asks it first."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Passage:
    """What a caller is let in with. `caller` names it in the line of those under way, empty where there is no line."""

    caller: str
    failures_noted: bool


class Gate(Protocol):
    """What all workers know of a system together; in Redis, see `system_health.SystemGate`."""

    def enter(self) -> Passage:
        """Return when a request may be sent. Raises `SystemUnwell`."""
        ...

    def leave(self, passage: Passage, *, answered: bool) -> None:
        """Note that the request is over, and whether the system answered it as one that is well."""
        ...

    def failed(self, cause: str, retry_after: timedelta | None = None, *, whole_system: bool) -> timedelta | None:
        """Note a failure; return the pause that is on now, if one is."""
        ...
