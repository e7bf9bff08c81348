"""What people did: the log of actions, what they paused, and what they erased."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import msgspec
import redis
from redis.typing import EncodableT

from shared.adapters.redis.client import EPOCH, text, time_at
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.actions import EVERYTHING, Action, Pause, Verb, course_target

MAX_ACTIONS = 5000


class Actions:
    """The log of actions. Times are the Redis server's."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.actions

    def add(self, actor: str, verb: Verb, target: str, count: int = 1) -> str:
        """Store an action; returns its id."""
        fields = {"actor": actor, "verb": verb.value, "target": target, "count": str(count)}
        entry_id = self._redis.xadd(self._key, fields, maxlen=MAX_ACTIONS, approximate=True)  # type: ignore[arg-type]
        return text(entry_id)

    def newest(self, limit: int) -> list[Action]:
        """Return the newest actions, the newest first."""
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrevrange(self._key, count=limit))
        return [_action(text(entry_id), fields) for entry_id, fields in entries]


def _action(entry_id: str, fields: Mapping[bytes, bytes]) -> Action:
    return Action(
        time_at(entry_id.partition("-")[0]),
        text(fields[b"actor"]),
        Verb(text(fields[b"verb"])),
        text(fields[b"target"]),
        int(fields[b"count"]),
    )


MAX_ERASURES = 1000


class ErasureLog:
    """Notes about erasures, without what was erased: neither a student's id nor a value is in them."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.purges

    def add(self, what: str, actor: str, erased: Mapping[str, int]) -> None:
        """Record an erasure."""
        fields: dict[EncodableT, EncodableT] = {"what": what, "actor": actor}
        fields |= {f"n:{name}": count for name, count in erased.items()}
        self._redis.xadd(self._key, fields, maxlen=MAX_ERASURES)

    def all(self) -> list[dict[str, object]]:
        """Return every erasure, the oldest first."""
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrange(self._key))
        return [_to_entry(time_at(text(entry_id).partition("-")[0]), fields) for entry_id, fields in entries]


def _to_entry(at: datetime, fields: Mapping[bytes, bytes]) -> dict[str, object]:
    counts = {text(k).removeprefix("n:"): int(n) for k, n in fields.items() if k.startswith(b"n:")}
    return {"at": at, "what": text(fields[b"what"]), "actor": text(fields[b"actor"]), "erased": counts}


UNKNOWN_ACTOR = "unknown"


class Pauses:
    """Stores what a person paused. Changes are collected meanwhile; `claim_due.lua` claims nothing that is paused."""

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock) -> None:
        self._redis = client
        self._key = keys.paused
        self._clock = clock

    def pause(self, target: str, actor: str, reason: str = "") -> bool:
        """Hold the target back; False if it was already, and then its first pause stays."""
        pause = Pause(target, self._clock.now(), actor, reason)
        return bool(self._redis.hsetnx(self._key, target, msgspec.json.encode(pause).decode()))

    def resume(self, target: str) -> bool:
        """Let the target go on; False if it was not held back."""
        return bool(self._redis.hdel(self._key, target))

    def all(self) -> list[Pause]:
        """Return what is held back, the longest first."""
        stored = self._redis.hgetall(self._key)
        return sorted((_pause(text(target), value) for target, value in stored.items()), key=lambda pause: pause.since)

    def of_course(self, course_id: str) -> Pause | None:
        """Return what holds the course back: its own pause, else everything's."""
        for target in (course_target(course_id), EVERYTHING):
            stored = self._redis.hget(self._key, target)
            if stored is not None:
                return _pause(target, stored)
        return None


def _pause(target: str, value: bytes | str) -> Pause:
    try:
        pause = msgspec.convert({**msgspec.json.decode(value), "target": target}, Pause)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        pause = None
    if pause is None or pause.since.tzinfo is None:
        # It holds its target back all the same, so that it has to be seen and can be resumed.
        return Pause(target, EPOCH, UNKNOWN_ACTOR, "")
    return pause
