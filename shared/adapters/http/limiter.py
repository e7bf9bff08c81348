"""What stands in front of a remote system: every request of every worker asks it first."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Permit:
    """What a caller is let in with.

    `caller` names it in the line. `since` (ms, Redis's time, as text) says when it was let in, `interval` (ms, as text)
    at which interval, `tested` that its answer says whether that interval works, `is_probe` that the others wait for
    its answer. `order` is its place in the line (empty: when it was let in), `waited` how long it waited in all.
    """

    caller: str
    failures_noted: bool
    is_probe: bool = False
    tested: bool = False
    since: str = "0"
    interval: str = "0"
    order: str = ""
    waited: timedelta = timedelta(0)


class Limiter(Protocol):
    """What all workers know of a system together; in Redis, see `system_health.RemoteLimiter`."""

    def enter(self, again: Permit | None = None) -> Permit:
        """Return when a request may be sent; `again` is the passage of the same request that was throttled before.

        Raises `ServiceUnavailable`.
        """
        ...

    def leave(self, permit: Permit, *, answered: bool, sent: bool = True, advised: timedelta | None = None) -> None:
        """Note that the request is over, and whether the system answered it as one that is well.

        `sent` is false where no request was sent after all; `advised` is the interval that the answer advises.
        """
        ...

    def throttled(self, permit: Permit, cause: str, retry_after: timedelta | None = None) -> timedelta | None:
        """Note a throttled answer. Return the pause if it is too long to wait for, None if `enter` waits for it."""
        ...

    def failed(self, cause: str, retry_after: timedelta | None = None, *, whole_system: bool) -> timedelta | None:
        """Note a failure; return the pause that is on now, if one is."""
        ...
