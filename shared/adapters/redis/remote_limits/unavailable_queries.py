"""Which of the plugin's queries PowerSchool does not run, for all processes, `status`, the pages and metrics."""

import redis
from pydantic import AwareDatetime, BaseModel

from shared.adapters.redis.client import text
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.plugin_queries import UnavailableQuery


class _Stored(BaseModel):
    """A query's entry as JSON."""

    fault: Cause
    since: AwareDatetime
    asked_at: AwareDatetime


class UnavailableQueries:
    """The queries that PowerSchool refused to run the last time they were asked for. May be repeated."""

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock) -> None:
        self._redis = client
        self._key = keys.unavailable_queries
        self._clock = clock

    def find(self, name: str) -> UnavailableQuery | None:
        """Return the query's entry; None where it ran when it was asked for last, or never was."""
        stored = self._redis.hget(self._key, name)
        return None if stored is None else _query(name, stored)

    def all(self) -> list[UnavailableQuery]:
        """Return every entry, sorted by name."""
        stored = self._redis.hgetall(self._key)
        return sorted((_query(text(name), value) for name, value in stored.items()), key=lambda query: query.name)

    def add(self, name: str, fault: Cause) -> bool:
        """Store that the query was refused now; say whether that is new."""
        known, now = self.find(name), self._clock.now()
        is_new = known is None or known.fault is not fault
        since = now if known is None or is_new else known.since
        self._redis.hset(self._key, name, _Stored(fault=fault, since=since, asked_at=now).model_dump_json())
        return is_new

    def remove(self, name: str) -> bool:
        """Remove the query's entry, since it ran; say whether there was one."""
        return bool(self._redis.hdel(self._key, name))


def _query(name: str, value: bytes | str) -> UnavailableQuery:
    stored = _Stored.model_validate_json(value)
    return UnavailableQuery(name, stored.fault, stored.since, stored.asked_at)
