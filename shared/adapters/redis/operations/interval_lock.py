"""Runs a scheduled task once per interval, even with several Celery beats."""

from datetime import timedelta
from typing import NamedTuple

import redis

from shared.adapters.redis.client import milliseconds
from shared.adapters.redis.keys import Keys

# A worker that was killed leaves its slot taken for this long, or for twice the interval where that is shorter.
MAX_RUNNING = timedelta(minutes=30)


class Slot(NamedTuple):
    """One interval of one task, taken by the worker that runs it."""

    key: str
    every: timedelta


class IntervalLocks:
    """The slots of scheduled tasks. Their intervals are cut from the Redis server's time."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def take(self, task: str, every: timedelta) -> Slot | None:
        """Return the current slot of length `every` if the caller is the first to take it."""
        seconds, microseconds = self._redis.time()
        number = timedelta(seconds=seconds, microseconds=microseconds) // every
        slot = Slot(self._keys.interval_lock(task, number), every)
        running_ms = milliseconds(min(2 * every, MAX_RUNNING))
        return slot if self._redis.set(slot.key, "running", nx=True, px=running_ms) else None

    def done(self, slot: Slot) -> None:
        """Keep the slot taken for longer than it lasts, so that it cannot end and be taken once more."""
        self._redis.set(slot.key, "done", px=2 * milliseconds(slot.every))

    def give_back(self, slot: Slot) -> None:
        """Let this slot, and no later one, be taken once more: whoever took it could not do its work."""
        self._redis.delete(slot.key)
