"""Which processes are alive, and which of them runs a scheduled task in an interval."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, cast

import redis

from shared.adapters.redis.client import clock_ms, milliseconds, text, time_at
from shared.adapters.redis.keys import Keys

# Some beats: who looks at the pages sees within ten seconds that a process has died.
GONE_AFTER = timedelta(seconds=8)
HEARTBEAT_TTL = timedelta(days=1)


def process_key() -> str:
    """Return where this process runs, `<host>:<pid>`: the second half of its name."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A process by its name, `<kind>@<host>:<pid>`, and how long ago it was last alive."""

    process: str
    age: timedelta

    @property
    def is_stale(self) -> bool:
        """Say whether the process stopped or hangs."""
        return self.age > GONE_AFTER


class Heartbeats:
    """The heartbeats of all processes, in the Redis server's time."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.heartbeats

    def record(self, process: str) -> None:
        """Record that the process is alive."""
        self._redis.hset(self._key, process, str(self._now_ms()))

    def remove(self, process: str) -> None:
        """Remove the heartbeat of a process that ended as it was told to."""
        self._redis.hdel(self._key, process)

    def all(self) -> list[Heartbeat]:
        """Return every process by name; those gone for a day are deleted."""
        now = time_at(self._now_ms())
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._key))
        heartbeats = [_heartbeat(text(process), time_at(at), now) for process, at in sorted(stored.items())]
        for heartbeat in heartbeats:
            if heartbeat.age > HEARTBEAT_TTL:
                self.remove(heartbeat.process)
        return [heartbeat for heartbeat in heartbeats if heartbeat.age <= HEARTBEAT_TTL]

    def _now_ms(self) -> int:
        return clock_ms(self._redis.time())


def _heartbeat(process: str, at: datetime, now: datetime) -> Heartbeat:
    return Heartbeat(process, max(timedelta(0), now - at))


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
