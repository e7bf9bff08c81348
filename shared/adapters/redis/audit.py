"""What was written to PowerSchool, in Redis: a stream per course, bounded by age and count."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import cast

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.answers import epoch_ms, milliseconds, time_at
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.domain.audit import AuditEntry

PAGE = 200

_ENTRY = TypeAdapter(AuditEntry)


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
        self._add = load_script(client, "add_audit_entry")

    def add(self, entry: AuditEntry) -> None:
        """Keep the entry; what is too old, or too much, is forgotten. A course without writes is, too, in time."""
        now = "" if self._now_ms is None else self._now_ms()
        args = [now, _ENTRY.dump_json(entry), milliseconds(self._max_age), self._max_entries]
        self._add(keys=[self._keys.audit(entry.course_id)], args=args)

    def of_course(self, course_id: str, since: datetime | None = None) -> Iterator[AuditEntry]:
        """Yield the course's entries, the newest first; with `since`, those written then or later."""
        oldest = self._oldest_ms()
        newest = "+"
        while page := self._page(course_id, newest, oldest):
            for _, fields in page:
                entry = _ENTRY.validate_json(fields[b"entry"])
                if since is None or entry.at >= since:
                    yield entry
            newest = f"({page[-1][0].decode()}"

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
