"""Lets one of several beats count: whoever comes first takes the slot of a tick."""

from datetime import timedelta

import redis

from shared.adapters.redis.answers import milliseconds
from shared.adapters.redis.keys import Keys


class ScheduleSlots:
    """The slots of scheduled tasks, cut from the Redis server's time."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def take(self, task: str, every: timedelta) -> bool:
        """Say whether the caller is the first to run `task` in the current slot of length `every`."""
        # The slot is remembered for longer than it lasts, so that it cannot end and be taken once more.
        return bool(self._redis.set(self._slot(task, every), 1, nx=True, px=2 * milliseconds(every)))

    def give_back(self, task: str, every: timedelta) -> None:
        """Let the current slot be taken once more: whoever took it could not do its work."""
        self._redis.delete(self._slot(task, every))

    def _slot(self, task: str, every: timedelta) -> str:
        seconds, microseconds = self._redis.time()
        return self._keys.beat_slot(task, timedelta(seconds=seconds, microseconds=microseconds) // every)
