"""What follows a run: passback looks once at each course whose sections or people changed.

Canvas emits an event for every row of an import. passback ignores those (`shared/events/event_mapping.py`): one sync
per course at the end of the run finds what they would have reported.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause
from shared.domain.provisioning.rows.sis_rows import HEADERS, Entity, SisRow
from shared.domain.provisioning.run import Run
from workers.provisioning.comparison import ChangedDataSet, changed_rows

MAX_COURSES = 1_000_000
WITH_SECTIONS = (Entity.SECTIONS, Entity.ENROLLMENTS)


class TouchedCourseResync:
    """Makes the courses due that a run touched; what follows a run that is done. May be repeated."""

    def __init__(self, runs: ProvisionRuns, changes: SyncQueue, records: CourseStates, clock: Clock) -> None:
        self._runs = runs
        self._changes = changes
        self._records = records
        self._clock = clock

    def follow(self, run: Run) -> int:
        """Make the connected courses due that have a touched section; return how many."""
        sections = self._touched_sections(run)
        courses = [course for course in self._connected() if self._has(course, sections)] if sections else []
        for course_id in courses:
            self._changes.request(course_id, ChangeCause.RECONCILE)
        return len(courses)

    def _touched_sections(self, run: Run) -> set[str]:
        """Return the SIS ids of the sections whose roster, course or course's state changed."""
        sections, courses, renumbered = set[str](), set[str](), set[str]()
        for changed in changed_rows(self._runs, run):
            entity = changed.change.key.entity
            if entity in WITH_SECTIONS:
                sections |= set(_values(changed, "section_id"))
            if entity in (Entity.COURSES, Entity.SECTIONS):
                courses |= set(_values(changed, "course_id"))
            if entity is Entity.SIS_ID_CHANGES:
                renumbered |= set(_values(changed, "new_id"))
        sections |= self._sections_with(renumbered) if renumbered else set()
        return sections | (self._sections_of(courses) if courses else set())

    def _sections_of(self, courses: Collection[str]) -> set[str]:
        """Return the sections of these courses: of a section that moved, the new neighbours name the new course."""
        held = (mark for mark in self._runs.data_set_states() if mark.key.entity is Entity.SECTIONS and mark.digest)
        rows = (self._runs.rows(mark.digest) for mark in held if mark.digest)
        every = [row for data_set in rows if data_set is not None for row in data_set.rows]
        return {
            _value(Entity.SECTIONS, row, "section_id")
            for row in every
            if _value(Entity.SECTIONS, row, "course_id") in courses
        }

    def _sections_with(self, users: Collection[str]) -> set[str]:
        """Return the sections of these people: of who has another SIS id now, no enrollment's row changed."""
        held = (mark for mark in self._runs.data_set_states() if mark.key.entity is Entity.ENROLLMENTS and mark.digest)
        kept = (self._runs.rows(mark.digest) for mark in held if mark.digest)
        return {
            _value(Entity.ENROLLMENTS, row, "section_id")
            for rows in kept
            if rows is not None
            for row in rows.rows
            if _value(Entity.ENROLLMENTS, row, "user_id") in users
        }

    def _connected(self) -> Iterable[str]:
        return self._records.least_recently_visited(self._clock.now() + timedelta(days=1), MAX_COURSES)

    def _has(self, course_id: str, sections: Collection[str]) -> bool:
        record = self._records.course(course_id)
        return record is not None and any(roster.section_sis_id in sections for roster in record.rosters)


def _values(changed: ChangedDataSet, column: str) -> Iterator[str]:
    for row in changed.rows:
        yield from (
            _value(changed.change.key.entity, each, column) for each in (row.before, row.after) if each is not None
        )


def _value(entity: Entity, row: SisRow, column: str) -> str:
    return row.values[HEADERS[entity].index(column)]
