"""How long changes take to PowerSchool, in Redis: a small histogram per hour."""

from datetime import datetime, timedelta
from typing import cast

import redis

from shared.adapters.redis.answers import epoch_ms, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.timings import HourOfTimings, bound_of

REMEMBERED_FOR = timedelta(hours=48)
_HOUR_MS = 3_600_000


class RedisTimings:
    """Counts what arrived, by the hour."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def note(self, first_heard_at: datetime, arrived_at: datetime) -> None:
        """Count a change set that is in PowerSchool now."""
        key = self._keys.timings(epoch_ms(arrived_at) // _HOUR_MS)
        bound = bound_of(max(0.0, (arrived_at - first_heard_at).total_seconds()))
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hincrby(key, str(bound), 1)
        pipeline.expire(key, REMEMBERED_FOR)
        pipeline.execute()

    def hours(self, now: datetime, count: int) -> list[HourOfTimings]:
        """Return the last hours, the present one last."""
        newest = epoch_ms(now) // _HOUR_MS
        numbers = range(newest - count + 1, newest + 1)
        pipeline = self._redis.pipeline(transaction=False)
        for number in numbers:
            pipeline.hgetall(self._keys.timings(number))
        found = cast("list[dict[bytes, bytes]]", pipeline.execute())
        return [_hour(number, counted) for number, counted in zip(numbers, found, strict=True)]


def _hour(number: int, counted: dict[bytes, bytes]) -> HourOfTimings:
    return HourOfTimings(time_at(number * _HOUR_MS), {int(bound): int(times) for bound, times in counted.items()})
