"""Erases what is remembered: of courses, of a student, before a moment, or of a whole district."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from shared.adapters.redis.operations.erasure import RedisErasure
from shared.adapters.redis.operations.heartbeats import Heartbeats
from shared.adapters.redis.operations.logs import ErasureLog
from shared.adapters.redis.operations.pauses import Pauses
from shared.domain.passback.erasure import StudentIds
from shared.domain.pauses import course_target
from shared.log_events import LogEvent

log = structlog.get_logger()

REASON = "purge"
WAIT_FOR_SYNC_S = 30.0
POLL_INTERVAL_S = 0.2


class SyncsRunning(Exception):
    """A district is erased once nothing works on it; the message names what does."""


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What was erased, or would be. `left_out` are courses that a sync did not let go of in time.

    `still_in` says where a student's id still stands, by kind of key: there, or as another number that is alike.
    """

    erased: Counter[str]
    left_out: tuple[str, ...] = ()
    still_in: Counter[str] = field(default_factory=Counter)

    @property
    def is_whole(self) -> bool:
        """Say whether nothing is left."""
        return not self.left_out and not self.still_in


class Erasure:
    """The use case behind `passback purge`. Each purge is logged and noted, without what it was about."""

    def __init__(
        self,
        erasure: RedisErasure,
        purges: ErasureLog,
        pauses: Pauses,
        heartbeats: Heartbeats,
        is_being_synced: Callable[[str], bool],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._erasure = erasure
        self._purges = purges
        self._pauses = pauses
        self._heartbeats = heartbeats
        self._is_being_synced = is_being_synced
        self._pause = pause

    def courses(self, course_ids: Collection[str], actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase these courses. One that Canvas still has, with work to sync, is found and synced anew."""
        done = self._each(course_ids, actor, lambda course: self._erasure.course(course, dry_run=dry_run), dry_run)
        return self._noted("course", actor, done, dry_run)

    def student(self, student: StudentIds, actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase a student from every course. A student who still is in Canvas comes back with the next score."""
        courses = self._erasure.courses()
        for course in courses:
            student = student.with_dcids_of(list(self._erasure.entries(course)))
        concerned = [course for course in courses if self._erasure.knows(course, student)]
        done = self._each(
            concerned, actor, lambda course: self._erasure.student(course, student, dry_run=dry_run), dry_run
        )
        erased = done.erased + self._erasure.mentions(student.sis_id, dry_run=dry_run)
        still_in = Counter() if dry_run else self._erasure.locations(student.sis_id)
        return self._noted("student", actor, ErasureResult(erased, done.left_out, still_in), dry_run)

    def older_than(self, moment: datetime, actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase audit entries, dead letters and kept messages from before the moment."""
        return self._noted("older_than", actor, ErasureResult(self._erasure.before(moment, dry_run=dry_run)), dry_run)

    def everything(self, actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase the whole district. Raises `SyncsRunning` while a process is alive, which would remember anew."""
        alive = [beat.process for beat in self._heartbeats.all() if not beat.is_stale]
        if alive and not dry_run:
            raise SyncsRunning(f"stop these first: {', '.join(alive)}")
        purged = ErasureResult(self._erasure.everything(dry_run=dry_run))
        self._log("everything", actor, purged, dry_run)
        return purged

    def _each(
        self, courses: Collection[str], actor: str, erase: Callable[[str], Counter[str]], dry_run: bool
    ) -> ErasureResult:
        erased: Counter[str] = Counter()
        left_out = []
        for course in courses:
            with self._held(course, actor, dry_run) as is_held:
                if is_held:
                    erased += erase(course)
                else:
                    left_out.append(course)
        return ErasureResult(erased, tuple(left_out))

    @contextmanager
    def _held(self, course: str, actor: str, dry_run: bool) -> Iterator[bool]:
        """Hold the course back, so that no sync writes anew what is erased; say whether it is at rest."""
        if dry_run:
            yield True
            return
        target = course_target(course)
        paused = self._pauses.pause(target, actor, REASON)
        try:
            yield self._is_at_rest(course)
        finally:
            if paused:
                self._pauses.resume(target)

    def _is_at_rest(self, course: str) -> bool:
        for _ in range(round(WAIT_FOR_SYNC_S / POLL_INTERVAL_S)):
            if not self._is_being_synced(course):
                return True
            self._pause(POLL_INTERVAL_S)
        return False

    def _noted(self, what: str, actor: str, purged: ErasureResult, dry_run: bool) -> ErasureResult:
        if not dry_run:
            self._purges.add(what, actor, purged.erased)
        self._log(what, actor, purged, dry_run)
        return purged

    def _log(self, what: str, actor: str, purged: ErasureResult, dry_run: bool) -> None:
        if not dry_run:
            log.info(LogEvent.DATA_ERASED, what=what, actor=actor, erased=dict(purged.erased), left_out=purged.left_out)
