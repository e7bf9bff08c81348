"""What was written to PowerSchool, in Redis: a stream per course, bounded by age and count."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from heapq import merge
from operator import attrgetter
from secrets import token_hex
from typing import cast

import msgspec
import redis
from redis.commands.core import Script

from shared.adapters.redis.client import clock_ms, epoch_ms, load_script, milliseconds, text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.passback.audit import AuditEntry

PAGE = 200
# Audit entries stored per course. An entry is one write of an assignment.
MAX_ENTRIES = 20_000

# Ids of a stream's entries, each with its fields.
AuditPage = list[tuple[bytes, dict[bytes, bytes]]]

_at = attrgetter("at")
_DECODER = msgspec.json.Decoder(AuditEntry)


encode_entry = msgspec.json.Encoder().encode
decode_entry = _DECODER.decode


def stored_entries(entries: Sequence[AuditEntry]) -> bytes:
    """Return how the entries of a write that began are stored: as JSON, a line each."""
    return b"\n".join(map(encode_entry, entries))


def entries_of(stored: bytes) -> list[AuditEntry]:
    """Return the entries that were stored."""
    return [decode_entry(entry) for entry in stored.splitlines()]


class Audit:
    """What was written to PowerSchool and what it replaced: the one place besides PowerSchool with scores.

    Ages are by the Redis server's time; `now_ms` replaces it in tests.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        max_age: timedelta,
        max_entries: int,
        *,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._redis = client
        self._keys = keys
        self._max_age = max_age
        self._max_entries = max_entries
        self._now_ms = now_ms
        self._begin = load_script(client, "course_data/audit", "course_data/begin_write")
        self._end = load_script(client, "course_data/audit", "course_data/end_write")

    def begin(self, course_id: str, entries: Sequence[AuditEntry]) -> str:
        """Store the entries of a write that is about to be sent, which are all there will be if its process dies."""
        write = token_hex(8)
        self._run(self._begin, course_id, write, stored_entries(entries))
        return write

    def end(self, course_id: str, write: str, entries: Sequence[AuditEntry]) -> None:
        """Store these entries instead of those that the write began with.

        What is too old, or too much, is deleted. A course without writes is, too, in time.
        """
        self._run(self._end, course_id, write, *map(encode_entry, entries))

    def unanswered(self, course_id: str) -> dict[str, list[AuditEntry]]:
        """Return the entries of the writes that began and have no answer, by write; none that are too old."""
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.writes_begun(course_id)))
        found = {text(write): entries_of(entries) for write, entries in stored.items()}
        oldest = self._now() - self._max_age
        for write in [write for write, entries in found.items() if all(entry.at < oldest for entry in entries)]:
            self.end(course_id, write, ())
            del found[write]
        return found

    def add(self, entry: AuditEntry) -> None:
        """Store the entry of a write that is over."""
        self.end(entry.course_id, self.begin(entry.course_id, [entry]), [entry])

    def of_course(self, course_id: str, since: datetime | None = None) -> Iterator[AuditEntry]:
        """Yield the course's entries, the newest first; with `since`, those written then or later."""
        for entry in self._entries(course_id):
            if since is None or entry.at >= since:
                yield entry

    def _entries(self, course_id: str) -> Iterator[AuditEntry]:
        """Yield what ended, and what has no answer: a write of the sync that runs now is told once it is over."""
        oldest = self._oldest_ms()
        # All at one moment: a write has begun or has ended then, not both.
        begun, running, page = self._at_once(course_id, oldest)
        unanswered = [entry for stored in begun for entry in reversed(entries_of(stored))]
        waiting = [entry for entry in unanswered if entry.occasion.token != running and epoch_ms(entry.at) >= oldest]
        waiting.sort(key=_at, reverse=True)
        yield from merge(self._ended(course_id, page, oldest), waiting, key=_at, reverse=True)

    def _ended(self, course_id: str, page: AuditPage, oldest: int) -> Iterator[AuditEntry]:
        while page:
            yield from (decode_entry(fields[b"entry"]) for _, fields in page)
            page = self._page(self._redis, course_id, f"({page[-1][0].decode()}", oldest)

    def _at_once(self, course_id: str, oldest: int) -> tuple[list[bytes], int | None, AuditPage]:
        """Return the entries of writes that began, the fencing token of the sync that runs, and the first page."""
        with self._redis.pipeline() as both:
            both.hvals(self._keys.writes_begun(course_id))
            both.hget(self._keys.taken(course_id), "token")
            self._page(both, course_id, "+", oldest)
            begun, token, page = both.execute()
        return begun, None if token is None else int(token), page

    def _run(self, script: Script, course_id: str, *arguments: bytes | str) -> None:
        now = "" if self._now_ms is None else self._now_ms()
        keys = [self._keys.audit(course_id), self._keys.writes_begun(course_id)]
        script(keys=keys, args=[now, milliseconds(self._max_age), self._max_entries, *arguments])

    def _page(self, client: redis.Redis, course_id: str, newest: str, oldest: int) -> AuditPage:
        return cast("AuditPage", client.xrevrange(self._keys.audit(course_id), newest, str(oldest), count=PAGE))

    def _oldest_ms(self) -> int:
        return max(0, epoch_ms(self._now() - self._max_age))

    def _now(self) -> datetime:
        return time_at(clock_ms(self._redis.time()) if self._now_ms is None else self._now_ms())
