"""Puts changes on the Redis streams: all that are waiting share one round trip, and each waits until it is stored."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import script_text
from shared.adapters.redis.sync_queue.stream_message import STREAM_OF, encode
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable

RETRY_AFTER = timedelta(seconds=5)
PROBE_TTL = timedelta(minutes=1)


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

    def __init__(self, redis: Redis, keys: Keys, max_waiting: int) -> None:
        self._streams = [keys.stream(stream) for stream in STREAM_OF.values()]
        self._place = {kind: place for place, kind in enumerate(STREAM_OF, 1)}
        self._add_changes = redis.register_script(script_text("sync_queue/add_changes"))
        self._max_waiting = max_waiting
        self._redis = redis
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
        answers: list[bytes | Exception] = [RedisError("interrupted")] * len(batch)
        try:
            answers = await self._add_changes(keys=self._streams, args=args)
        except (RedisError, OSError) as error:
            answers = [error] * len(batch)
        finally:
            # Whatever happened, nobody is left waiting.
            for waiting, answer in zip(batch, answers, strict=True):
                _settle(waiting.stored, answer)

    def _listed(self, change: Change) -> list[int | str]:
        fields = encode(change)
        return [self._place[change.kind], *(part.decode() for field in fields.items() for part in field)]


def _settle(stored: asyncio.Future[None], answer: bytes | Exception) -> None:
    if stored.done():
        # Its sender hung up; the change is stored nevertheless, which does no harm.
        return
    if not answer:
        stored.set_result(None)
    else:
        kind = type(answer).__name__ if isinstance(answer, Exception) else "ResponseError"
        stored.set_exception(_unavailable(f"XADD: {kind}"))


def _unavailable(message: str) -> ServiceUnavailable:
    return ServiceUnavailable(message, cause="redis_unavailable", delay=RETRY_AFTER)
