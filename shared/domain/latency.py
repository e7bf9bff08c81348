"""How long changes take from Canvas to PowerSchool: counted by upper bounds, so that any number of them stays small."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

BOUNDS_S = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 3600)
LONGER = 0
"""The bound that stands for longer than any."""


@dataclass(frozen=True, slots=True)
class HourlyLatency:
    """The changes that arrived in one hour, by upper bound in seconds."""

    begins_at: datetime
    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        """Return how many there were."""
        return sum(self.counts.values())

    def within(self, share: float) -> int | None:
        """Return the bound that this share of them kept, `LONGER` where none did; None if there were none."""
        needed, so_far = share * self.total, 0
        for bound in (*BOUNDS_S, LONGER):
            so_far += self.counts.get(bound, 0)
            if self.total and so_far >= needed:
                return bound
        return None


def bound_of(seconds: float) -> int:
    """Return the smallest bound that is no shorter."""
    return next((bound for bound in BOUNDS_S if seconds <= bound), LONGER)
