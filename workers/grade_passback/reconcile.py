"""The rolling reconciliation: every connected course has its turn, so that lost events are repaired."""

import math
from dataclasses import dataclass
from datetime import timedelta

from shared.clock import Clock
from shared.domain.changes import Cause
from shared.ports import ChangeStore, Records, UnknownChanges

# A change of unknown course waits this long for others, so that a storm of them costs one pass, not many.
UNKNOWN_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one tick did: courses whose turn came, and changes of unknown course that every course now answers."""

    courses: int
    answered: int


class Reconciliation:
    """Decides, tick by tick, which courses are looked at again."""

    def __init__(
        self,
        changes: ChangeStore,
        records: Records,
        unknown: UnknownChanges,
        clock: Clock,
        interval: timedelta,
        tick: timedelta,
    ) -> None:
        self._changes = changes
        self._records = records
        self._unknown = unknown
        self._clock = clock
        self._interval = interval
        self._tick = tick

    def run(self) -> Reconciled:
        """Make the courses due that were not synced for an interval. May be repeated at any time.

        At most a fair share of all courses per tick (and at least one), so that a pass is spread over the interval.
        """
        limit = max(1, math.ceil(2 * self._records.count() * (self._tick / self._interval)))
        stale = self._records.stale_courses(self._clock.now() - self._interval, limit)
        answered = self._sweep_for_unknown(limit) if not stale else 0
        for course_id in stale:
            self._changes.request(course_id, Cause.RECONCILE)
        return Reconciled(len(stale), answered)

    def _sweep_for_unknown(self, limit: int) -> int:
        heard = self._unknown.oldest_at()
        if heard is None or self._clock.now() - heard < UNKNOWN_PATIENCE:
            return 0
        horizon = heard + UNKNOWN_PATIENCE
        stale = self._records.stale_courses(horizon, limit)
        for course_id in stale:
            self._changes.request(course_id, Cause.RECONCILE)
        return 0 if stale else self._unknown.close_before(horizon)
