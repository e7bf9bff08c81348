"""Defines the counters, by name, and the buckets of durations. Labels are codes, never data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

OVERFLOW_BOUND = 0
"""The bound of an hour's changes that took longer than the last bound."""
OVERFLOW = "+Inf"
"""The bucket of what took longer than the last bound."""
SUM_MS = "ms"
"""The label beside the buckets: the sum of all durations, in milliseconds."""

EVENT_BOUNDS_S = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
REQUEST_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class CounterName(StrEnum):
    """The counters. Under each member its labels, in their order."""

    EVENTS = "events"
    """Requests and messages of receivers: kind, receiver, outcome."""
    SYNCS = "syncs"
    """Runs of a course: outcome, cause (empty where it is done)."""
    WRITTEN = "written"
    """What was written to PowerSchool: `assignments` (of a section) or `scores`."""
    EVENT_SECONDS = "event-seconds"
    """From the first change to the written end of its sync: bucket, or `ms`."""
    REQUESTS = "requests"
    """Requests to Canvas and PowerSchool: system, method and path template, status class or trouble."""
    REQUEST_SECONDS = "request-seconds"
    """Their durations: system, and bucket or `ms`."""
    FAILURES_BY_KIND = "troubles"
    """Answers of a system that has trouble: system, trouble."""
    LTI_LAUNCHES = "lti-launches"
    """Launches of pages inside Canvas: `opened`, or the code of the refusal."""


def bucket_for(seconds: float, bounds: Sequence[float]) -> str:
    """Return the label of the first bound that `seconds` does not exceed."""
    return next((f"{bound:g}" for bound in bounds if seconds <= bound), OVERFLOW)


@dataclass(frozen=True, slots=True)
class HourlyLatency:
    """The changes that arrived in one hour, by upper bound in seconds."""

    begins_at: datetime
    counts: Mapping[int, int]

    @property
    def total(self) -> int:
        """Return how many there were."""
        return sum(self.counts.values())

    def bound_for(self, share: float) -> int | None:
        """Return the bound within which this share was synced, `OVERFLOW_BOUND` for longer; None without changes."""
        needed, so_far = share * self.total, 0
        for bound in sorted(self.counts, key=lambda bound: bound or math.inf):
            so_far += self.counts[bound]
            if self.total and so_far >= needed:
                return bound
        return None
