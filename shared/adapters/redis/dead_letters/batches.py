"""Many dead letters retried or discarded at once, in Redis: how far a batch is, and that it should end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

import redis

from shared.adapters.redis.client import epoch_ms, text, time_at
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.actions import Verb

BATCH_TTL = timedelta(days=1)
SILENT_AFTER = timedelta(seconds=15)


class BatchState(StrEnum):
    """How a batch is doing."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its web process ended before it did. What is left is untouched, and may be retried."""


@dataclass(frozen=True, slots=True)
class DeadLetterBatch:
    """A batch: of `total` letters, `done` were retried or discarded, and `refused` cannot be."""

    id: str
    verb: Verb
    actor: str
    total: int
    done: int
    refused: int
    state: BatchState
    started_at: datetime


class DeadLetterBatches:
    """The batches of a day."""

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock) -> None:
        self._redis = client
        self._keys = keys
        self._clock = clock

    def begin(self, batch_id: str, verb: Verb, actor: str, total: int) -> None:
        """Record that a batch begins."""
        now = epoch_ms(self._clock.now())
        fields: dict[str, str | int] = {
            "verb": verb.value, "actor": actor, "total": total, "done": 0, "refused": 0,
            "state": BatchState.RUNNING.value, "started": now, "seen": now,
        }  # fmt: skip
        key = self._keys.batch(batch_id)
        self._redis.hset(key, mapping=fields)  # type: ignore[arg-type]  # redis-py's mapping is invariant
        self._redis.expire(key, BATCH_TTL)

    def go_on(self, batch_id: str, done: int, refused: int) -> bool:
        """Record how far it is; False if it should end, since somebody cancelled it."""
        key = self._keys.batch(batch_id)
        seen = epoch_ms(self._clock.now())
        self._redis.hset(key, mapping={"done": done, "refused": refused, "seen": seen})
        return not self._redis.hexists(key, "cancel")

    def end(self, batch_id: str, state: BatchState) -> None:
        """Record how it ended."""
        self._redis.hset(self._keys.batch(batch_id), "state", state.value)

    def cancel(self, batch_id: str) -> bool:
        """Ask the batch to end; False if there is none that runs."""
        batch = self.find(batch_id)
        if batch is None or batch.state is not BatchState.RUNNING:
            return False
        self._redis.hset(self._keys.batch(batch_id), "cancel", "1")
        return True

    def find(self, batch_id: str) -> DeadLetterBatch | None:
        """Return a batch of the last day."""
        fields = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.batch(batch_id)))
        return self._batch(batch_id, fields) if b"verb" in fields else None

    def _batch(self, batch_id: str, fields: Mapping[bytes, bytes]) -> DeadLetterBatch:
        state = BatchState(text(fields[b"state"]))
        silent = self._clock.now() - time_at(fields[b"seen"]) > SILENT_AFTER
        return DeadLetterBatch(
            batch_id,
            Verb(text(fields[b"verb"])),
            text(fields[b"actor"]),
            int(fields[b"total"]),
            int(fields[b"done"]),
            int(fields[b"refused"]),
            BatchState.INTERRUPTED if state is BatchState.RUNNING and silent else state,
            time_at(fields[b"started"]),
        )
