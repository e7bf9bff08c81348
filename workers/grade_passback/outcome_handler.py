"""Handles the outcomes of course syncs: releases, reschedules or dead-letters the course."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from shared.adapters.redis.client import Lease
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.domain.causes import Cause
from shared.domain.outcome import Done, Failure, Outcome, Snooze
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.errors import LeaseLost
from shared.log_events import LogEvent
from workers.grade_passback.missed_changes import NOTHING_MISSED, MissedChanges
from workers.runtime.outcome_handler import REDIS_UNAVAILABLE_ERRORS, OutcomeHandler, run_and_classify

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The result of one sync of a course.

    `dead` holds the failures of single assignments that no retry will help. `resolved` holds the ids of assignments
    whose earlier dead letters can be closed: they are synced, waiting, or blocked with a reason.
    `assignments_written` counts assignment sections. A sync that was not `full` read the scores of some assignments
    only. `missed` are changes of which no event told.
    """

    outcome: Outcome
    dead: tuple[Failure, ...] = ()
    resolved: frozenset[str] = frozenset()
    assignments_written: int = 0
    scores_written: int = 0
    full: bool = True
    missed: MissedChanges = NOTHING_MISSED


class SyncOutcomeHandler(OutcomeHandler[tuple[Lease, PendingChanges], None]):
    """Handles the outcomes of course syncs. Every path ends the lease; unfinished work is stored."""

    def __init__(
        self,
        changes: SyncQueue,
        dead_letters: DeadLetters,
        waits: Sequence[timedelta],
        random_fraction: Callable[[], float],
    ) -> None:
        super().__init__(waits, random_fraction)
        self._changes = changes
        self._dead_letters = dead_letters

    deferred_event = LogEvent.COURSE_SYNC_DEFERRED
    failed_event = LogEvent.COURSE_SYNC_FAILED

    def run(self, lease: Lease, changes: PendingChanges, job: Callable[[], SyncReport]) -> SyncReport:
        """Run the job and handle its outcome. Return the job's report with the outcome that was handled.

        Never raises for an error of the job.
        """
        report = SyncReport(Done())
        try:
            try:
                report = _report(lease, job)
                self._close_dead_letters(lease.course_id, report)
                self._add_dead_letters(changes, report.dead)
                self._act_on(report.outcome, (lease, changes))
            except LeaseLost:
                self._request_resync(lease)
                report = replace(report, outcome=Snooze(Cause.LEASE_LOST, timedelta(0)))
        except REDIS_UNAVAILABLE_ERRORS:
            # Without Redis nothing can be released: the lease expires, and its course is due again.
            log.warning(
                LogEvent.COURSE_SYNC_DEFERRED, course_id=lease.course_id, cause=Cause.REDIS_UNAVAILABLE, delay_s=0
            )
            report = replace(report, outcome=Snooze(Cause.REDIS_UNAVAILABLE, timedelta(0)))
        return report

    def _log_fields(self, job: tuple[Lease, PendingChanges]) -> dict[str, object]:
        return {"course_id": job[0].course_id}

    def _attempts(self, job: tuple[Lease, PendingChanges]) -> int:
        return job[1].attempts

    def _complete(self, job: tuple[Lease, PendingChanges]) -> None:
        self._release(job[0])

    def _snooze(self, job: tuple[Lease, PendingChanges], snooze: Snooze) -> None:
        self._changes.reschedule(job[0], snooze.delay, job[1].attempts, snooze.cause)

    def _retry(self, job: tuple[Lease, PendingChanges], cause: str, attempts: int, wait: timedelta) -> None:
        self._changes.reschedule(job[0], wait, attempts, cause)

    def _dead_letter(self, job: tuple[Lease, PendingChanges], failures: Sequence[Failure]) -> None:
        lease, changes = job
        self._add_dead_letters(changes, failures)
        self._release(lease)

    def _release(self, lease: Lease) -> None:
        if not self._changes.release(lease):
            self._request_resync(lease)

    def _request_resync(self, lease: Lease) -> None:
        """Request one more sync of a course whose lease was lost.

        A process may be suspended between the write guard and the write until its lease expires. PowerSchool has no
        fencing tokens, and takes the late write for the newer one.
        """
        log.warning(LogEvent.LEASE_LOST, course_id=lease.course_id, token=lease.token)
        self._changes.request(lease.course_id, ChangeCause.RECONCILE, origin=ChangeCause.RETRY)

    def _add_dead_letters(self, changes: PendingChanges, failures: Iterable[Failure]) -> None:
        course_id, attempts = changes.course_id, changes.attempts + 1
        for failure in failures:
            assignment_id, cause = failure.assignment_id, failure.cause
            self._dead_letters.add(
                course_id, assignment_id, cause, failure.error_text, attempts, failed_before=changes.failed_at
            )
            log.error(LogEvent.DEAD_LETTERED, course_id=course_id, assignment_id=assignment_id, cause=cause)

    def _close_dead_letters(self, course_id: str, report: SyncReport) -> None:
        """Close the dead letters whose work is done.

        A full run that is done also closes those of the whole course and of deleted assignments.
        """
        done_in_full = report.full and isinstance(report.outcome, Done)
        dead = {failure.assignment_id for failure in report.dead}
        for dead_letter in self._dead_letters.of_course(course_id):
            if dead_letter.assignment_id in report.resolved or (done_in_full and dead_letter.assignment_id not in dead):
                self._dead_letters.close(course_id, dead_letter.assignment_id)


def _report(lease: Lease, job: Callable[[], SyncReport]) -> SyncReport:
    result = run_and_classify(job, LogEvent.COURSE_SYNC_UNEXPECTED_ERROR, course_id=lease.course_id)
    return result if isinstance(result, SyncReport) else SyncReport(result)
