"""How long changes took to reach PowerSchool, in all: the histogram of the metrics."""

from datetime import datetime, timedelta

import redis

from shared.adapters.redis.answers import epoch_ms
from shared.adapters.redis.keys import Keys
from shared.domain.measures import EVENT_BOUNDS_S, TOTAL_MS, Counted, bucket_of


class LatencyHistogram:
    """The durations, in the Redis server's time."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.counter(Counted.EVENT_SECONDS)

    def note(self, first_change_at: datetime) -> timedelta:
        """Note that what changed first at this time is in PowerSchool now; return how long that took."""
        seconds, microseconds = self._redis.time()
        took_ms = max(0, seconds * 1000 + microseconds // 1000 - epoch_ms(first_change_at))
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hincrby(self._key, bucket_of(took_ms / 1000, EVENT_BOUNDS_S), 1)
        pipeline.hincrby(self._key, TOTAL_MS, took_ms)
        pipeline.execute()
        return timedelta(milliseconds=took_ms)
