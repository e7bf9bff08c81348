"""When an import is made, what it holds, and how."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.imports.sis_imports import ImportOptions
from shared.domain.provisioning.imports.uploads import (
    Part,
    PlannedImport,
    files_of,
    plan_import,
)
from shared.domain.provisioning.rows.sis_rows import ChangedRow, DataSet, DataSetKey, Entity, SisRow, differences
from shared.domain.provisioning.run import digest_of
from tests.unit.domain.provisioning.rosters import with_changes

OPTIONS = ImportOptions("completed", "suspended", change_threshold=10)
ANY_SIZE = replace(OPTIONS, change_threshold=100)
USERS = DataSetKey(Entity.USERS)


def users(count: int, first: int = 0) -> DataSet:
    """Return so many users, all rows of one length."""
    ids = (f"{n:05}" for n in range(first, first + count))
    return DataSet(USERS, tuple(SisRow((i, i, "Stu", "Dent", "", "student", "active"), 100, i) for i in ids))


def sections(term: str, *ids: str) -> DataSet:
    """Return sections of a term, each in a course of its own."""
    rows = (SisRow((i, i, f"Section {i}", "active"), 100, i) for i in ids)
    return DataSet(DataSetKey(Entity.SECTIONS, term), tuple(rows))


def part(before: DataSet | None, after: DataSet, *, rests: bool = False) -> Part:
    """Return a data set of an import; one that rests is in its base."""
    return Part(before, after, digest_of(after), may_omit=rests, is_in_base=rests)


def planned(
    *parts: Part, has_base: bool = True, is_due: bool = False, options: ImportOptions = OPTIONS
) -> PlannedImport | None:
    """Return the import that the parts need, if they need one."""
    return plan_import("passback:district", parts, options, {}, has_base=has_base, is_due=is_due)


def needed(
    *parts: Part, has_base: bool = True, is_due: bool = False, options: ImportOptions = OPTIONS
) -> PlannedImport:
    """Return the import that the parts need."""
    found = planned(*parts, has_base=has_base, is_due=is_due, options=options)
    assert found is not None
    return found


def sent(of: PlannedImport) -> list[DataSet]:
    """Return the data sets that are sent."""
    return [of.rows[part.digest] for part in of.upload.parts]


def upload(before: DataSet | None, after: DataSet, *, is_due: bool = False) -> tuple[DataSet, ImportOptions]:
    """Return what is sent of a single data set, and the options of its import."""
    found = needed(part(before, after), has_base=before is not None, is_due=is_due)
    (only,) = sent(found)
    return only, found.upload.options


def test_nothing_new_needs_no_import() -> None:
    """A second run is no import, whether or not it is known what Canvas would compare with."""
    same = part(users(3), users(3))

    assert planned(same) is None
    assert planned(same, has_base=False) is None


def test_what_did_not_change_is_sent_along() -> None:
    """Canvas takes whatever an upload of the identifier lacks for gone."""
    changed, same = part(users(3), users(4)), part(sections("100-1", "7"), sections("100-1", "7"))

    assert sent(needed(changed, same)) == [users(4), sections("100-1", "7")]


def test_without_a_base_everything_is_sent_whole() -> None:
    """As a remaster: Canvas may remember what passback forgot, and must drop nothing for that."""
    found = needed(part(None, users(3)), has_base=False)

    assert found.upload.options.remaster


def test_a_data_set_that_joins_an_import_is_compared_like_the_others() -> None:
    """A new term's rows are new to Canvas's base; nothing is sent whole for that."""
    found = needed(part(users(100), users(100)), part(None, sections("100-2", "8")), options=ANY_SIZE)

    assert not found.upload.options.remaster


def test_a_remaster_that_is_due_is_made_without_a_change() -> None:
    """It mends what others changed in Canvas; of nothing there is none."""
    assert needed(part(users(3), users(3)), is_due=True).upload.options.remaster
    assert planned(part(users(0), users(0)), is_due=True) is None


def test_a_remaster_leaves_out_what_rests() -> None:
    """A term that is over: nobody changes it, and it would be imported every week."""
    over = part(sections("100-1", "7"), sections("100-1", "7"), rests=True)
    found = needed(over, part(sections("100-2", "8"), sections("100-2", "8")), is_due=True)

    assert [each.key.term_sis_id for each in found.upload.parts] == ["100-2"]
    assert found.upload.resting == (over.after.key,)
    compared = needed(over, part(sections("100-2", "8"), sections("100-2", "8", "9")), options=ANY_SIZE)
    assert ([each.rows for each in compared.upload.parts], compared.upload.resting) == ([1, 2], ())


def test_a_remaster_does_not_end_what_only_moved() -> None:
    """A section that another term of the same import has now must not be deleted by the one that lost it."""
    old, new = part(sections("100-1", "7"), sections("100-1")), part(sections("100-2"), sections("100-2", "7"))

    assert [each.rows for each in needed(old, new, is_due=True).upload.parts] == [0, 1]


def test_an_import_has_a_file_of_each_kind_and_every_row_once() -> None:
    """Two terms may both hold a section that moved; a kind without rows is an empty file, not a missing one."""
    files = files_of([sections("100-1", "7"), sections("100-2", "7", "8")], (Entity.SECTIONS, Entity.ENROLLMENTS))

    assert [(entity, [row.values[0] for row in rows]) for entity, rows in files] == [
        (Entity.SECTIONS, ["7", "8"]),
        (Entity.ENROLLMENTS, []),
    ]


def test_an_import_says_what_becomes_of_what_is_gone() -> None:
    """Enrollments by setting, users suspended: a deleted login would take all enrollments along."""
    options = upload(users(100), users(101))[1]

    assert (options.drop_status, options.user_remove_status, options.change_threshold) == ("completed", "suspended", 10)
    assert not options.remaster


@pytest.mark.parametrize(("count", "threshold", "remaster"), [(103, 10, False), (104, 11, False), (150, 79, False)])
def test_the_threshold_is_raised_for_a_change_that_is_meant(count: int, threshold: int, remaster: bool) -> None:
    """Half as much again and five, since zipped sizes differ; what is below the setting leaves it."""
    options = upload(users(100), users(count))[1]

    assert (options.change_threshold, options.remaster) == (threshold, remaster)


def test_a_file_that_grows_beyond_any_threshold_is_a_remaster_that_forgets_nothing() -> None:
    """Canvas would drop nothing and keep the old base: what is gone is sent once more with its last status."""
    whole, options = upload(users(10), users(100, first=2))

    assert options.remaster
    assert [row.values[0] for row in whole.rows if row.values[-1] == "suspended"] == ["00000", "00001"]
    assert len(whole.rows) == 102


def test_a_remaster_that_is_due_forgets_nothing_either() -> None:
    """Without comparing, Canvas would not see that somebody is gone."""
    whole, _ = upload(users(100), users(99, first=1), is_due=True)

    assert whole.rows[0].values[-1] == "suspended"


def test_an_ordinary_import_leaves_it_to_canvas() -> None:
    """The file holds what is wanted and no more."""
    assert upload(users(100), users(99, first=1))[0] == users(99, first=1)


def test_differences_name_the_rows() -> None:
    """Added, removed and changed, each with both of its rows."""
    changed = SisRow(("00001", "other", "Stu", "Dent", "", "student", "active"), 100, "00001")
    after = DataSet(USERS, (changed, *users(1, first=2).rows))
    added, other, removed = differences([users(2)], [after])[USERS]

    assert (added, removed) == (ChangedRow(None, after.rows[1]), ChangedRow(users(2).rows[0], None))
    assert other == ChangedRow(users(2).rows[1], changed)
    assert with_changes(users(2), USERS, [added, other, removed]) == after


def test_what_a_plan_does_not_name_makes_no_difference() -> None:
    """Data sets of ended terms are left alone."""
    assert differences([users(2)], []) == {}


def test_a_row_that_only_counts_elsewhere_did_not_change() -> None:
    """Canvas knows nothing of schools and records."""
    moved = DataSet(USERS, tuple(replace(row, school_number=200, source="other") for row in users(2).rows))

    assert differences([users(2)], [moved]) == {}
