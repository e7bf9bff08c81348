"""What was written to PowerSchool, in Redis: a stream per course, bounded by age and count."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import cast

import redis
from pydantic import TypeAdapter
from redis.commands.core import Script

from shared.adapters.redis.answers import epoch_ms, milliseconds, time_at
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.domain.audit import AuditEntry

PAGE = 200

_ENTRY = TypeAdapter(AuditEntry)


def kept_entries(entries: Sequence[AuditEntry]) -> bytes:
    """Return how the entries of a write that began are kept: as JSON, a line each."""
    return b"\n".join(map(_ENTRY.dump_json, entries))


def entries_of(kept: bytes) -> list[AuditEntry]:
    """Return the entries that were kept."""
    return [_ENTRY.validate_json(line) for line in kept.splitlines()]


class RedisAudit:
    """The `Audit`. Ages are by the Redis server's time; `now_ms` replaces it in tests."""

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
        self._begin = load_script(client, "audit", "begin_write")
        self._end = load_script(client, "audit", "end_write")

    def begin(self, course_id: str, entries: Sequence[AuditEntry]) -> str:
        """Keep the entries of a write that is about to be sent, which are all there will be if its process dies."""
        write = token_hex(8)
        self._run(self._begin, course_id, write, kept_entries(entries))
        return write

    def end(self, course_id: str, write: str, entries: Sequence[AuditEntry]) -> None:
        """Keep these entries instead of those that the write began with.

        What is too old, or too much, is forgotten. A course without writes is, too, in time.
        """
        self._run(self._end, course_id, write, *map(_ENTRY.dump_json, entries))

    def add(self, entry: AuditEntry) -> None:
        """Keep the entry of a write that is over; what was interrupted before it comes first."""
        self.end(entry.course_id, self.begin(entry.course_id, [entry]), [entry])

    def of_course(self, course_id: str, since: datetime | None = None) -> Iterator[AuditEntry]:
        """Yield the course's entries, the newest first; with `since`, those written then or later."""
        for entry in self._entries(course_id):
            if since is None or entry.at >= since:
                yield entry

    def _entries(self, course_id: str) -> Iterator[AuditEntry]:
        begun = cast("list[bytes]", self._redis.hvals(self._keys.writes_begun(course_id)))
        yield from (entry for kept in begun for entry in reversed(entries_of(kept)))
        oldest = self._oldest_ms()
        newest = "+"
        while page := self._page(course_id, newest, oldest):
            yield from (_ENTRY.validate_json(fields[b"entry"]) for _, fields in page)
            newest = f"({page[-1][0].decode()}"

    def _run(self, script: Script, course_id: str, *arguments: bytes | str) -> None:
        now = "" if self._now_ms is None else self._now_ms()
        keys = [self._keys.audit(course_id), self._keys.writes_begun(course_id)]
        script(keys=keys, args=[now, milliseconds(self._max_age), self._max_entries, *arguments])

    def _page(self, course_id: str, newest: str, oldest: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        found = self._redis.xrevrange(self._keys.audit(course_id), newest, str(oldest), count=PAGE)
        return cast("list[tuple[bytes, dict[bytes, bytes]]]", found)

    def _oldest_ms(self) -> int:
        return max(0, epoch_ms(self._now() - self._max_age))

    def _now(self) -> datetime:
        if self._now_ms is not None:
            return time_at(self._now_ms())
        seconds, microseconds = self._redis.time()
        return time_at(seconds * 1000 + microseconds // 1000)
