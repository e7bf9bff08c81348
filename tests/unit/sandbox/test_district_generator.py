"""Generated districts: their size, their quirks, and that a seed repeats them."""

from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from shared.sandbox.district.generator import DistrictSize, unprovisioned_district
from shared.sandbox.powerschool.actions import RosterActions
from shared.sandbox.powerschool.seed import PowerSchoolSeed
from shared.sandbox.powerschool.state import PowerSchool
from tests.fault_injection.provisioning.random_days import KINDS, make_changes
from tests.manual_clock import ManualClock

TODAY = date(2026, 10, 5)
ZONE = ZoneInfo("America/Los_Angeles")
SIZE = DistrictSize(schools=3, students=300, sections=90, seed=4)
SEED = unprovisioned_district(SIZE, TODAY, ZONE).powerschool


def running(seed: PowerSchoolSeed = SEED) -> PowerSchool:
    return seed.build(ManualClock(datetime(2026, 10, 5, 19, tzinfo=UTC)))


def rosters_of(state: PowerSchool) -> object:
    """Return everything that provisioning would read."""
    tables = (state.schools, state.terms, state.courses, state.staff, state.sections, state.students)
    return [*(list(table.values()) for table in tables), {key: rows for key, rows in state.rosters.items() if rows}]


def test_the_size_is_as_asked() -> None:
    """Schools, students and sections are as many as asked; each school has one section of an earlier year."""
    this_year = [section for section in SEED.sections if section.term_id >= 3600]
    assert (len(SEED.schools), len(SEED.students), len(this_year)) == (3, 300, 90)
    assert len(SEED.sections) == 93


def test_canvas_is_empty() -> None:
    """Canvas has no course, and both systems have the same time zone."""
    district = unprovisioned_district(SIZE, TODAY, ZONE)
    assert district.canvas.courses == []
    assert district.canvas.zone == district.powerschool.zone == ZONE.key


@pytest.mark.parametrize("change", [{"seed": 5}, {"students": 301}])
def test_the_same_is_the_same_and_another_another(change: dict[str, int]) -> None:
    """Equal size and seed make equal districts, others make different ones."""
    again, other = DistrictSize(3, 300, 90, 4), DistrictSize(**{"schools": 3, "sections": 90, "students": 300} | change)
    assert unprovisioned_district(again, TODAY, ZONE).powerschool == SEED
    assert unprovisioned_district(other, TODAY, ZONE).powerschool != SEED


def test_the_smallest_district_is_one_of_each() -> None:
    """A district of one school, student and section can be made, and none smaller."""
    seed = unprovisioned_district(DistrictSize(1, 1, 1), TODAY, ZONE).powerschool
    assert (len(seed.schools), len(seed.students)) == (1, 1)
    with pytest.raises(ValueError, match="at least"):
        DistrictSize(1, 0, 1)


def test_a_term_id_repeats_per_school_and_a_dcid_never_does() -> None:
    """TERMS.ID repeats per school, a DCID is unique in its table."""
    assert set(Counter(term.id for term in SEED.terms).values()) == {3}
    for rows in (SEED.schools, SEED.terms, SEED.courses, SEED.sections, SEED.students, SEED.enrollments):
        assert len({row.dcid for row in rows}) == len(rows)


def test_ids_that_must_not_be_mixed_up_never_meet() -> None:
    """No two sequences of ids have a common value."""
    sequences = [
        {term.dcid for term in SEED.terms},
        {staff.dcid for staff in SEED.users},
        {staff.staff_dcid for staff in SEED.users},
        {staff.staff_id for staff in SEED.users},
        {section.dcid for section in SEED.sections},
        {section.id for section in SEED.sections},
        {student.dcid for student in SEED.students},
        {student.id for student in SEED.students},
        {int(student.number) for student in SEED.students if student.number[0] != "0"},
    ]
    assert len(set[int]().union(*sequences)) == sum(map(len, sequences))


def test_everything_that_makes_it_hard_is_there() -> None:
    """Every promised quirk occurs at least once."""
    users, owners = SEED.users, {course.number: course.school_number for course in SEED.courses}
    inactive = {user.dcid for user in users if not user.active}
    teachers = [teacher for section in SEED.sections for teacher in section.teachers]
    assert {
        "course of the district": 0 in owners.values(),
        "course of another school": any(owners[s.course_number] not in (0, s.school_number) for s in SEED.sections),
        "section without lead": any(section.lead is None for section in SEED.sections),
        "co-teacher": any(each.role == "co" and each.end_date is None for each in teachers),
        "co-teacher who left": any(each.end_date is not None for each in teachers),
        "staff of two schools": max(Counter(user.dcid for user in users).values()) == 2,
        "gone and still leading": any(each.users_dcid in inactive and each.role == "lead" for each in teachers),
        "staff without e-mail": any(user.email is None for user in users),
        "teacher number with zeros": any(user.teacher_number[0] == "0" for user in users),
        "student number with zeros": any(student.number[0] == "0" for student in SEED.students),
        "student without e-mail": any(not student.emails for student in SEED.students),
        "student with two addresses": any(len(student.emails) == 2 for student in SEED.students),
        "student who left": any(student.enroll_status == 2 for student in SEED.students),
        "dropped enrollment": any(row.dropped for row in SEED.enrollments),
        "ended enrollment": any(not r.dropped and r.exit_date and r.exit_date <= TODAY for r in SEED.enrollments),
    } == dict.fromkeys(_QUIRKS, True)


_QUIRKS = (
    "course of the district",
    "course of another school",
    "section without lead",
    "co-teacher",
    "co-teacher who left",
    "staff of two schools",
    "gone and still leading",
    "staff without e-mail",
    "teacher number with zeros",
    "student number with zeros",
    "student without e-mail",
    "student with two addresses",
    "student who left",
    "dropped enrollment",
    "ended enrollment",
)


def test_changes_are_of_every_kind_and_the_same_for_a_seed() -> None:
    """The number of changes is as asked; equal seeds make equal changes, others different ones."""
    first, again, other = running(), running(), running()
    made = make_changes(first, seed=1, count=300)
    assert made.total() == 300
    assert made.keys() == set(KINDS)
    assert make_changes(again, seed=1, count=300) == made
    make_changes(other, seed=2, count=300)
    assert rosters_of(first) == rosters_of(again)
    assert rosters_of(first) != rosters_of(other)


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_shows_in_the_data_version(kind: str) -> None:
    """Each kind of change increases the data version and changes the rosters."""
    state = running()
    before, version = repr(rosters_of(state)), state.data_version
    make_changes(state, seed=1, count=1, weights={kind: 1})
    assert state.data_version > version
    assert repr(rosters_of(state)) != before


def test_references_hold_after_many_changes() -> None:
    """Every reference points to an existing row."""
    state = running()
    make_changes(state, seed=3, count=400)
    RosterActions(state).roll_over()
    users = {staff.dcid for staff in state.staff.values()}
    for section in state.sections.values():
        assert state.term_of(section).school_number == section.school_number
        assert section.course_number in {course.number for course in state.courses.values()}
        assert {teacher.users_dcid for teacher in section.teachers} <= users
    rows = [row for roster in state.rosters.values() for row in roster]
    assert {row.student_dcid for row in rows} <= state.students.keys()
    assert {row.section_dcid for row in rows} <= state.sections.keys()
    assert len({row.dcid for row in rows}) == len(rows)


def test_an_empty_district_cannot_change() -> None:
    """Changes of an empty district raise ValueError."""
    with pytest.raises(ValueError, match="nothing can change"):
        make_changes(running(PowerSchoolSeed()), seed=1, count=1)
