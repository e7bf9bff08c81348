"""Counts what receivers accept; what they refuse, `RejectionLog` counts."""

from shared.domain.metrics import CounterName
from shared.domain.passback.changes import Change
from shared.ports.passback import Count

ROSTERS = "rosters"
OTHER_KIND = "other"
REFUSED_KIND = "unknown"
STORED, IGNORED, REPEATED = "stored", "ignored", "repeated"


class Accepted:
    """Counts for one receiver, named by its path."""

    def __init__(self, count: Count, receiver: str) -> None:
        self._count = count
        self._receiver = receiver

    def change(self, change: Change | None) -> None:
        """Count an event: stored as a change, or of no interest."""
        if change is None:
            self._count(CounterName.EVENTS, OTHER_KIND, self._receiver, IGNORED)
        else:
            self._count(CounterName.EVENTS, change.kind, self._receiver, STORED)

    def repeated(self, change: Change) -> None:
        """Count a change that was stored before."""
        self._count(CounterName.EVENTS, change.kind, self._receiver, REPEATED)

    def rosters(self) -> None:
        """Count a hint that rosters changed."""
        self._count(CounterName.EVENTS, ROSTERS, self._receiver, STORED)
