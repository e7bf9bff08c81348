"""Only a lost event is counted as one: each other way in which a pass over all courses comes to write is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.passback.changes import ORIGINS, ChangeCause
from shared.domain.passback.powerschool import Score
from shared.errors import ServiceUnavailable
from tests.unit.domain.passback.baseline import HOMEWORK, graded
from tests.unit.workers.grade_passback.school import School, change_set, link_of, row
from workers.grade_passback.course_sync import SyncReport
from workers.grade_passback.missed_changes import MissedChanges


def sync(school: School, *causes: ChangeCause) -> SyncReport:
    """Sync the course, for these causes."""
    changes = replace(change_set(), causes=frozenset(causes or {ChangeCause.RECONCILE}))
    lease = school.changes.lease("1")
    return school.course_sync.run(changes, lambda: None, lease.token)


@pytest.fixture
def synced(school: School) -> School:
    """A course that was synced before."""
    sync(school, ChangeCause.EVENT)
    return school


def test_a_first_sync_missed_nothing(school: School) -> None:
    """A new installation, a discovered course, an adoption after the loss of Redis: no event was due."""
    report = sync(school)
    assert (report.scores_written, report.missed) == (4, MissedChanges())


def test_a_lost_grade_is_missed(synced: School) -> None:
    """The score changed in Canvas, and no event told of it."""
    synced.grade("S1", "11", "7")
    assert sync(synced).missed == MissedChanges(1, 1)
    assert sync(synced).missed == MissedChanges()


def test_a_lost_grade_counts_once_while_powerschool_is_away(synced: School) -> None:
    """It is found by the first look, and is ordinary work from then on."""
    synced.grade("S1", "11", "7")
    away = ServiceUnavailable("PUT: 503", cause="powerschool_503", delay=timedelta(minutes=1))
    synced.powerschool.faults.on("write_scores", away)
    first, second = sync(synced), sync(synced)
    assert (first.missed, first.scores_written) == (MissedChanges(1, 1), 0)
    assert (second.missed, second.scores_written) == (MissedChanges(), 1)


def test_a_new_assignment_and_a_new_name_are_missed(synced: School) -> None:
    """Each of them has an event of its own."""
    synced.edit("12", name="Reading two")
    known = synced.canvas.content.assignments
    synced.assign(*known, replace(known[0], id="13", name="Reading 3"))
    synced.grade("S1", "13", "4")
    assert sync(synced).missed == MissedChanges(2, 1)


@pytest.mark.parametrize("cause", [ChangeCause.PERSON, ChangeCause.DUE_DATE, ChangeCause.EVENT, ChangeCause.WEBHOOK])
def test_what_somebody_told_of_is_not_missed(synced: School, cause: ChangeCause) -> None:
    """A person, a due date or an event led to the course as well."""
    synced.grade("S1", "11", "7")
    report = sync(synced, ChangeCause.RECONCILE, cause)
    assert (report.scores_written, report.missed) == (1, MissedChanges())


@pytest.mark.parametrize("origin", sorted(ORIGINS))
def test_a_pass_with_a_reason_of_its_own_missed_nothing(synced: School, origin: ChangeCause) -> None:
    """The second run of a discovered course, changed rosters, an event without a course, a lost lease."""
    synced.grade("S1", "11", "7")
    report = sync(synced, ChangeCause.RECONCILE, origin)
    assert (report.scores_written, report.missed) == (1, MissedChanges())


def by_hand(school: School) -> None:
    there = school.powerschool.assignments_there[link_of(school)]
    scores = {**there.scores, 501: Score(Decimal(3))}
    school.powerschool.assignments_there[link_of(school)] = replace(there, scores=scores)


def renamed_by_hand(school: School) -> None:
    there = school.powerschool.assignments_there[link_of(school)]
    school.powerschool.assignments_there[link_of(school)] = replace(there, name="Typed over")


def deleted_by_hand(school: School) -> None:
    del school.powerschool.assignments_there[link_of(school)]


def links_lost(school: School) -> None:
    by_hand(school)
    school.forget_links()


@pytest.mark.parametrize("change", [by_hand, renamed_by_hand, deleted_by_hand, links_lost])
def test_what_was_changed_in_powerschool_is_not_missed(synced: School, change: Callable[[School], None]) -> None:
    """Canvas wins, and nothing of Canvas was lost."""
    change(synced)
    report = sync(synced)
    assert report.assignments_written == 1
    assert report.missed == MissedChanges()


def test_a_student_who_was_not_on_the_roster_is_not_missed(synced: School) -> None:
    """The roster of PowerSchool changed; Canvas had the score all the time."""
    synced.canvas.rows = (*synced.canvas.rows, row("S3", "73", a11="4"))
    sync(synced, ChangeCause.EVENT)
    synced.enroll("S3", 503)
    assert synced.rosters.current is not None
    synced.rosters.remembered = synced.rosters.current
    report = sync(synced)
    assert (report.scores_written, report.missed) == (1, MissedChanges())


def test_work_that_a_due_date_made_missing_is_not_missed(synced: School) -> None:
    """Canvas sends no event when a due date passes, and reconciliation may be the first to look."""
    first, second = synced.canvas.rows
    synced.canvas.rows = (first, row("S2", "72", a11=None, a12="6"))
    sync(synced, ChangeCause.EVENT)
    missing = {**second.submissions, "11": graded(None, assignment_id="11", missing=True)}
    synced.canvas.rows = (first, replace(second, submissions=missing))
    report = sync(synced)
    assert (report.assignments_written, report.missed) == (1, MissedChanges())


def test_work_that_waited_for_a_rule_is_not_missed(school: School) -> None:
    """A category was added in PowerSchool: no event of Canvas could tell of it."""
    school.powerschool.categories_there = ()
    sync(school, ChangeCause.EVENT)
    school.powerschool.categories_there = (HOMEWORK,)
    report = sync(school)
    assert (report.scores_written, report.missed) == (4, MissedChanges())


def test_the_run_names_its_trigger() -> None:
    """A pass with a reason of its own is named by it, and what failed before is a retry."""
    both = frozenset({ChangeCause.RECONCILE, ChangeCause.DISCOVERY})
    assert replace(change_set(), causes=both).triggers == {ChangeCause.DISCOVERY}
    assert replace(change_set(), attempts=1).triggers == {ChangeCause.EVENT, ChangeCause.RETRY}
    assert change_set(cause=ChangeCause.RECONCILE).triggers == {ChangeCause.RECONCILE}
