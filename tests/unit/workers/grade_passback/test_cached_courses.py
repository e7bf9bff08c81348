"""When a sync takes what is remembered of its course, and when it reads everything. Decision 15."""

from dataclasses import replace

import pytest

from shared.domain.passback.canvas import AssignmentGroup, Section
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.ports.passback import CachePolicy
from tests.unit.domain.passback.baseline import ROSTERED
from tests.unit.workers.grade_passback.school import ROWS, School, change_set, decimals

LINKED = AssignmentGroup("39", "Homework")


def run(school: School, changes: PendingChanges) -> list[CachePolicy]:
    """Sync the course for these changes; return how it was read."""
    school.canvas.readings.clear()
    lease = school.changes.lease("1")
    school.course_sync.run(changes, lambda: None, lease.token)
    return school.canvas.readings


@pytest.mark.parametrize("cause", [ChangeCause.EVENT, ChangeCause.WEBHOOK, ChangeCause.DUE_DATE])
def test_a_change_of_grades_needs_no_more(school: School, cause: ChangeCause) -> None:
    """What is remembered of sections and groups is good enough for a grade."""
    run(school, change_set())
    assert run(school, change_set(cause=cause)) == [CachePolicy.USE]


@pytest.mark.parametrize("cause", [ChangeCause.PERSON, ChangeCause.SCHEDULE, ChangeCause.RECONCILE])
def test_passes_and_people_see_everything(school: School, cause: ChangeCause) -> None:
    """Whoever looks at the whole course reads the whole course."""
    assert run(school, change_set(cause=cause)) == [
        CachePolicy.REFRESH_ALL if cause is ChangeCause.PERSON else CachePolicy.REFRESH
    ]


def test_a_changed_assignment_makes_everything_read(school: School) -> None:
    """Course, section, group and enrollment events come as assignment changes."""
    assert run(school, replace(change_set(), assignments_changed=True)) == [CachePolicy.REFRESH]


def test_a_second_attempt_reads_everything(school: School) -> None:
    """What failed once is not judged from memory."""
    assert run(school, change_set(attempts=1)) == [CachePolicy.REFRESH]


def test_a_section_that_came_without_an_event_is_synced_at_once(school: School) -> None:
    """A student listed in an unknown section makes the course be read anew, and is scored in the same run."""
    run(school, change_set())
    content = school.canvas.content
    school.rosters.remembered = {"4001": replace(ROSTERED, students={}), "4002": replace(ROSTERED, dcid=4002)}
    school.canvas.content = replace(content, sections=(*content.sections, Section("22", "Period 2", "4002")))
    school.canvas.rows = tuple(replace(row, section_ids=frozenset({"22"})) for row in ROWS)
    assert run(school, change_set()) == [CachePolicy.USE, CachePolicy.REFRESH]
    created = [a for a in school.powerschool.assignments_there.values() if a.section_dcid == 4002]
    assert {dcid: score.points for dcid, score in created[0].scores.items()} == decimals(S1="8", S2="9.5")


def test_a_group_that_came_without_an_event_is_known_at_once(school: School) -> None:
    """An assignment in a group that is not remembered is not reported as having no category."""
    run(school, change_set())
    school.canvas.content = replace(school.canvas.content, groups={**school.canvas.content.groups, "39": LINKED})
    school.edit(group_id="39")
    assert run(school, change_set()) == [CachePolicy.USE, CachePolicy.REFRESH]
    assert school.reasons() == []
