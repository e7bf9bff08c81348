"""How long changes take to PowerSchool, in Redis: one histogram for the metrics, the same by the hour for the pages."""

from datetime import datetime, timedelta
from typing import cast

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import clock_ms, epoch_ms, time_at
from shared.domain.metrics import BEYOND, EVENT_BOUNDS_S, LONGER, TOTAL_MS, CounterName, HourlyLatency, bucket_of

HISTOGRAM_TTL = timedelta(hours=48)
_HOUR_MS = 3_600_000


class LatencyHistogram:
    """Counts what arrived, in all and by the hour. Durations are in the Redis server's time."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def observe(self, first_heard_at: datetime, arrived_at: datetime | None = None) -> None:
        """Count a change set that is in PowerSchool, since now unless `arrived_at` says when."""
        arrived_ms = clock_ms(self._redis.time()) if arrived_at is None else epoch_ms(arrived_at)
        took_ms = max(0, arrived_ms - epoch_ms(first_heard_at))
        in_all, hour = self._keys.counter(CounterName.EVENT_SECONDS), self._keys.timings(arrived_ms // _HOUR_MS)
        bucket = bucket_of(took_ms / 1000, EVENT_BOUNDS_S)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hincrby(in_all, bucket, 1)
        pipeline.hincrby(in_all, TOTAL_MS, took_ms)
        pipeline.hincrby(hour, str(LONGER) if bucket == BEYOND else bucket, 1)
        pipeline.expire(hour, HISTOGRAM_TTL)
        pipeline.execute()

    def hours(self, now: datetime, count: int) -> list[HourlyLatency]:
        """Return the last hours, the present one last."""
        newest = epoch_ms(now) // _HOUR_MS
        numbers = range(newest - count + 1, newest + 1)
        pipeline = self._redis.pipeline(transaction=False)
        for number in numbers:
            pipeline.hgetall(self._keys.timings(number))
        found = cast("list[dict[bytes, bytes]]", pipeline.execute())
        return [_hour(number, counted) for number, counted in zip(numbers, found, strict=True)]


def _hour(number: int, counted: dict[bytes, bytes]) -> HourlyLatency:
    return HourlyLatency(time_at(number * _HOUR_MS), {int(bound): int(times) for bound, times in counted.items()})
