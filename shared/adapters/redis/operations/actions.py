"""What people did, in Redis: a bounded stream, the newest first."""

from collections.abc import Mapping
from typing import cast

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import text, time_at
from shared.domain.actions import Action, Verb

MAX_ACTIONS = 5000


class Actions:
    """The log of actions. Times are the Redis server's."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.actions

    def add(self, actor: str, verb: Verb, target: str, count: int = 1) -> str:
        """Keep an action; returns its id."""
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
