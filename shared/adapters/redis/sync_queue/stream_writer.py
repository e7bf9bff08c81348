"""What receivers write: changes on the Redis streams, the ids of webhooks, and that rosters changed."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.adapters.redis.client import RETRY_AFTER, clock_ms, script_text
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.domain.causes import Cause
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable

PROBE_TTL = timedelta(minutes=1)
# A webhook's timestamp is accepted for five minutes to either side of now: after ten, it is refused by its age.
WEBHOOK_TTL = timedelta(minutes=10)
MALFORMED_EVENT = "malformed_event"
MAX_MALFORMED = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One change whose sender waits for it to be stored."""

    change: Change
    stored: asyncio.Future[None]


class ChangeWriter:
    """Puts messages on the streams, durably: the writer of one process and event loop.

    While one batch is on its way to Redis the next one gathers, so nobody waits for more than two round trips, and
    under load a round trip carries many changes. At most `max_waiting` changes are held.
    """

    def __init__(self, client: Redis, keys: Keys, max_waiting: int) -> None:
        self._streams = [keys.stream(stream) for stream in STREAM_OF.values()]
        self._stream_number = {kind: number for number, kind in enumerate(STREAM_OF, 1)}
        self._add_changes = client.register_script(script_text("sync_queue/add_changes"))
        self._max_waiting = max_waiting
        self._redis = client
        self._write_probe = keys.write_probe
        self._gathering: list[_Waiting] = []
        self._under_way = 0
        self._sending: asyncio.Task[None] | None = None

    async def add(self, change: Change) -> None:
        """Store the change. May be repeated: a change stored twice is a hint given twice.

        Raises: ServiceUnavailable, when Redis cannot take it or too many are waiting already.
        """
        if len(self._gathering) + self._under_way >= self._max_waiting:
            raise _unavailable("too many changes wait for Redis")
        waiting = _Waiting(change, asyncio.get_running_loop().create_future())
        self._gathering.append(waiting)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        await waiting.stored

    async def check(self) -> None:
        """Return if a change could be stored now. Raises: ServiceUnavailable, RedisError, OSError.

        Writes a key that means nothing: a full or read-only Redis still answers a ping.
        """
        if len(self._gathering) + self._under_way >= self._max_waiting:
            raise _unavailable("too many changes wait for Redis")
        await self._redis.set(self._write_probe, 1, px=PROBE_TTL)

    async def close(self) -> None:
        """Return once everything that waits is stored or refused. The Redis client stays its owner's to close."""
        if self._sending is not None:
            await self._sending

    async def _send_all(self) -> None:
        try:
            while self._gathering:
                batch, self._gathering = self._gathering, []
                self._under_way = len(batch)
                await self._send(batch)
        finally:
            self._under_way = 0
            self._sending = None

    async def _send(self, batch: list[_Waiting]) -> None:
        """Write the batch; a change that Redis refuses fails alone, a lost connection fails them all."""
        # One argument: redis-py takes longer to pack each of many than all this takes to encode.
        args = [msgspec.json.encode([self._listed(waiting.change) for waiting in batch])]
        replies: list[bytes | Exception] = [RedisError("interrupted")] * len(batch)
        try:
            replies = await self._add_changes(keys=self._streams, args=args)
        except (RedisError, OSError) as error:
            replies = [error] * len(batch)
        finally:
            # Whatever happened, nobody is left waiting.
            for waiting, reply in zip(batch, replies, strict=True):
                _settle(waiting.stored, reply)

    def _listed(self, change: Change) -> list[int | str]:
        fields = encode(change)
        return [self._stream_number[change.kind], *(part.decode() for field in fields.items() for part in field)]


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
        with _or_unavailable("XADD"):
            pipeline.execute()


class WebhookIds:
    """The ids of webhooks that were stored while a repetition of theirs would still be accepted."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    async def contain(self, webhook_id: str) -> bool:
        """Say whether the webhook was stored. Raises: ServiceUnavailable."""
        with _or_unavailable("EXISTS"):
            return bool(await self._redis.exists(self._key(webhook_id)))

    async def add(self, webhook_id: str) -> None:
        """Record that the webhook was stored. Raises: ServiceUnavailable."""
        with _or_unavailable("SET"):
            await self._redis.set(self._key(webhook_id), 1, ex=WEBHOOK_TTL)

    def _key(self, webhook_id: str) -> str:
        # The id is the sender's text: its digest keeps the key short and free of whatever is in it.
        return self._keys.webhook_seen(hashlib.sha256(webhook_id.encode()).hexdigest())


async def mark_rosters_changed(client: Redis, keys: Keys) -> None:
    """Record that somebody said that rosters changed just now. Raises: ServiceUnavailable."""
    with _or_unavailable("SET"):
        await client.set(keys.roster_changed_at, clock_ms(await client.time()))


@contextmanager
def _or_unavailable(command: str) -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise _unavailable(f"{command}: {type(error).__name__}") from error


def _settle(stored: asyncio.Future[None], reply: bytes | Exception) -> None:
    if stored.done():
        # Its sender hung up; the change is stored nevertheless, which does no harm.
        return
    if not reply:
        stored.set_result(None)
    else:
        kind = type(reply).__name__ if isinstance(reply, Exception) else "ResponseError"
        stored.set_exception(_unavailable(f"XADD: {kind}"))


def _unavailable(message: str) -> ServiceUnavailable:
    return ServiceUnavailable(message, cause=Cause.REDIS_UNAVAILABLE, delay=RETRY_AFTER)
