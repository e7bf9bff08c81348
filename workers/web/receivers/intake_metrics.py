"""Counts accepted events; `RejectionLog` counts rejected ones."""

from shared.domain.metrics import CounterName
from shared.domain.passback.changes import Change
from shared.ports.passback import Count

ROSTERS = "rosters"
OTHER_KIND = "other"
REJECTED_KIND = "unknown"
STORED, IGNORED, REPEATED = "stored", "ignored", "repeated"


class IntakeMetrics:
    """Counts for one receiver, named by its path."""

    def __init__(self, count: Count, receiver: str) -> None:
        self._count = count
        self._receiver = receiver

    def count_change(self, change: Change | None) -> None:
        """Count a stored change; None stands for an event of no interest."""
        if change is None:
            self._count(CounterName.EVENTS, OTHER_KIND, self._receiver, IGNORED)
        else:
            self._count(CounterName.EVENTS, change.kind, self._receiver, STORED)

    def count_duplicate(self, change: Change) -> None:
        """Count a change that was stored before."""
        self._count(CounterName.EVENTS, change.kind, self._receiver, REPEATED)

    def count_roster_notification(self) -> None:
        """Count a notification that rosters changed."""
        self._count(CounterName.EVENTS, ROSTERS, self._receiver, STORED)
