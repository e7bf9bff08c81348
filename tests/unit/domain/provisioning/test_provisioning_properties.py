"""What is true of every plan, whatever PowerSchool holds and whatever was applied before."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.provisioning.imports.sis_imports import ImportOptions
from shared.domain.provisioning.imports.uploads import Part, plan_import
from shared.domain.provisioning.plan import ImportPlan, plan_roster
from shared.domain.provisioning.policy import CoursePer, DroppedStatus, ProvisioningPolicy, SisIdTemplate
from shared.domain.provisioning.roster import (
    CatalogCourse,
    ClassEnrollment,
    ClassSection,
    Roster,
    School,
    TeachingAssignment,
)
from shared.domain.provisioning.rows.sis_rows import DataSet, Entity, differences, row_changes, value
from shared.domain.provisioning.run import digest_of
from shared.domain.provisioning.safety import roster_facts, safety_findings
from shared.domain.provisioning.school_plans import plan_without
from tests.unit.domain.provisioning.rosters import (
    CHICAGO,
    FALL,
    PER_TEACHER,
    POLICY,
    SPRING,
    student,
    teacher,
    with_changes,
)
from tests.unit.domain.provisioning.test_roster_safety import LIMITS

STATUSES = {
    Entity.TERMS: {"active"},
    Entity.COURSES: {"active", "published", "completed"},
    Entity.SECTIONS: {"active"},
    Entity.USERS: {"active", "suspended"},
    Entity.ENROLLMENTS: {"active", "completed", "inactive", "deleted_last_completed"},
}
OPTIONS = ImportOptions("completed", "suspended", change_threshold=10)

# Few of everything, so that all collides: two schools, three terms, three teachers, four sections and students.
days = st.sampled_from([date(2026, 8, 17), date(2026, 10, 5), date(2026, 12, 18), date(2027, 1, 11), date(2027, 6, 9)])
schools = st.sampled_from([100, 200])
flags = st.booleans()
numbers = st.sampled_from(["", "7", "1501", "1502", "901"])
emails = st.sampled_from([None, "a@district.example", "A@district.example", "b@district.example"])

teachings = st.lists(st.builds(TeachingAssignment, st.integers(900, 903), flags), max_size=3).map(tuple)
sections = st.lists(
    st.builds(
        ClassSection,
        dcid=st.integers(4001, 4004),
        id=st.integers(1, 4),
        school_number=schools,
        term_id=st.sampled_from([3601, 3602, 3699]),
        course_number=st.sampled_from(["ALG1", "GEO", ""]),
        section_number=st.sampled_from(["1", "2"]),
        teachers=teachings,
    ),
    max_size=5,
)
enrollments = st.lists(
    st.builds(
        ClassEnrollment,
        section_dcid=st.integers(4001, 4005),
        student_dcid=st.integers(501, 505),
        entry_date=days,
        exit_date=st.none() | days,
        is_dropped=flags,
    ),
    max_size=10,
)
students = st.lists(
    st.builds(
        lambda dcid, number, email, school, active: student(
            dcid, number=number, email=email, school_number=school, is_active=active
        ),
        st.integers(501, 504),
        numbers,
        emails,
        schools,
        flags,
    ),
    max_size=5,
)
staff = st.lists(
    st.builds(
        lambda dcid, number, active: teacher(dcid, teacher_number=number, is_active=active),
        st.integers(900, 902),
        numbers,
        flags,
    ),
    max_size=4,
)
SOUTHERN_FALL = replace(FALL, school_number=200, dcid=43)
REVERSED = replace(SPRING, first_day=date(2028, 1, 1))
terms = st.lists(
    st.sampled_from(
        [FALL, SPRING, replace(FALL, school_number=200, dcid=43), replace(SPRING, first_day=date(2028, 1, 1))]
    ),
    max_size=4,
)
rosters = st.builds(
    Roster,
    schools=st.just((School(100, 7, "North"), School(200, 8, "South"))),
    terms=terms.map(tuple),
    courses=st.just((CatalogCourse("ALG1", "Algebra 1", 0),)),
    sections=sections.map(tuple),
    staff=staff.map(tuple),
    students=students.map(tuple),
    enrollments=enrollments.map(tuple),
)
policies = st.sampled_from(
    [
        POLICY,
        PER_TEACHER,
        replace(POLICY, term_sis_id=SisIdTemplate("{term_id}"), student_login_id=SisIdTemplate("{email}")),
        replace(POLICY, section_sis_id=SisIdTemplate("{course_number}-{section_number}"), publish_courses=True),
        replace(PER_TEACHER, dropped_status=DroppedStatus.INACTIVE, staff_sis_id=SisIdTemplate("{teacher_number}")),
    ]
)
histories = st.lists(st.tuples(rosters, days), min_size=1, max_size=3)


def planned(history: list[tuple[Roster, date]], policy: ProvisioningPolicy) -> tuple[tuple[DataSet, ...], ImportPlan]:
    """Return what was applied before the last roster of a history, and the plan for that one."""
    state: dict[object, DataSet] = {}
    for roster, today in history[:-1]:
        state |= {s.key: s for s in plan_roster(roster, policy, today, state.values()).data_sets}
    roster, today = history[-1]
    return tuple(state.values()), plan_roster(roster, policy, today, state.values())


def rows_of(plan: ImportPlan, entity: Entity) -> set[tuple[str, ...]]:
    return {row.key(entity) for s in plan.data_sets if s.key.entity is entity for row in s.rows}


@given(histories, policies)
def test_a_plan_is_sorted_legal_and_says_nothing_twice(
    history: list[tuple[Roster, date]], policy: ProvisioningPolicy
) -> None:
    """Every data set is in order, its keys are unique, and Canvas knows its statuses."""
    _, plan = planned(history, policy)

    assert [s.key for s in plan.data_sets] == sorted({s.key for s in plan.data_sets}, key=lambda key: key.sort_key)
    for s in plan.data_sets:
        keys = Counter(row.key(s.key.entity) for row in s.rows)
        assert not keys or max(keys.values()) == 1
        assert list(s.rows) == sorted(s.rows)
        assert {value(s.key.entity, row, "status") for row in s.rows} <= STATUSES[s.key.entity]


@given(histories, policies)
def test_every_row_names_what_there_is(history: list[tuple[Roster, date]], policy: ProvisioningPolicy) -> None:
    """An enrollment's section and user, a section's course and a course's term are in the plan."""
    _, plan = planned(history, policy)
    known = {entity: rows_of(plan, entity) for entity in Entity}

    for s in plan.data_sets:
        for row in s.rows:
            if s.key.entity is Entity.ENROLLMENTS:
                assert (value(s.key.entity, row, "section_id"),) in known[Entity.SECTIONS]
                assert (value(s.key.entity, row, "user_id"),) in known[Entity.USERS]
            if s.key.entity is Entity.SECTIONS:
                assert (value(s.key.entity, row, "course_id"),) in known[Entity.COURSES]
            if s.key.entity is Entity.COURSES:
                assert (value(s.key.entity, row, "term_id"),) in known[Entity.TERMS]


@given(histories, policies)
def test_a_second_run_is_no_import(history: list[tuple[Roster, date]], policy: ProvisioningPolicy) -> None:
    """Whatever came before, planning the same roster again makes no difference and holds nothing back."""
    before, plan = planned(history, policy)
    roster, today = history[-1]
    state = {s.key: s for s in chain(before, plan.data_sets)}
    again = plan_roster(roster, policy, today, state.values())

    assert differences(state.values(), again.data_sets) == {}
    parts = [Part(state.get(s.key), s, digest_of(s)) for s in again.data_sets]
    assert plan_import("passback:district", parts, OPTIONS, {}, has_base=True) is None
    assert again.problems == plan.problems


@given(histories, policies, st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(
    history: list[tuple[Roster, date]], policy: ProvisioningPolicy, rng: object
) -> None:
    """Pages and rows come in any order, as long as no record is read twice with other values."""
    roster, today = history[-1]
    once = {
        kind: tuple({getattr(r, "dcid", r): r for r in getattr(roster, kind)}.values())
        for kind in ("sections", "students", "enrollments")
    } | {"staff": tuple({s.users_dcid: s for s in roster.staff}.values())}
    shuffled = {kind: tuple(rng.sample(rows, len(rows))) for kind, rows in once.items()}  # type: ignore[attr-defined]

    assert plan_roster(replace(roster, **once), policy, today) == plan_roster(
        replace(roster, **shuffled), policy, today
    )


@given(histories, policies)
def test_applying_the_differences_gives_the_plan(
    history: list[tuple[Roster, date]], policy: ProvisioningPolicy
) -> None:
    """What is shown to a person is all that changes."""
    before, plan = planned(history, policy)
    old = {s.key: s for s in before}

    for s in plan.data_sets:
        result = with_changes(old.get(s.key), s.key, row_changes(old.get(s.key), s))
        assert sorted(row.values for row in result.rows) == sorted(row.values for row in s.rows)


@given(histories, policies)
def test_nothing_is_deleted_but_sections_of_courses_that_go_on(
    history: list[tuple[Roster, date]], policy: ProvisioningPolicy
) -> None:
    """No term and no course ever leaves its data set, and what has left no plan names."""
    before, plan = planned(history, policy)
    old = {s.key: s for s in before}

    for s in plan.data_sets:
        gone = [c.before for c in row_changes(old.get(s.key), s) if c.before and c.after is None]
        assert s.key.entity not in (Entity.TERMS, Entity.COURSES) or not gone
        assert not {row.key(s.key.entity) for row in gone} & rows_of(plan, s.key.entity)


@given(histories, policies)
def test_a_section_never_gets_an_empty_course(history: list[tuple[Roster, date]], policy: ProvisioningPolicy) -> None:
    """A section that has a course moves, if at all, to one in which its teacher has a section already."""
    before, plan = planned(history, policy)
    if policy.course_per is not CoursePer.TEACHER:
        return
    old = {
        (s.key.term_sis_id, row.values[0]): row.values[1]
        for s in before
        if s.key.entity is Entity.SECTIONS
        for row in s.rows
    }
    for s in plan.data_sets:
        courses = {course for (term, _), course in old.items() if term == s.key.term_sis_id}
        for row in s.rows if s.key.entity is Entity.SECTIONS else ():
            if value(Entity.COURSES, row_of_course(plan, row.values[1]), "status") != "completed":
                known_before = (s.key.term_sis_id, row.values[0]) in old
                assert not known_before or row.values[1] in courses or moved_terms(plan, s, row.values[0])


def row_of_course(plan: ImportPlan, course: str):  # type: ignore[no-untyped-def]
    return next(
        row for s in plan.data_sets if s.key.entity is Entity.COURSES for row in s.rows if row.values[0] == course
    )


def moved_terms(plan: ImportPlan, data_set: DataSet, section: str) -> bool:
    """Say whether the section is now in another term, and only carried over in this one."""
    others = (s for s in plan.data_sets if s.key.entity is Entity.SECTIONS and s.key != data_set.key)
    return any(row.values[0] == section for s in others for row in s.rows)


@given(rosters, policies, days)
def test_an_unchanged_roster_is_never_held(roster: Roster, policy: ProvisioningPolicy, today: date) -> None:
    """Save for one of which nothing was read."""
    sets = plan_roster(roster, policy, today).data_sets
    again = plan_roster(roster, policy, today, sets).data_sets
    facts = replace(roster_facts(roster, today, CHICAGO), empty=())

    assert safety_findings(sets, again, facts, replace(LIMITS, rows=1)) == ()


@settings(max_examples=50)
@given(rosters, policies, days)
def test_an_empty_reading_is_always_held(roster: Roster, policy: ProvisioningPolicy, today: date) -> None:
    """Whatever was there before."""
    nothing = Roster((), (), (), (), (), (), ())
    before = plan_roster(roster, policy, today).data_sets
    after = plan_roster(nothing, policy, today, before).data_sets

    assert safety_findings(before, after, roster_facts(nothing, today, CHICAGO), LIMITS)


@given(histories, policies)
def test_a_plan_without_schools_is_between_the_old_and_the_new(
    history: list[tuple[Roster, date]], policy: ProvisioningPolicy
) -> None:
    """With no school left out it is the plan; with all of them nothing changes; with one, no row of it changes.

    What it names is there: no section without its course, no class without its section and its user.
    """
    before, plan = planned(history, policy)
    assert plan_without(before, plan.data_sets, lambda _: False) == plan.data_sets
    assert differences(before, plan_without(before, plan.data_sets, lambda _: True)) == {}
    partly = plan_without(before, plan.data_sets, lambda school: school == 100)
    old = {(s.key, row.key(s.key.entity)): row for s in before for row in s.rows}
    for s in partly:
        for row in s.rows:
            was = old.get((s.key, row.key(s.key.entity)))
            assert row.school_number != 100 or (was is not None and was.values == row.values)
    whole, part = (_dangling(sets) for sets in (plan.data_sets, partly))
    assert part <= whole | _dangling(before)


IN_SECTION = ClassSection(4001, 1, 100, 3601, "ALG1", "1")


def _school_year(*students: object, enrolled: Iterable[int] = ()) -> tuple[Roster, date]:
    """Return a roster with one section of school 100 while anybody is enrolled."""
    day = date(2026, 8, 17)
    classes = tuple(ClassEnrollment(4001, dcid, day, None, is_dropped=False) for dcid in enrolled)
    sections = (IN_SECTION,) if classes else ()
    schools = (School(100, 7, "North"), School(200, 8, "South"))
    catalog = (CatalogCourse("ALG1", "Algebra 1", 0),)
    return Roster(schools, (FALL,), catalog, sections, (), students, classes), day


def test_the_user_of_a_retained_enrollment_stays() -> None:
    """A suspended student of one school is gone from PowerSchool, and the school of the class is held."""
    gone = student(501, number="7", school_number=200, is_active=False)
    before, plan = planned([_school_year(gone, enrolled=[501]), _school_year()], POLICY)

    partly = plan_without(before, plan.data_sets, lambda school: school == 100)

    assert ("7",) in {row.key(Entity.USERS) for s in partly if s.key.entity is Entity.USERS for row in s.rows}
    assert _dangling(partly) == set()


def test_a_number_that_goes_to_another_person_leaves_one_enrollment() -> None:
    """A student gets the number of one who left; both were in the class that is over now."""
    former = [student(501, number="1501", is_active=False), student(502, number="7", is_active=False)]
    _, plan = planned([_school_year(*former, enrolled=[501, 502]), _school_year(student(501, number="7"))], POLICY)

    found = [
        row.key(Entity.ENROLLMENTS) for s in plan.data_sets if s.key.entity is Entity.ENROLLMENTS for row in s.rows
    ]
    assert found == [("4001", "7", "student")]


def _dangling(sets: Iterable[DataSet]) -> set[tuple[str, ...]]:
    """Return the references to sections, courses and users that are in none of the data sets."""
    sets = tuple(sets)
    ids = {entity: {row.values[0] for s in sets if s.key.entity is entity for row in s.rows} for entity in Entity}
    named = [
        (Entity.SECTIONS, Entity.COURSES, "course_id"),
        (Entity.ENROLLMENTS, Entity.SECTIONS, "section_id"),
        (Entity.ENROLLMENTS, Entity.USERS, "user_id"),
    ]
    return {
        (entity, column, value(entity, row, column))
        for entity, other, column in named
        for s in sets
        if s.key.entity is entity
        for row in s.rows
        if value(entity, row, column) not in ids[other]
    }
