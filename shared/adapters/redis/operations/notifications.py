"""What was told to whom, and the weekly digest of teachers. Whoever changes either holds the lease."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec
import redis

from shared.adapters.redis.client import load_script, milliseconds, text
from shared.adapters.redis.keys import Keys
from shared.domain.causes import Cause
from shared.domain.notifications.state import NotificationState
from shared.domain.notifications.teachers import Digest
from shared.errors import TransientError

# Longer than one delivery takes; each save renews it.
LEASE_DURATION = timedelta(minutes=2)
_STATE = msgspec.json.Decoder(NotificationState)


class Notifications:
    """Stores the state of notifications. Of several processes that check at the same time, one may save."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.notifications
        self._lease = keys.notifications_lease
        self._save = load_script(client, "operations/save_notifications")
        self._release = load_script(client, "compare_and_delete")

    def read(self) -> NotificationState:
        """Return what is stored; nothing, where there is nothing or another version stored what this cannot read."""
        stored = self._redis.get(self._key)
        if stored is None:
            return NotificationState()
        try:
            return _STATE.decode(stored)
        except msgspec.ValidationError:
            # What is open is told once more: better than never.
            return NotificationState()

    @contextmanager
    def lease(self) -> Iterator[str | None]:
        """Yield the token of the lease, None if another process has it. Its holder's death ends it in minutes."""
        token = secrets.token_hex(8)
        if not self._redis.set(self._lease, token, nx=True, px=milliseconds(LEASE_DURATION)):
            yield None
            return
        try:
            yield token
        finally:
            self._release(keys=[self._lease], args=[token])

    def save(self, state: NotificationState, token: str) -> None:
        """Store the state and renew the lease. Raises `TransientError` if the token has no lease any more."""
        stored = self._save(
            keys=[self._key, self._lease], args=[token, msgspec.json.encode(state), milliseconds(LEASE_DURATION)]
        )
        if not stored:
            raise TransientError("lease of notifications lost", cause=Cause.LEASE_LOST)


_DIGEST = msgspec.json.Decoder(Digest)


class TeacherDigests:
    """Stores how far a digest is. Whoever changes it holds the lease of notifications."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.teacher_digest
        self._courses = keys.teacher_digest_courses
        self._teachers = keys.teacher_digest_teachers

    def read(self) -> Digest | None:
        """Return the newest digest, None if there was none or another version stored what this cannot read."""
        stored = self._redis.get(self._key)
        try:
            return None if stored is None else _DIGEST.decode(stored)
        except msgspec.ValidationError:
            return None

    def save(self, digest: Digest) -> None:
        """Store how far the digest is."""
        self._redis.set(self._key, msgspec.json.encode(digest))

    def begin(self, digest: Digest, course_ids: Iterable[str]) -> None:
        """Store a new digest of these courses in place of the one before, in one step."""
        ids = list(course_ids)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(self._courses, self._teachers)
            if ids:
                pipeline.sadd(self._courses, *ids)
            pipeline.set(self._key, msgspec.json.encode(digest))
            pipeline.execute()

    def delete(self) -> None:
        """Delete the digest: no teacher is to be told any more."""
        self._redis.delete(self._key, self._courses, self._teachers)

    def next_course(self) -> str | None:
        """Return a course whose teachers are still to be read."""
        # SRANDMEMBER is not among the commands that Redis's user has.
        cursor, found = self._redis.sscan(self._courses, count=10)
        while not found and cursor:
            cursor, found = self._redis.sscan(self._courses, cursor=cursor, count=10)
        return text(next(iter(found))) if found else None

    def course_read(self, course_id: str, teacher_ids: Iterable[str]) -> None:
        """Record the teachers of a course, in one step with that it was read."""
        courses = {teacher_id: self.courses_of(teacher_id) for teacher_id in teacher_ids}
        with self._redis.pipeline(transaction=True) as pipeline:
            for teacher_id, course_ids in courses.items():
                pipeline.hset(self._teachers, teacher_id, ",".join(dict.fromkeys([*course_ids, course_id])))
            pipeline.srem(self._courses, course_id)
            pipeline.execute()

    def courses_of(self, teacher_id: str) -> list[str]:
        """Return the courses of which a teacher is to be told."""
        stored = self._redis.hget(self._teachers, teacher_id)
        return text(stored).split(",") if stored else []

    def next_teacher(self) -> str | None:
        """Return a teacher who is still to be told."""
        cursor, found = self._redis.hscan(self._teachers, count=10)
        while not found and cursor:
            cursor, found = self._redis.hscan(self._teachers, cursor=cursor, count=10)
        return text(next(iter(found))) if found else None

    def take(self, teacher_id: str) -> bool:
        """Remove a teacher before the message is sent; False if another process did. So nobody is told twice."""
        return bool(self._redis.hdel(self._teachers, teacher_id))

    def put_back(self, teacher_id: str, course_ids: Iterable[str]) -> None:
        """Store a teacher again whose message certainly was not sent."""
        self._redis.hset(self._teachers, teacher_id, ",".join(course_ids))

    def left(self) -> int:
        """Return how many teachers are still to be told."""
        return self._redis.hlen(self._teachers)
