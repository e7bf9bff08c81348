"""What passback remembers of Canvas's courses, in Redis, for all workers. See decision 15."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.keys import Keys
from shared.domain.passback.canvas import AssignmentGroup, Section


@dataclass(frozen=True, slots=True)
class CourseStructure:
    """The part of a course that seldom changes."""

    sis_course_id: str | None
    sections: tuple[Section, ...]
    groups: tuple[AssignmentGroup, ...]


@dataclass(frozen=True, slots=True)
class CourseIdentity:
    """A course's name and time zone as Canvas has them, empty where it has none."""

    name: str
    time_zone: str


_STRUCTURE = TypeAdapter(CourseStructure)
_IDENTITY = TypeAdapter(CourseIdentity)
_NOBODY = TypeAdapter(dict[str, bool])

# How old cached sections and assignment groups may be. Whatever reports a change, or does not fit them, refreshes them
# sooner.
COURSE_MAX_AGE = timedelta(minutes=10)
# A time zone decides on which day work is due; it is hardly ever changed.
IDENTITY_MAX_AGE = timedelta(hours=1)


class CourseCache:
    """Frames and test students of courses, each with a lifetime."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def frame(self, course_id: str) -> CourseStructure | None:
        """Return the remembered frame of the course, None if there is none."""
        kept = self._redis.get(self._keys.cached("canvas-frame", course_id))
        return None if kept is None else _STRUCTURE.validate_json(kept)

    def save_structure(self, course_id: str, frame: CourseStructure) -> None:
        """Remember the frame. For the course's lease holder, so that no older reading replaces a newer one."""
        self._save("canvas-frame", course_id, _STRUCTURE.dump_json(frame), COURSE_MAX_AGE)

    def identity(self, course_id: str) -> CourseIdentity | None:
        """Return the remembered name and time zone of the course, None if there are none."""
        kept = self._redis.get(self._keys.cached("canvas-course", course_id))
        return None if kept is None else _IDENTITY.validate_json(kept)

    def save_identity(self, course_id: str, identity: CourseIdentity) -> None:
        """Remember the name and the time zone."""
        self._save("canvas-course", course_id, _IDENTITY.dump_json(identity), IDENTITY_MAX_AGE)

    def are_test_students(self, course_id: str) -> Mapping[str, bool]:
        """Return of users without a SIS id whether they are test students, as far as Canvas was asked."""
        kept = self._redis.get(self._keys.cached("canvas-nobody", course_id))
        return {} if kept is None else _NOBODY.validate_json(kept)

    def save_test_students(self, course_id: str, are_test_students: Mapping[str, bool]) -> None:
        """Remember what Canvas said of these users. It never changes: a test student is nothing else."""
        self._save("canvas-nobody", course_id, _NOBODY.dump_json(dict(are_test_students)), COURSE_MAX_AGE)

    def _save(self, what: str, course_id: str, document: bytes, max_age: timedelta) -> None:
        self._redis.set(self._keys.cached(what, course_id), document, px=max_age)
