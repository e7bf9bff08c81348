"""What the last sync of each course recorded, and which courses are connected, in Redis."""

from collections.abc import Collection
from datetime import datetime
from itertools import chain
from typing import cast

import redis

from shared.adapters.redis.course_data.course_index import encode_summary
from shared.adapters.redis.course_data.course_state_codec import encode_record, record_of
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import epoch_ms, text
from shared.domain.passback.course_state import CourseRecord
from shared.domain.passback.course_summary import summary_of


class CourseStates:
    """Stores the state of every assignment: a JSON document per course, and the courses in the order of their syncs."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def save(self, record: CourseRecord, canvas_section_ids: Collection[str] = ()) -> None:
        """Replace what is remembered of the course, and which course its assignments and sections belong to."""
        keys, course_id = self._keys, record.course_id
        assignments = dict.fromkeys((assignment.assignment_id for assignment in record.assignments), course_id)
        sections = dict.fromkeys(canvas_section_ids, course_id)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(keys.record(course_id), encode_record(record))
            pipeline.hset(keys.summaries, course_id, encode_summary(summary_of(record)))
            pipeline.zadd(keys.courses, {course_id: epoch_ms(record.synced_at)})
            pipeline.hdel(keys.gone, course_id)
            if record.next_due_at is None:
                pipeline.zrem(keys.due_dates, course_id)
            else:
                pipeline.zadd(keys.due_dates, {course_id: epoch_ms(record.next_due_at)})
            for key, courses in ((keys.assignment_courses, assignments), (keys.section_courses, sections)):
                if courses:
                    pipeline.hset(key, items=list(chain.from_iterable(courses.items())))
            pipeline.execute()

    def course(self, course_id: str) -> CourseRecord | None:
        """Return what the last sync recorded, None for a course never synced."""
        record = self._redis.get(self._keys.record(course_id))
        return None if record is None else record_of(cast("bytes", record))

    def register(self, course_id: str) -> bool:
        """Add the course to those that reconciliation visits; say whether it was not there."""
        return bool(self._redis.zadd(self._keys.courses, {course_id: 0}, nx=True))

    def close(self, course_id: str, at: datetime) -> bool:
        """Take the course off every schedule, since Canvas has it no more; say whether that is news."""
        with self._redis.pipeline() as pipeline:
            pipeline.hsetnx(self._keys.gone, course_id, str(epoch_ms(at)))
            pipeline.zrem(self._keys.courses, course_id)
            pipeline.zrem(self._keys.due_dates, course_id)
            is_news, *_ = pipeline.execute()
        return bool(is_news)

    def is_connected(self, course_id: str) -> bool:
        """Say whether reconciliation visits the course."""
        return self._redis.zscore(self._keys.courses, course_id) is not None

    def count(self) -> int:
        """Return how many courses are connected."""
        return self._redis.zcard(self._keys.courses)

    def least_recently_visited(self, synced_before: datetime, limit: int) -> list[str]:
        """Return connected courses neither synced nor visited since, the longest waiting first."""
        before = f"({epoch_ms(synced_before)}"
        courses = cast("list[bytes]", self._redis.zrangebyscore(self._keys.courses, "-inf", before, 0, limit))
        return [text(course) for course in courses]

    def mark_visited(self, course_id: str, at: datetime) -> None:
        """Remember that the course had its turn, so that one that cannot be synced does not keep the others waiting."""
        self._redis.zadd(self._keys.courses, {course_id: epoch_ms(at)}, xx=True, gt=True)
