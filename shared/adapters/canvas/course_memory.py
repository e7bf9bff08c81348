"""What passback remembers of Canvas's courses, in Redis, for all workers. See decision 15."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.answers import text
from shared.adapters.redis.keys import Keys
from shared.domain.gradebook import AssignmentGroup, Section


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of a course that seldom changes."""

    sis_course_id: str | None
    sections: tuple[Section, ...]
    groups: tuple[AssignmentGroup, ...]


_FRAME = TypeAdapter(Frame)
_NOBODY = TypeAdapter(dict[str, bool])

# Names are only shown: an old one sends nothing anywhere.
NAME_MAX_AGE = timedelta(days=1)


class CourseMemory:
    """Frames and test students of courses, each with a lifetime; nothing is kept where that is zero."""

    def __init__(self, client: redis.Redis, keys: Keys, max_age: timedelta) -> None:
        self._redis = client
        self._keys = keys
        self._max_age = max_age

    def frame(self, course_id: str) -> Frame | None:
        """Return the remembered frame of the course, None if there is none."""
        kept = self._redis.get(self._keys.cached("canvas-frame", course_id))
        return None if kept is None else _FRAME.validate_json(kept)

    def keep_frame(self, course_id: str, frame: Frame) -> None:
        """Remember the frame. For the course's lease holder, so that no older reading replaces a newer one."""
        self._keep("canvas-frame", course_id, _FRAME.dump_json(frame), self._max_age)

    def name(self, course_id: str) -> str | None:
        """Return the remembered name of the course, None if there is none."""
        kept = self._redis.get(self._keys.cached("canvas-name", course_id))
        return None if kept is None else text(kept)

    def keep_name(self, course_id: str, name: str) -> None:
        """Remember the name."""
        self._keep("canvas-name", course_id, name.encode(), NAME_MAX_AGE)

    def are_test_students(self, course_id: str) -> Mapping[str, bool]:
        """Return of users without a SIS id whether they are test students, as far as Canvas was asked."""
        kept = self._redis.get(self._keys.cached("canvas-nobody", course_id))
        return {} if kept is None else _NOBODY.validate_json(kept)

    def keep_test_students(self, course_id: str, are_test_students: Mapping[str, bool]) -> None:
        """Remember what Canvas said of these users. It never changes: a test student is nothing else."""
        self._keep("canvas-nobody", course_id, _NOBODY.dump_json(dict(are_test_students)), self._max_age)

    def _keep(self, what: str, course_id: str, document: bytes, max_age: timedelta) -> None:
        if self._max_age > timedelta(0):
            self._redis.set(self._keys.cached(what, course_id), document, px=max_age)
