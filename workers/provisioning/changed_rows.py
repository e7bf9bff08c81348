"""The rows that a run or a plan changes, one by one, and the courses that they touch. Rows hold names.

Canvas emits an event for every row of an import. passback ignores those (`shared/events.py`): one sync
per course at the end of the run finds what they would have reported.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause
from shared.domain.provisioning.imports.sis_imports import DataSetChange
from shared.domain.provisioning.rows.sis_rows import HEADERS, ChangedRow, DataSet, Entity, row_changes, value
from shared.domain.provisioning.run import Run
from workers.provisioning.comparison import Comparison
from workers.provisioning.upload_planner import correction_change


@dataclass(frozen=True, slots=True)
class ChangedDataSet:
    """What a run changes in a data set, row by row. `is_known` is False once the rows have expired."""

    change: DataSetChange
    rows: Sequence[ChangedRow]
    is_known: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of a row."""
        return HEADERS[self.change.key.entity]


def changed_rows(runs: ProvisionRuns, run: Run) -> Iterator[ChangedDataSet]:
    """Yield the rows that a run changes or would change, one data set after the other."""
    for change in run.changes:
        before = runs.rows(change.before) if change.before else None
        after = runs.rows(change.after)
        if after is None or (change.before and before is None):
            yield ChangedDataSet(change, (), is_known=False)
        else:
            yield ChangedDataSet(change, row_changes(before, after))


def compared_rows(runs: ProvisionRuns, compared: Comparison) -> Iterator[ChangedDataSet]:
    """Yield the rows that a plan whose rows are not stored yet would change, also those that are held."""
    for rows in compared.corrections:
        yield ChangedDataSet(correction_change(rows), row_changes(None, rows))
    for planned in compared.imports:
        for change in planned.changes:
            before = _rows_before(runs, change, compared.renumbered)
            yield ChangedDataSet(change, row_changes(before, planned.rows[change.after]))
    for school in compared.schools:
        for change in school.changes:
            before = _rows_before(runs, change, school.rows)
            yield ChangedDataSet(change, row_changes(before, school.rows[change.after]))


def _rows_before(runs: ProvisionRuns, change: DataSetChange, rows: Mapping[str, DataSet]) -> DataSet | None:
    return (rows.get(change.before) or runs.rows(change.before)) if change.before else None


MAX_COURSES = 1_000_000


def resync_touched_courses(
    runs: ProvisionRuns, sync_queue: SyncQueue, course_states: CourseStates, clock: Clock, run: Run
) -> int:
    """Make the connected courses due that have a section which the run touched; return how many. May be repeated."""
    sections = _touched_sections(runs, run)
    if not sections:
        return 0
    connected = course_states.least_recently_visited(clock.now() + timedelta(days=1), MAX_COURSES)
    states = ((course_id, course_states.course(course_id)) for course_id in connected)
    courses = [
        course_id
        for course_id, state in states
        if state is not None and any(roster.section_sis_id in sections for roster in state.rosters)
    ]
    for course_id in courses:
        sync_queue.request(course_id, ChangeCause.RECONCILE, origin=ChangeCause.ROSTER)
    return len(courses)


def _touched_sections(runs: ProvisionRuns, run: Run) -> set[str]:
    """Return the SIS ids of the sections whose roster, course or course's state changed."""
    found: dict[str, set[str]] = {"section_id": set(), "course_id": set(), "new_id": set()}
    columns = {
        Entity.SECTIONS: ("section_id", "course_id"),
        Entity.ENROLLMENTS: ("section_id",),
        Entity.COURSES: ("course_id",),
        Entity.SIS_ID_CHANGES: ("new_id",),
    }
    for changed in changed_rows(runs, run):
        entity = changed.change.key.entity
        for column in columns.get(entity, ()):
            sides = (each for row in changed.rows for each in (row.before, row.after) if each is not None)
            found[column].update(value(entity, row, column) for row in sides)
    # Of a section that moved, the other sections of its new course name that course. Of a person with
    # another SIS id, no enrollment's row changed.
    in_courses = _sections_where(runs, Entity.SECTIONS, "course_id", found["course_id"])
    return found["section_id"] | in_courses | _sections_where(runs, Entity.ENROLLMENTS, "user_id", found["new_id"])


def _sections_where(runs: ProvisionRuns, entity: Entity, column: str, values: Collection[str]) -> set[str]:
    """Return the sections of the applied rows that have one of the values in the column."""
    states = [state for state in runs.data_set_states() if state.key.entity is entity] if values else []
    stored = (runs.rows(state.digest) for state in states if state.digest)
    return {
        value(entity, row, "section_id")
        for data_set in stored
        if data_set is not None
        for row in data_set.rows
        if value(entity, row, column) in values
    }
