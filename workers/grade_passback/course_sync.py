"""Syncs one course: reads both sides, compares, applies, records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import structlog

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import CategoryMatches
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.audit import WriteContext
from shared.domain.passback.canvas import DUE_DATE_DELAY, next_due_at
from shared.domain.passback.changes import EVENT_CAUSES, PASS_CAUSES, PendingChanges
from shared.domain.passback.course_state import CourseRecord, LastChange, State
from shared.domain.passback.powerschool import AssignmentKey
from shared.errors import CourseGone
from shared.log_events import LogEvent
from shared.ports.passback import CachePolicy, RosterReader
from workers.grade_passback.apply.apply_plan import apply_plan
from workers.grade_passback.apply.context import ApplyResult, WriteGuard, WriteTargets, resolve_lost_responses
from workers.grade_passback.compare import CourseComparison, compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_state import category_matches, course_record, gone_record, unreadable_failures
from workers.grade_passback.missed_changes import NOTHING_MISSED, MissedChanges, missed_changes

log = structlog.get_logger()

# A second pass creates again what was deleted in PowerSchool during the first; more passes race against a person.
MAX_PASSES = 3


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


@dataclass(frozen=True)
class CourseSync:
    """Makes PowerSchool agree with Canvas for one course, and records the course's state.

    May be repeated at any time: a second run writes nothing.
    """

    reader: CourseReader
    targets: WriteTargets
    rosters: RosterReader
    states: CourseStates
    associations: CategoryMatches
    dead_letters: DeadLetters

    def run(self, changes: PendingChanges, guard: WriteGuard, token: int) -> SyncReport:
        """Read, compare, apply, record. `token` is the lease's. Raises what reading raises, and `LeaseLost`."""
        try:
            return self._run(changes, guard, token)
        except CourseGone as error:
            return self._close(error, changes)

    def _run(self, changes: PendingChanges, guard: WriteGuard, token: int) -> SyncReport:
        started = self.targets.clock.now()
        changed = self._changed(changes)
        comparison, applied, missed = self._run_passes(changes, changed, guard, WriteContext.of(changes, token))
        course = comparison.data.course
        record = course_record(comparison, applied, self.targets.clock.now())
        # A due date that passed while Canvas was being read stays ahead: what was read may be from before it.
        record = replace(record, next_due_at=next_due_at(course, started - DUE_DATE_DELAY))
        if changes.causes & EVENT_CAUSES and (applied.written or applied.written_before):
            changed_at = changes.first_event_at or changes.first_at
            record = replace(record, last_change=LastChange(changed_at, record.synced_at))
        self._save_category_matches(comparison, applied)
        self.states.save(record, [section.id for section in course.sections])
        if applied.refused_students:
            # The cached rosters are out of date.
            self.rosters.sections([s.sis_section_id for s in comparison.data.rosters.values()], refresh=True)
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
            duration_ms=round((self.targets.clock.now() - started).total_seconds() * 1000),
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
        return None if changed is None or self.dead_letters.of_course(changes.course_id) else changed

    def _run_passes(
        self, changes: PendingChanges, changed: frozenset[str] | None, guard: WriteGuard, context: WriteContext
    ) -> tuple[CourseComparison, ApplyResult, MissedChanges]:
        written: Counter[AssignmentKey] = Counter()
        missed: MissedChanges | None = None
        for _ in range(MAX_PASSES):
            comparison = compare(
                self.reader.read(
                    changes.course_id,
                    asked_for_by_person=changes.asked_for_by_person,
                    changed=changed,
                    cache=_cache_policy(changes),
                )
            )
            resolve_lost_responses(self.targets.audit, comparison)
            missed = missed or self._missed(changes, comparison)
            applied = apply_plan(self.targets, comparison, guard, context)
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
        return missed_changes(comparison, self.targets.audit.of_course(changes.course_id))

    def _save_category_matches(self, comparison: CourseComparison, applied: ApplyResult) -> None:
        """Store new category matches. One that a person changed since the course was read is left to the next sync."""
        course_id, earlier = comparison.data.course.id, comparison.data.associations
        if new := category_matches(comparison, applied):
            stored = self.associations.of_course(course_id)
            for group_id, association in new.items():
                if stored.get(group_id) == earlier.get(group_id):
                    self.associations.save(course_id, group_id, association)

    def _close(self, error: CourseGone, changes: PendingChanges) -> SyncReport:
        """Take a course that Canvas has no more off every schedule.

        The first time, and for a person who asked, the course becomes a dead letter, which stays until a person
        discards it or Canvas has the course again. The dead letters of its assignments are closed. Links, category
        matches and the audit stay until they are erased.
        """
        course_id, now = changes.course_id, self.targets.clock.now()
        is_new = self.states.close(course_id, now)
        if is_new:
            log.error(LogEvent.COURSE_GONE, course_id=course_id)
            record = self.states.course(course_id)
            if record is not None:
                # Saving connects a course.
                self.states.save(gone_record(record))
                self.states.close(course_id, now)
        dead_letters = self.dead_letters.of_course(course_id)
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
