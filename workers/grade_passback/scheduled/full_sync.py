"""The schedule: every connected course is synced once per due time, whatever else happened."""

import math
from collections.abc import Callable
from datetime import timedelta, tzinfo

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.cron import last_due
from shared.domain.passback.changes import ChangeCause


class ScheduledFullSync:
    """Gives courses their scheduled turn, tick by tick.

    What is to be done follows from when each course had its last turn: a night that was missed runs late, one that
    was interrupted goes on, and any number of beats run it once. `zone` is asked for at each tick, since PowerSchool
    may be the one who knows. No `schedule` means no turns.
    """

    def __init__(
        self,
        changes: SyncQueue,
        records: CourseStates,
        clock: Clock,
        schedule: str,
        zone: Callable[[], tzinfo],
        spread: timedelta,
        tick: timedelta,
    ) -> None:
        self._changes = changes
        self._records = records
        self._clock = clock
        self._schedule = schedule
        self._zone = zone
        self._share_of_all = tick / spread

    def run(self) -> int:
        """Make courses due that had no turn since the schedule's last due time; return how many.

        A fair share of all courses per tick, so that a change that comes meanwhile does not wait behind all of them.
        """
        if not self._schedule:
            return 0
        now = self._clock.now()
        share = max(1, math.ceil(self._records.count() * self._share_of_all))
        courses = self._records.least_recently_visited(last_due(self._schedule, now, self._zone()), share)
        for course_id in courses:
            self._changes.request(course_id, ChangeCause.SCHEDULE)
            self._records.mark_visited(course_id, now)
        return len(courses)
