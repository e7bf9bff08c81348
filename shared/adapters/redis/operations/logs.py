"""What people did, and what was erased: bounded streams of entries without the data they are about."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import redis
from redis.typing import EncodableT

from shared.adapters.redis.client import text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.actions import Action, Verb

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
