"""Messages that nobody could read, in Redis: malformed ones of our streams, and what a worker could not make out."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import cast

import redis
from redis.typing import EncodableT

from shared.adapters.redis.client import load_script, text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.outcome import DeadLetter, DeadLetterKind
from shared.queues import Queue, Stream

ID_PREFIX = "message-"
MALFORMED = "malformed_message"
MAX_MESSAGES = 10_000
MAX_BYTES = 65_536
PAGE = 200
OF_PASSBACK = frozenset({b"stream", b"id", b"reason", b"task", b"cut", b"bytes"})

_ENTRY_ID = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
_PARTS_END = 2**64

_Entry = tuple[bytes, Mapping[bytes, bytes]]


class DeadMessages:
    """Stores messages that no code could read, for an operator.

    Their ids begin with `message-`; times are the Redis server's.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.malformed
        self._streams = {keys.stream(stream): stream.value for stream in Stream}
        self._celery_prefix = f"{keys.prefix}:celery:"
        self._republish = load_script(client, "dead_letters/republish")

    def add(self, queue: str, cause: str, task: str, payload: bytes) -> None:
        """Store a Celery message; of one that is too large, only that there was one."""
        fields: dict[EncodableT, EncodableT] = {"stream": queue, "reason": cause, "task": task}
        fields |= {"payload": payload} if len(payload) <= MAX_BYTES else {"cut": "1"}
        self._redis.xadd(self._key, fields, maxlen=MAX_MESSAGES, approximate=True)

    def all(self) -> list[DeadLetter]:
        """Return every stored message, the oldest first."""
        found: list[DeadLetter] = []
        # A page at a time: messages may be large, and what was in them is not kept here.
        while page := self.page(found[-1].id if found else None, PAGE):
            found += page
        return found

    def page(self, after: str | None, limit: int) -> list[DeadLetter]:
        """Return the `limit` messages that were stored next after the one of this id; None is before the first."""
        entry_id = None if after is None else _entry_id(after)
        if after is not None and entry_id is None:
            return []
        start = "-" if entry_id is None else f"({entry_id}"
        entries = cast("list[_Entry]", self._redis.xrange(self._key, start, count=limit))
        return [self._message(text(entry_id), fields) for entry_id, fields in entries]

    def find(self, message_id: str) -> DeadLetter | None:
        """Return a stored message by its id."""
        fields = self._fields(message_id)
        return self._message(message_id.removeprefix(ID_PREFIX), fields) if fields else None

    def content(self, message_id: str) -> Mapping[bytes, bytes]:
        """Return a message's fields as they came; nothing if it is not kept any more."""
        fields = self._fields(message_id)
        return {name.removeprefix(b"f:"): value for name, value in fields.items() if name not in OF_PASSBACK}

    def count(self) -> int:
        """Return how many messages are stored."""
        return self._redis.xlen(self._key)

    def oldest_at(self) -> datetime | None:
        """Return when the oldest of them was stored, None if there is none."""
        oldest = cast("list[_Entry]", self._redis.xrange(self._key, count=1))
        return _stored_at(text(oldest[0][0])) if oldest else None

    def republish(self, message_id: str) -> bool:
        """Put the message back where it came from and remove it, in one step; False if that is not possible."""
        if (entry_id := _entry_id(message_id)) is None:
            return False
        return bool(self._republish(keys=[self._key, *self._streams], args=[entry_id, self._celery_prefix, *Queue]))

    def discard(self, message_ids: Collection[str]) -> int:
        """Remove these messages; returns how many there were."""
        entry_ids = [entry_id for message_id in message_ids if (entry_id := _entry_id(message_id))]
        return self._redis.xdel(self._key, *entry_ids) if entry_ids else 0

    def _fields(self, message_id: str) -> Mapping[bytes, bytes]:
        """Return a message's fields as they are stored; nothing if there is no such message."""
        if (entry_id := _entry_id(message_id)) is None:
            return {}
        entries = cast("list[_Entry]", self._redis.xrange(self._key, entry_id, entry_id))
        return entries[0][1] if entries else {}

    def _message(self, entry_id: str, fields: Mapping[bytes, bytes]) -> DeadLetter:
        stored_at, origin = _stored_at(entry_id), text(fields.get(b"stream", b""))
        return DeadLetter(
            id=f"{ID_PREFIX}{entry_id}",
            course_id="",
            assignment_id=None,
            cause=text(fields.get(b"reason", MALFORMED)),
            answer=text(fields.get(b"task", b"")),
            attempts=1,
            first_failed_at=stored_at,
            last_failed_at=stored_at,
            kind=DeadLetterKind.MESSAGE,
            attempt_times=(stored_at,),
            source=self._streams.get(origin, origin),
        )


def _entry_id(message_id: str) -> str | None:
    """Return the id of the stream's entry, None of what can be none: Redis answers that with an error."""
    entry_id = message_id.removeprefix(ID_PREFIX)
    found = _ENTRY_ID.fullmatch(entry_id)
    return entry_id if found and all(int(part) < _PARTS_END for part in found.groups()) else None


def _stored_at(entry_id: str) -> datetime:
    return time_at(entry_id.partition("-")[0])
