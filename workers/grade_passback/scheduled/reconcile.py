"""The rolling reconciliation: every connected course has its turn, so that lost events are repaired."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.sync_queue.scheduled import UnknownChanges
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause

# A change of unknown course waits this long for others, so that a storm of them costs one pass, not many.
UNKNOWN_PATIENCE = timedelta(minutes=10)
# Turns come this share of the interval early, so that a fair share of the courses per tick is always in time.
EARLY = 0.25
BEFORE_ANY_SYNC = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """What one tick did: courses whose turn came, and changes of unknown course that every course now answers."""

    courses: int
    answered: int


class Reconciliation:
    """Decides, tick by tick, which courses are looked at again: each of them at least once per interval.

    `tick` is to be a small part of the interval, at most a sixteenth.
    """

    def __init__(
        self,
        changes: SyncQueue,
        records: CourseStates,
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

    def run(self) -> ReconcileResult:
        """Make the courses due whose turn has come. May be repeated at any time.

        At most a fair share of all courses per tick (and at least one), so that a pass is spread out. Courses that
        never had a turn come on top: they are few, and must not push those aside that are waiting for theirs.
        """
        connected = self._records.count()
        # Two ticks to spare: one until a course is noticed, one for a tick that comes late.
        limit = max(1, math.ceil(connected * (self._tick / (self._interval * EARLY - 2 * self._tick))))
        new = self._records.least_recently_visited(BEFORE_ANY_SYNC, connected)
        for course_id in new:
            self._visit(course_id)
        stale = self._records.least_recently_visited(self._clock.now() - self._interval * (1 - EARLY), limit)
        for course_id in stale:
            self._visit(course_id)
        return ReconcileResult(len(new) + len(stale), self._sweep_for_unknown(limit))

    def _visit(self, course_id: str) -> None:
        """Make the course due. It has had its turn even if its sync fails: that is for retries and dead letters."""
        self._changes.request(course_id, ChangeCause.RECONCILE)
        self._records.mark_visited(course_id, self._clock.now())

    def _sweep_for_unknown(self, limit: int) -> int:
        heard = self._unknown.oldest_at()
        if heard is None or self._clock.now() - heard < UNKNOWN_PATIENCE:
            return 0
        horizon = heard + UNKNOWN_PATIENCE
        stale = self._records.least_recently_visited(horizon, limit)
        for course_id in stale:
            self._visit(course_id)
        return 0 if stale else self._unknown.discard_before(horizon)
