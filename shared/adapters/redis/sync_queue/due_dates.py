"""When work is due next, by course, in Redis. `CourseStates.save` puts the dates there."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.adapters.redis.values import epoch_ms, text, time_at


class DueDates:
    """Stores the next due date of each course, since missing work raises no event. `CourseStates.save` writes it."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.due_dates
        self._forget = load_script(client, "sync_queue/delete_due_date")

    def passed(self, moment: datetime) -> Mapping[str, datetime]:
        """Return the courses whose next due date is at or before `moment`, with that date."""
        found = self._redis.zrangebyscore(self._key, "-inf", epoch_ms(moment), withscores=True)
        return {text(course): time_at(due) for course, due in cast("list[tuple[bytes, float]]", found)}

    def delete(self, passed: Mapping[str, datetime]) -> None:
        """Forget these dates of these courses, save those that a sync has replaced meanwhile."""
        for course_id, due_at in passed.items():
            self._forget(keys=[self._key], args=[course_id, epoch_ms(due_at)])
