"""What Canvas and PowerSchool said, for all workers: cached values, the token's end, queries that do not run."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import cast

import msgspec
import redis

from shared.adapters.http.wire import Json, dumps, loads
from shared.adapters.redis.client import text
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.plugin import UnavailableQuery
from shared.domain.provisioning.rows.users import student_dcid_of

# A section is a few kilobytes: this many at once stay far below what a Redis buffers for a client.
PIPELINED = 200


class JsonCache:
    """JSON values by kind and id, each with a lifetime."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def get(self, kind: str, of: str) -> Json:
        """Return the value, None if there is none (any more)."""
        stored = self._redis.get(self._keys.cached(kind, of))
        return None if stored is None else loads(stored)

    def get_all(self, kind: str, of: Collection[str]) -> dict[str, Json]:
        """Return those of the values that there are, by id."""
        if not of:
            return {}
        values = cast("list[bytes | None]", self._redis.mget([self._keys.cached(kind, one) for one in of]))
        return {one: loads(value) for one, value in zip(of, values, strict=True) if value is not None}

    def put(self, kind: str, of: str, value: Json, max_age: timedelta) -> None:
        """Cache the value for `max_age`; not at all where that is zero."""
        self.put_all(kind, [(of, value)], max_age)

    def put_all(self, kind: str, values: Iterable[tuple[str, Json]], max_age: timedelta) -> None:
        """Cache many values by id, in one exchange with Redis for every few hundred.

        The values are taken one after the other, also where nothing is cached.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for number, (of, value) in enumerate(values, 1):
                if max_age <= timedelta(0):
                    continue
                pipeline.set(self._keys.cached(kind, of), dumps(value), px=max_age)
                if number % PIPELINED == 0:
                    pipeline.execute()
            pipeline.execute()


_END_KIND, _REFUSED_KIND = "canvas-token", "canvas-token-refused"
# Longer than the time between two searches of Canvas for courses, at which it is read.
_END_TTL = timedelta(days=3)


class TokenEnd:
    """The end of one token. It is stored under a digest of the token, so that it does not count for the next one.

    A refusal is stored as well: while no course is connected, no course's sync shows it.
    """

    def __init__(self, client: redis.Redis, keys: Keys, token: str) -> None:
        self._cache = JsonCache(client, keys)
        # A token is long and random: its digest gives nothing away.
        self._of = hashlib.sha256(token.encode()).hexdigest()[:16]

    def record(self, ends_at: datetime | None) -> None:
        """Store when the token ends; None where it does not end, or nobody knows."""
        self._cache.put(_END_KIND, self._of, ends_at.isoformat() if ends_at else None, _END_TTL)

    def read(self) -> datetime | None:
        """Return when the token ends, None if that is not known."""
        return self._time(_END_KIND)

    def refuse(self, now: datetime) -> bool:
        """Store that Canvas refused the token now; say whether that is new."""
        since = self.refused_since()
        self._cache.put(_REFUSED_KIND, self._of, (since or now).isoformat(), _END_TTL)
        return since is None

    def accept(self) -> None:
        """Store that Canvas accepted the token."""
        if self.refused_since() is not None:
            self._cache.put(_REFUSED_KIND, self._of, None, _END_TTL)

    def refused_since(self) -> datetime | None:
        """Return since when Canvas has refused the token, None if it accepted it last."""
        return self._time(_REFUSED_KIND)

    def _time(self, kind: str) -> datetime | None:
        stored = self._cache.get(kind, self._of)
        return datetime.fromisoformat(stored) if isinstance(stored, str) else None


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
        self._redis.hset(self._key, name, msgspec.json.encode(UnavailableQuery(name, fault, since, now)))
        return is_new

    def remove(self, name: str) -> bool:
        """Remove the query's entry, since it ran; say whether there was one."""
        return bool(self._redis.hdel(self._key, name))


def _query(name: str, value: bytes | str) -> UnavailableQuery:
    return msgspec.convert({**msgspec.json.decode(value), "name": name}, UnavailableQuery)


def stored_student_ids(client: redis.Redis, keys: Keys) -> dict[int, str]:
    """Return the SIS ids by STUDENTS.DCID; empty where nobody was renumbered lately."""
    stored = cast("dict[bytes, bytes]", client.hgetall(keys.student_sis_ids))
    ids = ((student_dcid_of(text(source)), text(sis_id)) for source, sis_id in stored.items())
    return {dcid: sis_id for dcid, sis_id in ids if dcid is not None}


def last_roster_change(client: redis.Redis, keys: Keys) -> str:
    """Return a name of the latest change of rosters that PowerSchool confirmed, empty if there was none."""
    changed = client.get(keys.rosters_changed)
    return "" if changed is None else f"@{text(changed)}"
