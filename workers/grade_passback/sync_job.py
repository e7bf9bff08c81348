"""Syncs one course: takes its lease, reads both sides, compares, applies, records, and handles the outcome."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from shared.adapters.http.client import RESPONSE_TIMEOUT_S, max_exchange
from shared.adapters.http.exchange import use_context
from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.category_matches import CategoryMatches
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.telemetry.tracing import span
from shared.clock import Clock
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.audit import WriteContext
from shared.domain.passback.changes import EVENT_CAUSES, PASS_CAUSES, PendingChanges
from shared.domain.passback.course_state import CourseRecord, LastChange, State
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.due_dates import DUE_DATE_DELAY, next_due_at
from shared.errors import CourseGone
from shared.log_events import LogEvent
from shared.ports.passback import CachePolicy, RosterReader
from workers.celery.app import MAX_SYNC_DURATION
from workers.grade_passback.apply.apply_plan import PlanApplier
from workers.grade_passback.apply.context import ApplyResult
from workers.grade_passback.apply.lost_responses import resolve_lost_responses
from workers.grade_passback.compare import CourseComparison, compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_state import category_matches, course_record, gone_record, unreadable_failures
from workers.grade_passback.lease import TIME_SLICE, SyncTimeSlice, WriteGuard, request_context, write_guard
from workers.grade_passback.missed_changes import NOTHING_MISSED, MissedChanges, missed_changes
from workers.grade_passback.outcome_handler import SyncOutcomeHandler, SyncReport
from workers.grade_passback.sync_metrics import SyncMetrics
from workers.runtime.lease_renewal import LeaseRenewer

log = structlog.get_logger()

# A second pass creates again what was deleted in PowerSchool during the first; more passes race against a person.
MAX_PASSES = 3


class SyncJob:
    """Syncs a claimed course, from taking its lease to handling the outcome.

    `course_sync` is called inside the job, so that an error in making it is an outcome of the course. `stopping` is
    set when the process is asked to stop. `requests_wait` says whether any worker waits to send a request.
    """

    def __init__(
        self,
        queue: SyncQueue,
        course_sync: Callable[[], "CourseSync"],
        outcome_handler: SyncOutcomeHandler,
        lease_renewer: LeaseRenewer,
        metrics: SyncMetrics,
        clock: Clock,
        stopping: threading.Event,
        requests_wait: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._course_sync = course_sync
        self._outcome_handler = outcome_handler
        self._lease_renewer = lease_renewer
        self._metrics = metrics
        self._clock = clock
        self._stopping = stopping
        self._requests_wait = requests_wait

    def run(self, course_id: str) -> None:
        """Sync the course. Does nothing if it is not claimed any more."""
        taken = self._queue.start_sync(course_id)
        if taken is None:
            return
        lease, changes = taken
        is_stopping = self._stopping.is_set
        time_slice = SyncTimeSlice(self._clock, self._clock.now() + MAX_SYNC_DURATION, TIME_SLICE, self._others_wait)
        guard = write_guard(self._queue, lease, time_slice, is_stopping)
        with (
            structlog.contextvars.bound_contextvars(course_id=course_id),
            # A write may begin right before the deadline.
            self._lease_renewer.holding(lease, MAX_SYNC_DURATION + max_exchange(RESPONSE_TIMEOUT_S)),
            use_context(request_context(self._queue, lease, time_slice, is_stopping)),
        ):
            with span("sync", {"course_id": course_id}) as set_attribute:
                report = self._outcome_handler.run(
                    lease, changes, lambda: self._course_sync().run(changes, guard, lease.token)
                )
                set_attribute("outcome", type(report.outcome).__name__.lower())
            self._metrics.count(changes, report)

    def _others_wait(self) -> bool:
        return self._queue.has_ready_courses() or self._requests_wait()


class CourseSync:
    """Makes PowerSchool agree with Canvas for one course, and records the course's state.

    May be repeated at any time: a second run writes nothing.
    """

    def __init__(
        self,
        reader: CourseReader,
        applier: PlanApplier,
        rosters: RosterReader,
        states: CourseStates,
        clock: Clock,
        associations: CategoryMatches,
        dead_letters: DeadLetters,
        audit: Audit,
    ) -> None:
        self._reader = reader
        self._applier = applier
        self._rosters = rosters
        self._states = states
        self._clock = clock
        self._associations = associations
        self._dead_letters = dead_letters
        self._audit = audit

    def run(self, changes: PendingChanges, guard: WriteGuard, token: int) -> SyncReport:
        """Read, compare, apply, record. `token` is the lease's. Raises what reading raises, and `LeaseLost`."""
        try:
            return self._run(changes, guard, token)
        except CourseGone as error:
            return self._close(error, changes)

    def _run(self, changes: PendingChanges, guard: WriteGuard, token: int) -> SyncReport:
        started = self._clock.now()
        changed = self._changed(changes)
        comparison, applied, missed = self._run_passes(changes, changed, guard, WriteContext.of(changes, token))
        course = comparison.data.course
        record = course_record(comparison, applied, self._clock.now())
        # A due date that passed while Canvas was being read stays ahead: what was read may be from before it.
        record = replace(record, next_due_at=next_due_at(course, started - DUE_DATE_DELAY))
        if changes.causes & EVENT_CAUSES and (applied.written or applied.written_before):
            changed_at = changes.first_event_at or changes.first_at
            record = replace(record, last_change=LastChange(changed_at, record.synced_at))
        self._save_category_matches(comparison, applied)
        self._states.save(record, [section.id for section in course.sections])
        if applied.refused_students:
            # The cached rosters are out of date.
            self._rosters.sections([s.sis_section_id for s in comparison.data.rosters.values()], refresh=True)
        outcome = _outcome(comparison, applied)
        scores_written = sum(applied.written.values()) + sum(applied.written_before.values())
        log.info(
            LogEvent.COURSE_SYNCED,
            course_id=changes.course_id,
            outcome=type(outcome).__name__.lower(),
            changes=changes.count,
            assignments=len(record.assignments),
            whole=changed is None,
            scores_written=scores_written,
            duration_ms=round((self._clock.now() - started).total_seconds() * 1000),
            waited_ms=round((started - changes.first_at).total_seconds() * 1000),
        )
        return SyncReport(
            outcome,
            tuple(_once_per_assignment([*applied.permanent_failures.values(), *unreadable_failures(comparison)])),
            _resolved(record),
            assignments_written=len(applied.written.keys() | applied.written_before.keys()),
            scores_written=scores_written,
            full=changed is None,
            missed=missed,
        )

    def _changed(self, changes: PendingChanges) -> frozenset[str] | None:
        """Return the assignments whose scores are to be read; None for all.

        A course with a dead letter is read in full: the run that failed may have left anything undone.
        """
        changed = changes.changed_assignment_ids
        return None if changed is None or self._dead_letters.of_course(changes.course_id) else changed

    def _run_passes(
        self, changes: PendingChanges, changed: frozenset[str] | None, guard: WriteGuard, context: WriteContext
    ) -> tuple[CourseComparison, ApplyResult, MissedChanges]:
        written: Counter[AssignmentKey] = Counter()
        missed: MissedChanges | None = None
        for _ in range(MAX_PASSES):
            comparison = compare(
                self._reader.read(
                    changes.course_id,
                    asked_for_by_person=changes.asked_for_by_person,
                    changed=changed,
                    cache=_cache_policy(changes),
                )
            )
            resolve_lost_responses(self._audit, comparison)
            missed = missed or self._missed(changes, comparison)
            applied = self._applier.apply(comparison, guard, context)
            applied.written_before.update(written)
            if not applied.deleted or applied.unavailable is not None:
                return comparison, applied, missed
            written.update(applied.written)
        applied.failed.update(applied.deleted)
        return comparison, applied, missed or NOTHING_MISSED

    def _missed(self, changes: PendingChanges, comparison: CourseComparison) -> MissedChanges:
        """Return the changes that only a pass over all courses found: no event, person or due date led to them."""
        if not changes.causes or not changes.causes <= PASS_CAUSES:
            return NOTHING_MISSED
        return missed_changes(comparison, self._audit.of_course(changes.course_id))

    def _save_category_matches(self, comparison: CourseComparison, applied: ApplyResult) -> None:
        """Store new category matches. One that a person changed since the course was read is left to the next sync."""
        course_id, earlier = comparison.data.course.id, comparison.data.associations
        if new := category_matches(comparison, applied):
            stored = self._associations.of_course(course_id)
            for group_id, association in new.items():
                if stored.get(group_id) == earlier.get(group_id):
                    self._associations.save(course_id, group_id, association)

    def _close(self, error: CourseGone, changes: PendingChanges) -> SyncReport:
        """Take a course that Canvas has no more off every schedule.

        The first time, and for a person who asked, the course becomes a dead letter, which stays until a person
        discards it or Canvas has the course again. The dead letters of its assignments are closed. Links, category
        matches and the audit stay until they are erased.
        """
        course_id, now = changes.course_id, self._clock.now()
        is_new = self._states.close(course_id, now)
        if is_new:
            log.error(LogEvent.COURSE_GONE, course_id=course_id)
            record = self._states.course(course_id)
            if record is not None:
                # Saving connects a course.
                self._states.save(gone_record(record))
                self._states.close(course_id, now)
        dead_letters = self._dead_letters.of_course(course_id)
        resolved = frozenset(
            dead_letter.assignment_id for dead_letter in dead_letters if dead_letter.assignment_id is not None
        )
        is_reported = is_new or changes.asked_for_by_person
        outcome = Discard(Failure(error.cause, str(error))) if is_reported else Done()
        return SyncReport(outcome, resolved=resolved, full=False)


def _cache_policy(changes: PendingChanges) -> CachePolicy:
    """Return how fresh the course has to be. A person who asks for a sync has just changed something."""
    if changes.asked_for_by_person:
        return CachePolicy.REFRESH_ALL
    return CachePolicy.USE if changes.only_grades else CachePolicy.REFRESH


def _outcome(comparison: CourseComparison, applied: ApplyResult) -> Outcome:
    if applied.unavailable is not None:
        return Snooze(applied.unavailable.cause, applied.unavailable.delay)
    unread = [Failure(error.cause, str(error), id_) for id_, error in comparison.data.unread.items()]
    if applied.failed or unread:
        return Retry(tuple(_once_per_assignment([*applied.failed.values(), *unread])))
    return Done()


def _once_per_assignment(failures: Iterable[Failure]) -> list[Failure]:
    return list({failure.assignment_id: failure for failure in failures}.values())


def _resolved(record: CourseRecord) -> frozenset[str]:
    return frozenset(
        assignment.assignment_id
        for assignment in record.assignments
        if not any(section.state in (State.RETRYING, State.DEAD) for section in assignment.sections)
    )
