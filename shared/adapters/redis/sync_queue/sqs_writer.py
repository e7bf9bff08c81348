"""Puts a batch of changes on the Redis streams at once, for receivers that have a batch in their hands."""

from collections.abc import Iterable
from dataclasses import dataclass

import redis
from redis.exceptions import RedisError

from shared.adapters.redis.client import RETRY_AFTER
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_message import STREAM_OF, encode
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable

MALFORMED_EVENT = "malformed_event"
MAX_MALFORMED = 10_000


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is no event: where it was, its id there, what is wrong with it (no word of it), and its size."""

    origin: str
    id: str
    detail: str
    size: int


class SqsWriter:
    """Stores batches: all of it or nothing. May be repeated: a change stored twice is a hint given twice."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._streams = {kind: keys.stream(stream) for kind, stream in STREAM_OF.items()}
        self._malformed = keys.malformed

    def add(self, changes: Iterable[Change], unreadable: Iterable[Unreadable]) -> None:
        """Store the changes, and keep what is unreadable for a person. Raises: ServiceUnavailable."""
        pipeline = self._redis.pipeline(transaction=True)
        for change in changes:
            pipeline.xadd(self._streams[change.kind], dict(encode(change).items()))
        for message in unreadable:
            pipeline.xadd(
                self._malformed,
                {
                    "stream": message.origin,
                    "id": message.id,
                    "reason": MALFORMED_EVENT,
                    "task": message.detail,
                    "bytes": message.size,
                },
                maxlen=MAX_MALFORMED,
            )
        try:
            pipeline.execute()
        except (RedisError, OSError) as error:
            raise ServiceUnavailable(
                f"XADD: {type(error).__name__}", cause="redis_unavailable", delay=RETRY_AFTER
            ) from error
