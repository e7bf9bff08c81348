"""What scheduled tasks look for: due dates that have passed, and changes whose course is unknown."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import redis

from shared.adapters.redis.client import epoch_ms, load_script, text, time_at
from shared.adapters.redis.keys import Keys


class DueDates:
    """Stores the next due date of each course, since missing work raises no event. `CourseStates.save` writes it."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.due_dates
        self._delete = load_script(client, "sync_queue/delete_due_date")

    def passed(self, time: datetime) -> Mapping[str, datetime]:
        """Return the courses whose next due date is at or before this time, with that date."""
        found = self._redis.zrangebyscore(self._key, "-inf", epoch_ms(time), withscores=True)
        return {text(course): time_at(due) for course, due in cast("list[tuple[bytes, float]]", found)}

    def delete(self, passed: Mapping[str, datetime]) -> None:
        """Delete these dates of these courses, save those that a sync has replaced meanwhile."""
        for course_id, due_at in passed.items():
            self._delete(keys=[self._key], args=[course_id, epoch_ms(due_at)])


class UnknownChanges:
    """Stores changes whose course is unknown. Reconciliation visits every course because of them.

    Each counts once, with the time of its newest message.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.unknown

    def count(self) -> int:
        """Return how many are open."""
        return self._redis.zcard(self._key)

    def oldest_at(self) -> datetime | None:
        """Return when the oldest open one was heard, None if there is none."""
        first = cast("list[tuple[bytes, float]]", self._redis.zrange(self._key, 0, 0, withscores=True))
        return time_at(first[0][1]) if first else None

    def discard_before(self, before: datetime) -> int:
        """Delete those heard before this time, since every course was visited after it. Returns how many."""
        return self._redis.zremrangebyscore(self._key, "-inf", f"({epoch_ms(before)}")
