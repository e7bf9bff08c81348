"""What Redis holds at this moment, in numbers for those who watch. Reads only, and no content."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import redis

from shared.adapters.redis.client import clock_ms, text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.metrics import CounterName
from shared.queues import CONSUMER_GROUP, Queue, Stream

_Entry = tuple[bytes, Mapping[bytes, bytes]]
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class StreamGauge:
    """A stream: its entries, history included, and when its oldest message that is not aggregated was put there."""

    entries: int
    oldest_unfolded_at: datetime | None


@dataclass(frozen=True, slots=True)
class SystemGauge:
    """A remote system: how long it is paused for yet, whether it has not answered since, its failures in a row."""

    paused_s: float
    is_unavailable: bool
    failures: int


@dataclass(frozen=True, slots=True)
class MemoryGauge:
    """Redis's memory, in bytes. The limit is `maxmemory`, else the machine's; 0 where the server tells neither."""

    used: int
    limit: int

    @property
    def ratio(self) -> float | None:
        """The used part of the limit, None where that is unknown."""
        return self.used / self.limit if self.limit else None


# Of courses without a time of their first event.
SOMEBODY_WAITS = ("c:person", "c:due_date", "c:event", "c:webhook")


class QueueStats:
    """Reads them."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def now(self) -> datetime:
        """Return the Redis server's time, in which all of these times are."""
        return time_at(clock_ms(self._redis.time()))

    def stream(self, stream: Stream) -> StreamGauge:
        """Return a stream's numbers."""
        key = self._keys.stream(stream)
        return StreamGauge(self._redis.xlen(key), self._oldest_unfolded(key))

    def queue(self, queue: Queue) -> int:
        """Return how many messages lie in a Celery queue."""
        return self._redis.llen(f"{self._keys.prefix}:celery:{queue}")

    def oldest_waiting(self) -> datetime | None:
        """Return the oldest first change of the courses that are due, now or later, or claimed; None without any.

        Passes over all courses are left out: they let others go first, and nobody waits for them. An event for which a
        course of such a pass became due counts from its own time.
        """
        courses = [*self._members(self._keys.due), *self._members(self._keys.claimed)]
        pipeline = self._redis.pipeline(transaction=False)
        for course in courses:
            pipeline.hmget(self._keys.pending(course), "event", "first", *SOMEBODY_WAITS)
        waiting = cast("list[list[bytes | None]]", pipeline.execute())
        firsts = (event or (first if any(asked) else None) for event, first, *asked in waiting)
        return min((time_at(first) for first in firsts if first is not None), default=None)

    def audit_entries(self) -> int:
        """Return how many audit entries are stored of all connected courses. Costs a command per course."""
        courses = self._members(self._keys.courses)
        return sum(self._audit_entries(courses[at : at + _AT_ONCE]) for at in range(0, len(courses), _AT_ONCE))

    def system(self, system: str) -> SystemGauge:
        """Return how a remote system is, as all workers know it."""
        remaining_ms = self._redis.pttl(self._keys.pause(system))
        return SystemGauge(
            max(0, remaining_ms) / 1000,
            bool(self._redis.exists(self._keys.half_open(system))),
            int(self._redis.get(self._keys.failures(system)) or 0),
        )

    def memory(self) -> MemoryGauge:
        """Return Redis's memory."""
        info = self._redis.info("memory")
        limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
        return MemoryGauge(int(info["used_memory"]), limit)

    def counter(self, name: CounterName | str) -> Mapping[tuple[str, ...], int]:
        """Return what all processes counted under `name`, by its labels."""
        counted = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.counter(name)))
        return {tuple(text(labels).split("|")): int(number) for labels, number in counted.items()}

    def _oldest_unfolded(self, key: str) -> datetime | None:
        """Return when the oldest message that nobody acknowledged was written: read and not aggregated, or unread."""
        groups = self._redis.xinfo_groups(key) if self._redis.exists(key) else []
        after, ids = "-", []
        for group in groups:
            if text(group["name"]) == CONSUMER_GROUP:
                after = f"({text(group['last-delivered-id'])}"
                pending = self._redis.xpending(key, CONSUMER_GROUP)
                ids += [text(pending["min"])] if pending["pending"] else []
        unread = cast("list[_Entry]", self._redis.xrange(key, min=after, count=1))
        ids += [text(entry_id) for entry_id, _ in unread]
        return min((time_at(entry_id.partition("-")[0]) for entry_id in ids), default=None)

    def _audit_entries(self, courses: Iterable[str]) -> int:
        pipeline = self._redis.pipeline(transaction=False)
        for course in courses:
            pipeline.xlen(self._keys.audit(course))
        return sum(cast("list[int]", pipeline.execute()))

    def _members(self, sorted_set: str) -> list[str]:
        return [text(member) for member in cast("list[bytes]", self._redis.zrange(sorted_set, 0, -1))]
