"""Which courses passback looks at once a provisioning run is over."""

from dataclasses import replace

from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import CourseRecord, SectionRoster
from shared.domain.provisioning.imports.sis_imports import DataSetChange
from shared.domain.provisioning.rows.sis_rows import DataSet
from shared.domain.provisioning.run import Run, RunCause, RunKind, digest_of
from tests.fakes import FakeChanges
from tests.unit.workers.provisioning.provisioning_kit import NOON, Campus, sections
from workers.provisioning.changed_rows import resync_touched_courses


def looked_at(before: DataSet, after: DataSet) -> list[str]:
    """Return the courses that are made due after a change of sections: course 1 has section 1, and so on."""
    campus, changes = Campus(), FakeChanges()
    records = campus.stores.records
    campus.has(before)
    campus.has(after)
    for number in ("1", "2", "3"):
        rosters = (SectionRoster(number, int(number), ()),)
        records.save(CourseRecord(number, NOON, (), rosters=rosters))
    change = DataSetChange(after.key, digest_of(before), digest_of(after), 0, 1, 0)
    run = Run("1", RunKind.ROSTER, RunCause.SCHEDULE, NOON, changes=(change,))
    resync_touched_courses(campus.runs, changes, records, campus.clock, run)
    assert {cause for _, cause in changes.requested} <= {ChangeCause.RECONCILE}
    return sorted(course for course, _ in changes.requested)


def test_only_courses_with_a_touched_section_are_looked_at() -> None:
    """A section that is new, gone or changed makes its course due; the others are left alone."""
    assert looked_at(sections(1, 2, 3), sections(1, 3)) == ["2"]


def test_nothing_changed_looks_at_nothing() -> None:
    """A run without changes costs passback no sync."""
    assert looked_at(sections(1, 2), sections(1, 2)) == []


def test_a_section_that_moves_touches_both_courses() -> None:
    """The course that it left is looked at, and the one it came to, which is known by its other sections."""
    before = sections(1, 2, 3)
    moved = replace(before.rows[0], values=("1", "2", *before.rows[0].values[2:]))
    assert looked_at(before, replace(before, rows=(moved, *before.rows[1:]))) == ["1", "2"]
