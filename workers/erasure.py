"""Erases stored data: of courses, of a student, from before a time, or of a whole district."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from shared.adapters.redis.operations.actions import ErasureLog, Pauses
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.adapters.redis.operations.processes import Heartbeats
from shared.domain.actions import course_target
from shared.domain.passback.erasure import StudentIds
from shared.log_events import LogEvent

log = structlog.get_logger()

REASON = "purge"
WAIT_FOR_SYNC_S = 30.0
POLL_INTERVAL_S = 0.2


class SyncsRunning(Exception):
    """A district is erased only while no process runs; the message names those that do."""


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What was erased, or would be, by kind. `skipped` are courses whose sync did not end in time.

    `remaining_in` counts where a student's id is still found, by kind of key. Another number may be alike.
    """

    erased: Counter[str]
    skipped: tuple[str, ...] = ()
    remaining_in: Counter[str] = field(default_factory=Counter)

    @property
    def is_complete(self) -> bool:
        """Say whether nothing remains."""
        return not self.skipped and not self.remaining_in


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases data behind `passback purge`. Each erasure is logged and recorded, without what was erased."""

    store: RedisErasure
    erasure_log: ErasureLog
    pauses: Pauses
    heartbeats: Heartbeats
    is_being_synced: Callable[[str], bool]
    sleep: Callable[[float], None] = time.sleep

    def courses(self, course_ids: Collection[str], actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase these courses. A course with synced work that Canvas still has is discovered and synced again."""
        result = self._for_each(course_ids, actor, lambda id_: self.store.course(id_, dry_run=dry_run), dry_run)
        return self._recorded("course", actor, result, dry_run)

    def student(self, student: StudentIds, actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase a student from every course. A student whom Canvas still has comes back with the next score."""
        courses = self.store.courses()
        for course_id in courses:
            student = student.with_dcids_of(list(self.store.entries(course_id)))
        concerned = [course_id for course_id in courses if self.store.knows(course_id, student)]
        result = self._for_each(
            concerned, actor, lambda id_: self.store.student(id_, student, dry_run=dry_run), dry_run
        )
        erased = result.erased + self.store.mentions(student.sis_id, dry_run=dry_run)
        remaining_in = Counter() if dry_run else self.store.locations(student.sis_id)
        return self._recorded("student", actor, ErasureResult(erased, result.skipped, remaining_in), dry_run)

    def older_than(self, before: datetime, actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase audit entries, dead letters and stored messages from before a time."""
        result = ErasureResult(self.store.before(before, dry_run=dry_run))
        return self._recorded("older_than", actor, result, dry_run)

    def everything(self, actor: str, *, dry_run: bool) -> ErasureResult:
        """Erase the whole district. Raises `SyncsRunning` while a process runs, which would store data again."""
        running = [heartbeat.process for heartbeat in self.heartbeats.all() if not heartbeat.is_stale]
        if running and not dry_run:
            raise SyncsRunning(f"stop these first: {', '.join(running)}")
        result = ErasureResult(self.store.everything(dry_run=dry_run))
        self._log("everything", actor, result, dry_run)
        return result

    def _for_each(
        self, course_ids: Collection[str], actor: str, erase: Callable[[str], Counter[str]], dry_run: bool
    ) -> ErasureResult:
        erased: Counter[str] = Counter()
        skipped = []
        for course_id in course_ids:
            with self._paused(course_id, actor, dry_run) as is_idle:
                if is_idle:
                    erased += erase(course_id)
                else:
                    skipped.append(course_id)
        return ErasureResult(erased, tuple(skipped))

    @contextmanager
    def _paused(self, course_id: str, actor: str, dry_run: bool) -> Iterator[bool]:
        """Pause the course, so that no sync stores again what is erased; yield whether its sync ended in time."""
        if dry_run:
            yield True
            return
        target = course_target(course_id)
        is_new = self.pauses.pause(target, actor, REASON)
        try:
            yield self._wait_until_idle(course_id)
        finally:
            if is_new:
                self.pauses.resume(target)

    def _wait_until_idle(self, course_id: str) -> bool:
        for _ in range(round(WAIT_FOR_SYNC_S / POLL_INTERVAL_S)):
            if not self.is_being_synced(course_id):
                return True
            self.sleep(POLL_INTERVAL_S)
        return False

    def _recorded(self, scope: str, actor: str, result: ErasureResult, dry_run: bool) -> ErasureResult:
        if not dry_run:
            self.erasure_log.add(scope, actor, result.erased)
        self._log(scope, actor, result, dry_run)
        return result

    def _log(self, scope: str, actor: str, result: ErasureResult, dry_run: bool) -> None:
        if not dry_run:
            erased, skipped = dict(result.erased), result.skipped
            log.info(LogEvent.DATA_ERASED, what=scope, actor=actor, erased=erased, left_out=skipped)
