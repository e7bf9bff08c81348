"""Stores the newest check of readiness: how far it is, what it has still to read, and what it found."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import msgspec
import redis
from redis.exceptions import LockError

from shared.adapters.redis.keys import Keys
from shared.domain.passback.readiness.findings import (
    CourseFindings,
    CourseReadiness,
    DistrictReadiness,
    ReadinessRun,
)

# A process that was killed holds the lock for this long. Each course that is read renews it.
LOCK_DURATION = timedelta(minutes=5)
DISTRICT = "district"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be read next: sections by SIS id for the cache of rosters, or a course."""

    sections: tuple[str, ...] = ()
    course_id: str = ""
    created_at: datetime | None = None


class ReadinessStore:
    """One check at a time. What a course's earlier check found stays until the course is read again."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    @contextmanager
    def lock(self) -> Iterator[Callable[[], bool] | None]:
        """Hold the lock in the block; None if another process holds it.

        Yields what renews it; False is returned if another process may hold it by now.
        """
        lock = self._redis.lock(
            self._keys.readiness_lock,
            timeout=LOCK_DURATION.total_seconds(),
            blocking=False,
            raise_on_release_error=False,
            thread_local=False,
        )
        if not lock.acquire():
            yield None
            return

        def renew() -> bool:
            try:
                return bool(lock.reacquire())
            except LockError:
                return False

        try:
            yield renew
        finally:
            lock.release()

    def run(self) -> ReadinessRun | None:
        """Return the newest check, None before the first."""
        stored = cast("bytes | None", self._redis.get(self._keys.readiness_run))
        return None if stored is None else msgspec.json.decode(stored, type=ReadinessRun)

    def save(self, run: ReadinessRun) -> None:
        """Store how far the check is."""
        self._redis.set(self._keys.readiness_run, msgspec.json.encode(run))

    def begin(self, run: ReadinessRun, work: Iterable[Work]) -> None:
        """Store a prepared check with everything that it has to read."""
        items = list(map(msgspec.json.encode, work))
        with self._redis.pipeline() as pipeline:
            pipeline.delete(self._keys.readiness_work)
            for start in range(0, len(items), 1000):
                pipeline.rpush(self._keys.readiness_work, *items[start : start + 1000])
            pipeline.set(self._keys.readiness_run, msgspec.json.encode(run))
            pipeline.execute()

    def next(self) -> Work | None:
        """Return what is to be read next; None at the end."""
        items = cast("list[bytes]", self._redis.lrange(self._keys.readiness_work, 0, 0))
        return msgspec.json.decode(items[0], type=Work) if items else None

    def finish(self, work: Work, run: ReadinessRun, result: CourseReadiness | None) -> None:
        """Store what was read, and that it is; together, so that a killed process repeats it or is done with it."""
        with self._redis.pipeline() as pipeline:
            pipeline.lrem(self._keys.readiness_work, 1, msgspec.json.encode(work))  # type: ignore[arg-type]  # bytes
            if result is not None:
                pipeline.hset(self._keys.readiness_courses, result.course_id, msgspec.json.encode(result))
            elif work.course_id:
                pipeline.hdel(self._keys.readiness_courses, work.course_id)
            pipeline.set(self._keys.readiness_run, msgspec.json.encode(run))
            pipeline.execute()

    def close(self, run: ReadinessRun, district: DistrictReadiness, outdated: Sequence[str]) -> None:
        """Store the end of a check, and delete the results of courses that it did not find."""
        with self._redis.pipeline() as pipeline:
            pipeline.delete(self._keys.readiness_work)
            pipeline.hset(self._keys.readiness_courses, DISTRICT, msgspec.json.encode(district))
            if outdated:
                pipeline.hdel(self._keys.readiness_courses, *outdated)
            pipeline.set(self._keys.readiness_run, msgspec.json.encode(run))
            pipeline.execute()

    def results(self) -> tuple[DistrictReadiness | None, list[CourseReadiness]]:
        """Return everything that is stored of the district and of each course."""
        district, courses = self._stored()
        return district, list(map(_COURSE.decode, courses))

    def findings(self) -> tuple[DistrictReadiness | None, list[CourseFindings]]:
        """Return what was found, for a page: in a third of the time of `results`."""
        district, courses = self._stored()
        return district, list(map(_FINDINGS.decode, courses))

    def _stored(self) -> tuple[DistrictReadiness | None, list[bytes]]:
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.readiness_courses))
        district = stored.pop(DISTRICT.encode(), None)
        decoded = None if district is None else msgspec.json.decode(district, type=DistrictReadiness)
        return decoded, list(stored.values())


_COURSE = msgspec.json.Decoder(CourseReadiness)
_FINDINGS = msgspec.json.Decoder(CourseFindings)
