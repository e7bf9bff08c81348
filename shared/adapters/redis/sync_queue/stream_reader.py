"""Reads the message streams as one of a consumer group, so that no message is lost with the process that read it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import redis
from redis.exceptions import ResponseError

from shared.adapters.redis.client import load_script, milliseconds, set_aside_wrong_types, text
from shared.adapters.redis.keys import Keys
from shared.queues import CONSUMER_GROUP, Stream

HISTORY = timedelta(hours=24)
HISTORY_ENTRIES = 100_000
CONSUMERS_TTL = timedelta(hours=1)
MAX_COUNTED = 10_000

# What Redis says where the group, or its stream, does not exist (any more), 6.2 also to a reader that is waiting.
_GROUP_IS_GONE = ("NOGROUP", "UNBLOCKED")

_Entry = tuple[bytes, Mapping[bytes, bytes] | None]


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a stream. An entry that was deleted before it was acknowledged has no fields."""

    stream: Stream
    id: str
    fields: Mapping[bytes, bytes]

    @property
    def written_ms(self) -> int:
        """When it was put on the stream, in milliseconds since the epoch."""
        return int(self.id.partition("-")[0])


class StreamReader:
    """Reads both streams for a consumer. `idle_for` without a sign of life makes a consumer's messages another's."""

    def __init__(self, client: redis.Redis, keys: Keys, idle_for: timedelta) -> None:
        self._redis = client
        self._streams = {keys.stream(stream): stream for stream in Stream}
        self._maintenance_key = keys.streams_tended
        self._idle_for = idle_for
        self._trim_stream = load_script(client, "sync_queue/trim_stream")
        self._longest_block = _longest_block(client)
        self._without_backlog: set[str] = set()

    @contextmanager
    def reading(self, consumer: str, limit: int, block: timedelta) -> Iterator[list[Message]]:
        """Give the block about `limit` messages to acknowledge: first those this consumer read and left so.

        A consumer leaves messages when it dies, when the block raises, or when Redis's answer is lost.
        """
        backlog = self._in_group(lambda: self._backlog(consumer, limit))
        if backlog:
            yield backlog
            return
        self._without_backlog.discard(consumer)
        yield self._in_group(lambda: self._read(consumer, ">", limit, min(block, self._longest_block)))
        self._without_backlog.add(consumer)

    def waiting(self) -> int:
        """Return how many messages are not yet acknowledged: unread, or read and not aggregated."""
        return sum(self._waiting_in(key) for key in self._streams)

    def _backlog(self, consumer: str, limit: int) -> list[Message]:
        if self._redis.set(self._maintenance_key, 1, nx=True, px=self._idle_for):
            self._autoclaim(consumer, limit)
        if consumer in self._without_backlog:
            return []
        return self._read(consumer, "0", limit, timedelta(0))

    def _autoclaim(self, consumer: str, limit: int) -> None:
        """Take over what dead consumers left, drop consumers that are long gone, bound the history."""
        for key in self._streams:
            idle_ms = milliseconds(self._idle_for)
            self._redis.xautoclaim(key, CONSUMER_GROUP, consumer, idle_ms, "0-0", count=limit, justid=True)
            limits = [milliseconds(HISTORY), HISTORY_ENTRIES, milliseconds(CONSUMERS_TTL)]
            self._trim_stream(keys=[key], args=[CONSUMER_GROUP, *limits])
        self._without_backlog.discard(consumer)

    def _read(self, consumer: str, after: str, limit: int, block: timedelta) -> list[Message]:
        reply = self._redis.xreadgroup(
            CONSUMER_GROUP,
            consumer,
            dict.fromkeys(self._streams, after),
            # The count is per stream. Redis would take a block of 0 for "without end".
            count=max(1, limit // len(self._streams)),
            block=milliseconds(block) or None,
        )
        return list(self._messages(cast("Iterable[tuple[bytes, list[_Entry]]]", reply)))

    def _messages(self, reply: Iterable[tuple[bytes, list[_Entry]]]) -> Iterator[Message]:
        for key, entries in reply:
            for entry_id, fields in entries:
                yield Message(self._streams[text(key)], text(entry_id), fields or {})

    def _in_group(self, read: Callable[[], list[Message]]) -> list[Message]:
        """Return what `read` reads; a Redis that knows nothing of the group (new, or emptied) is told of it first."""
        try:
            return read()
        except ResponseError as error:
            if not str(error).startswith((*_GROUP_IS_GONE, "WRONGTYPE")):
                raise
        set_aside_wrong_types(self._redis, dict.fromkeys(self._streams, "stream"))
        self._create_groups()
        return read()

    def _create_groups(self) -> None:
        for key in self._streams:
            try:
                self._redis.xgroup_create(key, CONSUMER_GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    def _waiting_in(self, key: str) -> int:
        groups = self._redis.xinfo_groups(key) if self._redis.exists(key) else []
        for group in groups:
            if text(group["name"]) == CONSUMER_GROUP:
                return int(group["pending"]) + self._unread(key, text(group["last-delivered-id"]))
        return self._redis.xlen(key)

    def _unread(self, key: str, last_read: str) -> int:
        """Count what comes after the last message that was read, up to a bound.

        Redis's own `lag` is not used: a Redis 7.0 that rewrote its append-only file, and was killed later, takes for
        unread what was read in between, for ever.
        """
        return len(self._redis.xrange(key, min=f"({last_read}", count=MAX_COUNTED) or ())


def _longest_block(client: redis.Redis) -> timedelta:
    """Return how long a read may wait for messages, so that the client does not take silence for a dead Redis."""
    timeout_s = client.connection_pool.connection_kwargs.get("socket_timeout")
    return timedelta(seconds=timeout_s / 2) if timeout_s else timedelta.max
