"""When a plan is held for a person: boundaries by name, one school of a hundred students and a small one."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.domain.provisioning.hold_reasons import Hold, HoldReason, Limits
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.roster import Roster, School, Student, UnreadableRecord
from shared.domain.provisioning.rows.sis_rows import Entity
from shared.domain.provisioning.safety import roster_facts, safety_findings
from tests.unit.domain.provisioning.rosters import (
    CHICAGO,
    FALL,
    LAST_DAY,
    POLICY,
    TODAY,
    enrolled,
    plan,
    roster,
    section,
    student,
    teacher,
)

LIMITS = Limits({Entity.COURSES: 10, Entity.SECTIONS: 10, Entity.USERS: 5, Entity.ENROLLMENTS: 10}, leavers=40, rows=3)
SOUTH = replace(FALL, school_number=200, dcid=43)
NEXT_YEAR = replace(FALL, id=3701, dcid=51, first_day=date(2027, 8, 16), last_day=date(2027, 12, 17))
SUMMER = date(2027, 7, 20)


def district(students: Iterable[Student] = (), **changes: object) -> Roster:
    """Return a school of a hundred students, five sections of twenty, and a school of two students and a section."""
    north = tuple(student(dcid) for dcid in range(501, 601))
    south = tuple(student(dcid, school_number=200) for dcid in (701, 702))
    valid = Roster(
        schools=(School(100, 7, "North"), School(200, 8, "South")),
        terms=(FALL, SOUTH),
        courses=roster().courses,
        sections=(*(section(4000 + n) for n in range(5)), section(4005, 901, school_number=200)),
        staff=(teacher(900), teacher(901, school_numbers=(200,))),
        students=(*north, *south),
        enrollments=(
            *(enrolled(4000 + s.dcid % 5, s.dcid) for s in north),
            *(enrolled(4005, s.dcid) for s in south),
        ),
    )
    return replace(valid, **changes)  # type: ignore[arg-type]


DISTRICT = district()
BEFORE = plan(DISTRICT)


def holds(after: Roster, before: ImportPlan = BEFORE, today: date = TODAY, limits: Limits = LIMITS) -> tuple[Hold, ...]:
    """Return the holds of the next plan."""
    planned = plan(after, today=today, applied=before.data_sets)
    return safety_findings(before.data_sets, planned.data_sets, roster_facts(after, today, CHICAGO), limits)


def found(*args: object, **kwargs: object) -> list[tuple[str, Entity | None, int | None]]:
    """Return the holds' reasons, entities and schools."""
    return [(h.code, h.entity, h.school_number) for h in holds(*args, **kwargs)]  # type: ignore[arg-type]


def changed(change: Callable[[Student], Student], count: int) -> Roster:
    """Return the district with the first students of it changed."""
    students = DISTRICT.students
    return replace(DISTRICT, students=(*map(change, students[:count]), *students[count:]))


def test_an_unchanged_roster_is_not_held() -> None:
    """A second run of anything passes."""
    assert found(DISTRICT) == []


def test_a_first_run_has_nothing_to_lose() -> None:
    """However little there is."""
    small = roster()
    assert safety_findings((), plan(small).data_sets, roster_facts(small, TODAY, CHICAGO), LIMITS) == ()


@pytest.mark.parametrize("kind", ["schools", "terms", "staff", "students"])
def test_a_kind_of_which_nothing_was_read_is_held(kind: str) -> None:
    """Also on a first run."""
    empty = roster(**{kind: ()})
    (hold, *_) = safety_findings((), plan(empty).data_sets, roster_facts(empty, TODAY, CHICAGO), LIMITS)

    assert (hold.code, hold.sentence.endswith(f"({kind}).")) == (HoldReason.NOTHING_READ, True)


def test_a_list_that_never_was_still_is_held() -> None:
    """Also where the plan changes nothing."""
    (hold,) = holds(replace(DISTRICT, unsettled=("sections", "enrollments")))
    assert hold.code == HoldReason.ROSTER_UNSETTLED
    assert hold.sentence.endswith("(sections, enrollments).")


@pytest.mark.parametrize(("odd", "held"), [(4, False), (5, True)])
def test_more_than_a_few_odd_rows_are_held(odd: int, held: bool) -> None:
    """So many as the district says are reported alone."""
    rows = tuple(UnreadableRecord("COURSES.DCID", 9000 + n) for n in range(odd))
    limits = replace(LIMITS, odd_rows=4)
    assert [h.code for h in holds(replace(DISTRICT, odd_rows=rows), limits=limits)] == [HoldReason.ODD_ROWS] * held


@pytest.mark.parametrize(("today", "held"), [(TODAY, True), (LAST_DAY + timedelta(days=1), False)])
def test_a_district_without_sections_is_between_two_years_or_misread(today: date, held: bool) -> None:
    """Before the first run and after the last term there may be none."""
    after = replace(DISTRICT, terms=(NEXT_YEAR, replace(NEXT_YEAR, school_number=200)), sections=(), enrollments=())

    assert bool(found(after, today=today)) is held
    assert ((HoldReason.NOTHING_READ, None, None) in found(after, today=today)) is held


@pytest.mark.parametrize(("lost", "held"), [(10, False), (11, True)])
def test_enrollments_may_shrink_by_their_limit(lost: int, held: bool) -> None:
    """Ten of a hundred and five enrollments pass, eleven do not: the limit is 10 %."""
    after = replace(DISTRICT, enrollments=DISTRICT.enrollments[lost:])

    assert found(after) == ([(HoldReason.SHRUNK, Entity.ENROLLMENTS, 100)] if held else [])


def test_a_hold_shows_counts_and_limits() -> None:
    """And no names in its sentence."""
    (hold,) = holds(replace(DISTRICT, enrollments=DISTRICT.enrollments[11:]))

    assert hold.sentence.endswith("(school 100, more than 10 %, 11 of 105 enrollments).")


@pytest.mark.parametrize("gone", [{"exit_date": TODAY}, {"is_dropped": True}])
def test_mass_exits_are_a_shrinkage_too(gone: dict[str, object]) -> None:
    """Although PowerSchool still has the rows, nobody would be in class."""
    left = (replace(e, **gone) for e in DISTRICT.enrollments[:11])  # type: ignore[arg-type]

    assert found(replace(DISTRICT, enrollments=(*left, *DISTRICT.enrollments[11:]))) == [
        (HoldReason.SHRUNK, Entity.ENROLLMENTS, 100)
    ]


def test_who_moves_to_another_section_is_not_lost() -> None:
    """A school that balances its sections is not held."""
    moved = [replace(e, exit_date=TODAY) for e in DISTRICT.enrollments[:60]]
    new = [enrolled(4000 + (e.section_dcid + 1) % 5, e.student_dcid, entry_date=TODAY) for e in moved]

    assert found(replace(DISTRICT, enrollments=(*moved, *new, *DISTRICT.enrollments[60:]))) == []


@pytest.mark.parametrize(("rows", "held"), [(3, False), (2, True)])
def test_small_schools_do_not_trip_on_a_few_rows(rows: int, held: bool) -> None:
    """The small school loses both students: all of its percentages, and fewer rows than it takes."""
    after = replace(DISTRICT, enrollments=DISTRICT.enrollments[:-2], students=DISTRICT.students[:-2])

    assert bool(found(after, limits=replace(LIMITS, rows=rows))) is held


@pytest.mark.parametrize("missing", ["school", "sections", "everything"])
def test_a_school_that_is_missing_altogether_is_held(missing: str) -> None:
    """Whether its row, its sections or all of it is gone, and however small it is."""
    after = replace(
        DISTRICT,
        schools=DISTRICT.schools[:1] if missing != "sections" else DISTRICT.schools,
        sections=DISTRICT.sections[:-1] if missing != "school" else DISTRICT.sections,
        students=DISTRICT.students[:-2] if missing == "everything" else DISTRICT.students,
    )
    assert found(after)[0] == (HoldReason.SCHOOL_MISSING, None, 200)


@pytest.mark.parametrize(("today", "held"), [(LAST_DAY, True), (LAST_DAY + timedelta(days=1), False)])
def test_a_term_may_vanish_once_it_is_over(today: date, held: bool) -> None:
    """The last day still belongs to it, on the district's clocks."""
    after = replace(DISTRICT, terms=(FALL, replace(NEXT_YEAR, school_number=200)))

    assert ((HoldReason.TERM_MISSING, None, 200) in found(after, today=today)) is held


def test_a_year_roll_over_is_not_held() -> None:
    """The old year's data sets go, the new year's come, and the graduates leave."""
    graduates = [replace(s, is_active=False) for s in DISTRICT.students[:25]]
    after = replace(
        DISTRICT,
        terms=(NEXT_YEAR, replace(NEXT_YEAR, school_number=200, dcid=53)),
        students=(*graduates, *DISTRICT.students[25:]),
        sections=tuple(replace(s, dcid=s.dcid + 100, term_id=3701) for s in DISTRICT.sections),
        enrollments=tuple(
            replace(e, section_dcid=e.section_dcid + 100, entry_date=NEXT_YEAR.first_day)
            for e in DISTRICT.enrollments[25:]
        ),
    )
    assert found(after, today=SUMMER) == []


@pytest.mark.parametrize(("lost", "held"), [(41, True), (40, False)])
def test_more_leavers_than_a_year_has_are_held(lost: int, held: bool) -> None:
    """A roster that came in part in the summer: 40 of 101 users pass, 41 do not."""
    after = replace(
        DISTRICT,
        terms=(NEXT_YEAR, replace(NEXT_YEAR, school_number=200, dcid=53)),
        students=DISTRICT.students[lost:],
        sections=(),
        enrollments=(),
    )
    assert found(after, today=SUMMER) == ([(HoldReason.MANY_LEAVERS, Entity.USERS, 100)] if held else [])


@pytest.mark.parametrize(("lost", "held"), [(5, False), (6, True)])
def test_users_whose_classes_go_on_may_shrink_by_their_limit(lost: int, held: bool) -> None:
    """Five of 101 users are below 5 %, six are above."""
    gone = {s.dcid for s in DISTRICT.students[:lost]}
    after = replace(
        DISTRICT,
        students=DISTRICT.students[lost:],
        enrollments=tuple(e for e in DISTRICT.enrollments if e.student_dcid not in gone),
    )
    assert found(after) == ([(HoldReason.SHRUNK, Entity.USERS, 100)] if held else [])


def test_who_changes_schools_is_not_lost() -> None:
    """A user counts wherever the user is."""
    assert found(changed(lambda s: replace(s, school_number=200), 6)) == []


@pytest.mark.parametrize(("count", "held"), [(5, False), (6, True)])
def test_many_new_names_are_held(count: int, held: bool) -> None:
    """Names that went to the wrong people would show in every course."""
    after = changed(lambda s: replace(s, last_name="Other"), count)

    assert found(after) == ([(HoldReason.NAMES_CHANGED, Entity.USERS, 100)] if held else [])


def test_many_new_logins_are_held() -> None:
    """Nobody could sign in any more."""
    policy = replace(POLICY, student_login_id=SisIdTemplate("{email}"))
    before = plan(DISTRICT, policy)
    after = plan(changed(lambda s: replace(s, email=f"{s.email}.new"), 6), policy, applied=before.data_sets)
    reasons = safety_findings(before.data_sets, after.data_sets, roster_facts(DISTRICT, TODAY, CHICAGO), LIMITS)

    assert [h.code for h in reasons] == [HoldReason.LOGINS_CHANGED]
    assert ", 6 of 101 users)" in reasons[0].sentence


def test_many_new_sis_ids_are_held() -> None:
    """Canvas would make new users; that the old ones go is a reason of its own."""
    reasons = [reason for reason, _, _ in found(changed(lambda s: replace(s, number=f"9{s.number}"), 6))]

    assert {HoldReason.SIS_IDS_CHANGED, HoldReason.SHRUNK} == set(reasons)


def test_growth_is_never_held() -> None:
    """A plan that only adds does no harm."""
    assert found(DISTRICT, before=plan(roster(students=(student(501),)))) == []


def test_every_reason_has_its_words() -> None:
    """A sentence and a remedy each."""
    assert all(reason.sentence.endswith(".") and reason.remedy.endswith(".") for reason in HoldReason)
