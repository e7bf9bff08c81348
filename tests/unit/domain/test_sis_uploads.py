"""Which data sets are imported, and how."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.provisioning_policy import DroppedStatus
from shared.domain.roster_differences import applied, differences
from shared.domain.sis_import import DataSet, DataSetKey, Entity, SisRow
from shared.domain.sis_uploads import Upload, UploadRules, uploads_needed
from tests.unit.domain.rosters import TODAY, plan, roster, student

RULES = UploadRules(DroppedStatus.COMPLETED, change_threshold=10, remaster_days=7)
USERS = DataSetKey(Entity.USERS)


def users(count: int, first: int = 0) -> DataSet:
    """Return so many users, all rows of one length."""
    ids = (f"{n:05}" for n in range(first, first + count))
    return DataSet(USERS, tuple(SisRow((i, i, "Stu", "Dent", "", "student", "active"), 100, i) for i in ids))


def upload(before: DataSet | None, after: DataSet, days: int = 0) -> Upload:
    """Return the only upload, with the last remaster so many days ago."""
    (only,) = uploads_needed(
        [before] if before else [], [after], {after.key: TODAY - timedelta(days=days)} if before else {}, TODAY, RULES
    )
    return only


def test_nothing_new_needs_no_import() -> None:
    """A second run is no import."""
    sets = plan().data_sets

    assert uploads_needed(sets, sets, dict.fromkeys((s.key for s in sets), TODAY), TODAY, RULES) == ()


def test_only_what_changed_is_imported() -> None:
    """In Canvas's order."""
    before, after = plan(), plan(roster(students=(student(501), student(502), student(503))))
    days = dict.fromkeys((s.key for s in before.data_sets), TODAY)

    assert [u.data_set.key for u in uploads_needed(before.data_sets, after.data_sets, days, TODAY, RULES)] == [USERS]


def test_a_first_run_imports_everything_in_order() -> None:
    """As remasters: Canvas may remember what passback forgot, and must drop nothing for that."""
    uploads = uploads_needed((), plan().data_sets, {}, TODAY, RULES)

    assert [u.data_set.key.entity for u in uploads] == [e for e in Entity if e is not Entity.SIS_ID_CHANGES]
    assert all(u.options.remaster for u in uploads)


@pytest.mark.parametrize(("days", "due"), [(6, False), (7, True)])
def test_a_remaster_comes_after_its_days(days: int, due: bool) -> None:
    """Whether or not anything changed."""
    sets = [users(3)]
    uploads = uploads_needed(sets, sets, {USERS: TODAY - timedelta(days=days)}, TODAY, RULES)

    assert [u.options.remaster for u in uploads] == ([True] if due else [])


def test_remasters_can_be_switched_off() -> None:
    """With 0 days."""
    sets = [users(3)]

    assert uploads_needed(sets, sets, {}, TODAY, replace(RULES, remaster_days=0)) == ()


def test_ended_terms_are_not_remastered() -> None:
    """Nobody changes them, and they would be imported every week."""
    sets = [s for s in plan().data_sets if s.key.term_sis_id]

    assert uploads_needed(sets, sets, {}, TODAY, RULES, ended_terms={"100-3601"}) == ()


def test_an_import_says_what_becomes_of_what_is_gone() -> None:
    """Enrollments by setting, users suspended: a deleted login would take all enrollments along."""
    options = upload(users(100), users(101)).options

    assert (options.drop_status, options.user_remove_status, options.change_threshold) == ("completed", "suspended", 10)
    assert not options.remaster


@pytest.mark.parametrize(("count", "threshold", "remaster"), [(103, 10, False), (104, 11, False), (150, 79, False)])
def test_the_threshold_is_raised_for_a_change_that_is_meant(count: int, threshold: int, remaster: bool) -> None:
    """Half as much again and five, since zipped sizes differ; what is below the setting leaves it."""
    options = upload(users(100), users(count)).options

    assert (options.change_threshold, options.remaster) == (threshold, remaster)


def test_a_file_that_grows_beyond_any_threshold_is_a_remaster_that_forgets_nothing() -> None:
    """Canvas would drop nothing and keep the old base: what is gone is sent once more with its last status."""
    sent = upload(users(10), users(100, first=2))

    assert sent.options.remaster
    assert [row.values[0] for row in sent.data_set.rows if row.values[-1] == "suspended"] == ["00000", "00001"]
    assert len(sent.data_set.rows) == 102


def test_a_remaster_that_is_due_forgets_nothing_either() -> None:
    """Without comparing, Canvas would not see that somebody is gone."""
    sent = upload(users(100), users(99, first=1), days=7)

    assert sent.data_set.rows[0].values[-1] == "suspended"


def test_an_ordinary_import_leaves_it_to_canvas() -> None:
    """The file holds what is wanted and no more."""
    assert upload(users(100), users(99, first=1)).data_set == users(99, first=1)


def test_differences_name_the_rows() -> None:
    """Added, removed and changed, and in which columns."""
    changed = SisRow(("00001", "other", "Stu", "Dent", "", "student", "active"), 100, "00001")
    after = DataSet(USERS, (changed, *users(1, first=2).rows))
    (difference,) = differences([users(2)], [after])

    assert [row.values[0] for row in (*difference.added, *difference.removed)] == ["00002", "00000"]
    assert [c.columns(USERS) for c in difference.changed] == [("login_id",)]
    assert applied(users(2), difference) == after


def test_what_a_plan_does_not_name_makes_no_difference() -> None:
    """Data sets of ended terms are left alone."""
    assert differences([users(2)], []) == ()


def test_a_row_that_only_counts_elsewhere_did_not_change() -> None:
    """Canvas knows nothing of schools and records."""
    moved = DataSet(USERS, tuple(replace(row, school_number=200, source="other") for row in users(2).rows))

    assert differences([users(2)], [moved]) == ()
