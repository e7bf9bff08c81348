"""The clock of all hosts together: this machine's, set right by Redis's whenever the two differ."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import redis
from redis.exceptions import RedisError

from shared.adapters.redis.values import clock_ms, time_at
from shared.clock import Clock

MEASURE_INTERVAL_S = 60.0
RECHECK_INTERVAL_S = 5.0
# Smaller differences are the way to Redis and back, not a wrong clock: following them would make time jump.
TOLERANCE = timedelta(seconds=1)


class SharedClock:
    """A `Clock` on which hosts with wrong clocks agree, so that "synced an hour ago" means the same to all of them.

    It looks at Redis's time about once a minute. While Redis does not answer, the last known difference counts.
    """

    def __init__(self, client: redis.Redis, local: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = client
        self._local = local
        self._monotonic = monotonic
        self._ahead = timedelta(0)
        self._next_measurement = float("-inf")
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        if self._monotonic() >= self._next_measurement and self._lock.acquire(blocking=False):
            try:
                self._measure()
            finally:
                self._lock.release()
        return self._local.now() - self._ahead

    def sleep(self, duration: timedelta) -> None:
        """Block the calling thread for `duration`."""
        self._local.sleep(duration)

    def ahead(self) -> timedelta:
        """Return how far this machine's clock is ahead of Redis's; negative if it is behind."""
        return self._ahead

    def _measure(self) -> None:
        before = self._local.now()
        try:
            theirs = time_at(clock_ms(self._redis.time()))
        except RedisError:
            self._next_measurement = self._monotonic() + RECHECK_INTERVAL_S
            return
        after = self._local.now()
        ahead = before + (after - before) / 2 - theirs.astimezone(UTC)
        if abs(ahead - self._ahead) > TOLERANCE + (after - before):
            self._ahead = ahead
        self._next_measurement = self._monotonic() + MEASURE_INTERVAL_S
