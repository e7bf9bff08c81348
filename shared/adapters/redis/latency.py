"""How long changes took to reach PowerSchool: per minute for the last hours, and in all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import redis

from shared.adapters.redis.answers import epoch_ms, milliseconds, text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.measures import BEYOND, EVENT_BOUNDS_S, TOTAL_MS, Counted, bucket_of

REMEMBERED_FOR = timedelta(hours=6)
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Minute:
    """The syncs of one minute that wrote: how many, their mean, and how many fell into each bucket."""

    at: datetime
    count: int
    mean_s: float
    buckets: Mapping[str, int]

    def quantile(self, share: float) -> float:
        """Return the bound, in seconds, that this share of them did not exceed; the last one for what is beyond."""
        seen = 0
        for bound in EVENT_BOUNDS_S:
            seen += self.buckets.get(f"{bound:g}", 0)
            if seen >= share * self.count:
                return bound
        return EVENT_BOUNDS_S[-1]


class LatencyLog:
    """The durations, in the Redis server's time."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def note(self, first_change_at: datetime) -> timedelta:
        """Note that what changed first at this time is in PowerSchool now; return how long that took."""
        now_ms = self._now_ms()
        took_ms = max(0, now_ms - epoch_ms(first_change_at))
        bucket = bucket_of(took_ms / 1000, EVENT_BOUNDS_S)
        minute = self._keys.latency(now_ms // _MINUTE_MS)
        pipeline = self._redis.pipeline(transaction=True)
        for key in (minute, self._keys.counter(Counted.EVENT_SECONDS)):
            pipeline.hincrby(key, bucket, 1)
            pipeline.hincrby(key, TOTAL_MS, took_ms)
        pipeline.pexpire(minute, milliseconds(REMEMBERED_FOR))
        pipeline.execute()
        return timedelta(milliseconds=took_ms)

    def recent(self, span: timedelta = timedelta(hours=3)) -> Sequence[Minute]:
        """Return the minutes of the last `span`, at most six hours, in which anything was written; the oldest first."""
        last = self._now_ms() // _MINUTE_MS
        minutes = range(last - min(span, REMEMBERED_FOR) // timedelta(minutes=1), last + 1)
        pipeline = self._redis.pipeline(transaction=False)
        for minute in minutes:
            pipeline.hgetall(self._keys.latency(minute))
        found = cast("list[dict[bytes, bytes]]", pipeline.execute())
        return [_minute(minute, fields) for minute, fields in zip(minutes, found, strict=True) if fields]

    def _now_ms(self) -> int:
        seconds, microseconds = self._redis.time()
        return seconds * 1000 + microseconds // 1000


def _minute(minute: int, fields: Mapping[bytes, bytes]) -> Minute:
    numbers = {text(name): int(number) for name, number in fields.items()}
    total_ms = numbers.pop(TOTAL_MS, 0)
    count = sum(numbers.values())
    known = {f"{bound:g}" for bound in EVENT_BOUNDS_S} | {BEYOND}
    buckets = {bound: number for bound, number in numbers.items() if bound in known}
    return Minute(time_at(minute * _MINUTE_MS), count, total_ms / count / 1000 if count else 0.0, buckets)
