"""The use case: make PowerSchool agree with Canvas for one course, and remember what was found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import structlog

from shared.adapters.redis.course_data.category_matches import CategoryMatches
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.clock import Clock
from shared.domain.outcome import Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.audit import WriteContext
from shared.domain.passback.changes import PendingChanges
from shared.domain.passback.course_state import CourseRecord, State
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.due_dates import DUE_DATE_DELAY, next_due_at
from shared.errors import CourseGone
from shared.log_events import LogEvent
from shared.ports.passback import CachePolicy, RosterReader
from workers.grade_passback.apply.applier import PlanApplier
from workers.grade_passback.apply.result import ApplyResult
from workers.grade_passback.course_reader import CourseComparer, CourseComparison
from workers.grade_passback.course_state import course_record
from workers.grade_passback.gone_courses import close_course
from workers.grade_passback.lease import WriteGuard
from workers.grade_passback.operations.category_mapping import save_category_matches
from workers.grade_passback.outcome_handler import SyncReport
from workers.grade_passback.unreadable_rows import unreadable_failures

log = structlog.get_logger()

# A link that turns out to be stale costs a second look; more than that means somebody deletes while we write.
MAX_PASSES = 3


class SyncJob:
    """Syncs one course. State-based: may be repeated at any time, and a second run writes nothing."""

    def __init__(
        self,
        comparer: CourseComparer,
        applier: PlanApplier,
        rosters: RosterReader,
        records: CourseStates,
        clock: Clock,
        associations: CategoryMatches,
        dead_letters: DeadLetters,
    ) -> None:
        self._comparer = comparer
        self._applier = applier
        self._rosters = rosters
        self._records = records
        self._clock = clock
        self._associations = associations
        self._dead_letters = dead_letters

    def run(self, changes: PendingChanges, guard: WriteGuard, token: int) -> SyncReport:
        """Survey, apply, record; `token` is the lease's. Raises what the survey raises, and `LeaseLost`."""
        try:
            return self._run(changes, guard, token)
        except CourseGone as error:
            return close_course(error, changes, self._records, self._dead_letters, self._clock.now())

    def _run(self, changes: PendingChanges, guard: WriteGuard, token: int) -> SyncReport:
        started = self._clock.now()
        graded = self._graded(changes)
        comparison, applied = self._until_settled(changes, graded, guard, WriteContext.of(changes, token))
        record = course_record(comparison, applied, self._clock.now())
        # A date that passed while Canvas was being read is still ahead: what was read may be from before it.
        record = replace(record, next_due_at=next_due_at(comparison.course, started - DUE_DATE_DELAY))
        save_category_matches(comparison, applied, self._associations)
        self._records.save(record, [section.id for section in comparison.course.sections])
        if applied.refused_students:
            # PowerSchool knows better than the remembered roster; the next sync should, too.
            self._rosters.sections([s.sis_section_id for s in comparison.rosters.values()], refresh=True)
        outcome = _outcome(comparison, applied)
        scores_written = sum(applied.written.values()) + sum(applied.written_before.values())
        log.info(
            LogEvent.COURSE_SYNCED,
            course_id=changes.course_id,
            outcome=type(outcome).__name__.lower(),
            changes=changes.count,
            assignments=len(record.assignments),
            whole=graded is None,
            scores_written=scores_written,
            duration_ms=round((self._clock.now() - started).total_seconds() * 1000),
            waited_ms=round((started - changes.first_at).total_seconds() * 1000),
        )
        return SyncReport(
            outcome,
            tuple(_once_per_assignment([*applied.dead.values(), *unreadable_failures(comparison)])),
            _resolved(record),
            assignments_written=len(applied.written.keys() | applied.written_before.keys()),
            scores_written=scores_written,
            full=graded is None,
        )

    def _graded(self, changes: PendingChanges) -> frozenset[str] | None:
        """Return the assignments whose scores are to be read; None for all, also where a dead letter tells of a miss.

        A run of the whole course that failed for good may have left anything undone.
        """
        graded = changes.graded
        return None if graded is None or self._dead_letters.of_course(changes.course_id) else graded

    def _until_settled(
        self, changes: PendingChanges, graded: frozenset[str] | None, guard: WriteGuard, occasion: WriteContext
    ) -> tuple[CourseComparison, ApplyResult]:
        written: Counter[AssignmentKey] = Counter()
        for _ in range(MAX_PASSES):
            comparison = self._comparer.compare(
                changes.course_id,
                asked_for_by_person=changes.asked_for_by_person,
                graded=graded,
                reading=_reading(changes),
            )
            applied = self._applier.apply(comparison, guard, occasion)
            applied.written_before.update(written)
            if not applied.gone or applied.unwell is not None:
                return comparison, applied
            written.update(applied.written)
        applied.failed.update(applied.gone)
        return comparison, applied


def _reading(changes: PendingChanges) -> CachePolicy:
    """Return how fresh the course is to be. Whoever asks for a sync has just changed something."""
    if changes.asked_for_by_person:
        return CachePolicy.REFRESH_ALL
    return CachePolicy.USE if changes.only_grades else CachePolicy.REFRESH


def _outcome(comparison: CourseComparison, applied: ApplyResult) -> Outcome:
    if applied.unwell is not None:
        return Snooze(applied.unwell.cause, applied.unwell.delay)
    unread = [Failure(error.cause, str(error), assignment_id) for assignment_id, error in comparison.unread.items()]
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
