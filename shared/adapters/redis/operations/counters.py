"""Numbers that only grow, counted in Redis because every process counts and any of them is asked."""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

import redis
import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.client import clock_ms, epoch_ms, text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.metrics import (
    EVENT_BOUNDS_S,
    OVERFLOW,
    OVERFLOW_BOUND,
    SUM_MS,
    CounterName,
    HourlyLatency,
    bucket_for,
)
from shared.log_events import LogEvent

log = structlog.get_logger()

HISTOGRAM_TTL = timedelta(hours=48)
FLUSH_EVERY = timedelta(seconds=1)
SEPARATOR = "|"
_HOUR_MS = 3_600_000


class Counters:
    """What all processes count together: a hash per name, and by the hour how fast changes arrived.

    Durations are in the Redis server's time.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def add(self, name: str, label: str, amount: int = 1) -> None:
        """Count `amount` more of `label` under `name`."""
        self._redis.hincrby(self._keys.counter(name), label, amount)

    def read(self, name: str) -> Mapping[str, int]:
        """Return what was counted under `name`, by label."""
        counted = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.counter(name)))
        return {text(label): int(number) for label, number in counted.items()}

    def observe(self, first_heard_at: datetime, arrived_at: datetime | None = None) -> None:
        """Count pending changes that are in PowerSchool, since now unless `arrived_at` says when."""
        arrived_ms = clock_ms(self._redis.time()) if arrived_at is None else epoch_ms(arrived_at)
        took_ms = max(0, arrived_ms - epoch_ms(first_heard_at))
        in_all, hour = self._keys.counter(CounterName.EVENT_SECONDS), self._keys.timings(arrived_ms // _HOUR_MS)
        bucket = bucket_for(took_ms / 1000, EVENT_BOUNDS_S)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hincrby(in_all, bucket, 1)
        pipeline.hincrby(in_all, SUM_MS, took_ms)
        pipeline.hincrby(hour, str(OVERFLOW_BOUND) if bucket == OVERFLOW else bucket, 1)
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


class CounterBuffer:
    """The `Count` of one process, for all its threads. What `Counters` reads, with labels joined by a bar.

    Numbers that a process killed between two flushes had not written are lost: they are for watching, not for books.
    """

    def __init__(self, client: redis.Redis, keys: Keys, every: timedelta = FLUSH_EVERY) -> None:
        self._redis = client
        self._keys = keys
        self._every_s = every.total_seconds()
        self._counted: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def __call__(self, name: str, *labels: str, amount: int = 1) -> None:
        """Count `amount` more of these labels under `name`. Never waits for Redis."""
        with self._lock:
            self._counted[name, SEPARATOR.join(labels)] += amount
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="tally", daemon=True)
                self._thread.start()
        self._wanted.set()

    def flush(self) -> bool:
        """Write what was counted; False, and nothing forgotten, where Redis does not take it."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        if not counted:
            return True
        try:
            self._write(counted)
        except (RedisError, OSError) as error:
            with self._lock:
                self._counted.update(counted)
            self._record_failure(error)
            return False
        self._failing = False
        return True

    def close(self) -> None:
        """Write the rest and end the thread."""
        self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.flush()

    def _write(self, counted: Counter[tuple[str, str]]) -> None:
        # All or nothing, so that what is counted again after a failure was not written before.
        pipeline = self._redis.pipeline(transaction=True)
        for (name, label), amount in counted.items():
            pipeline.hincrby(self._keys.counter(name), label, amount)
        pipeline.execute()

    def _record_failure(self, error: Exception) -> None:
        """Log the first failure of several in a row."""
        if not self._failing:
            log.warning(LogEvent.METRICS_FLUSH_FAILED, error=type(error).__name__)
        self._failing = True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._stopped.wait(self._every_s)
            self._wanted.clear()
            if not self.flush():
                self._wanted.set()


def _hour(number: int, counted: dict[bytes, bytes]) -> HourlyLatency:
    return HourlyLatency(time_at(number * _HOUR_MS), {int(bound): int(times) for bound, times in counted.items()})
