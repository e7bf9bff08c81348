"""Which schools, courses and sections a district lets go to Canvas."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.policy import ProvisioningPolicy, is_selected
from shared.domain.provisioning.roster import Roster, School
from shared.domain.provisioning.rows.sis_rows import Entity
from tests.unit.domain.provisioning.rosters import (
    FALL,
    POLICY,
    column,
    enrolled,
    plan,
    roster,
    section,
    student,
    teacher,
)

NORTH, SOUTH = School(100, 7, "North"), School(200, 8, "South")
DISTRICT = roster(
    schools=(NORTH, SOUTH),
    terms=(FALL, replace(FALL, dcid=51, school_number=200)),
    sections=(section(4001), section(4002, course_number="LUNCH1"), section(5001, 902, school_number=200)),
    staff=(teacher(900), teacher(901), teacher(902, school_numbers=(200,)), teacher(903, school_numbers=(200,))),
    students=(student(501), student(502), student(601, school_number=200), student(602, school_number=200)),
    enrollments=(enrolled(4001, 501), enrolled(4002, 502), enrolled(5001, 601)),
)


def policy(**choices: object) -> ProvisioningPolicy:
    return replace(POLICY, **choices)  # type: ignore[arg-type]


def sections(of: Roster, chosen: ProvisioningPolicy) -> set[str]:
    return set(column(plan(of, chosen), Entity.SECTIONS, "name"))


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        ((), {"LUNCH1", "lunch2", "ALG"}),
        (("-LUNCH*",), {"ALG"}),
        (("lunch?",), {"LUNCH1", "lunch2"}),
        (("L*", "-LUNCH1"), {"lunch2"}),
        (("-*",), set()),
    ],
)
def test_patterns_take_in_and_leave_out(patterns: tuple[str, ...], taken: set[str]) -> None:
    """A minus leaves out; where something is taken in by name, nothing else is."""
    assert {name for name in ("LUNCH1", "lunch2", "ALG") if is_selected(patterns, name)} == taken


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, {"4001", "4002", "5001"}),
        ({"schools": ("100",)}, {"4001", "4002"}),
        ({"schools": ("-100",)}, {"5001"}),
        ({"courses": ("-LUNCH*",)}, {"4001", "5001"}),
        ({"sections": ("-4001", "-ALG1.1")}, {"4002"}),
    ],
)
def test_sections_go_by_school_course_and_section(choices: dict[str, object], expected: set[str]) -> None:
    """A section by its DCID, or by course and section number."""
    assert sections(DISTRICT, policy(**choices)) == expected


def test_people_go_with_their_school_unless_they_are_in_a_class() -> None:
    """A student of another school in a class, and a teacher from there, are in Canvas all the same."""
    visitors = replace(
        DISTRICT,
        sections=(section(4001, 902), *DISTRICT.sections[1:]),
        enrollments=(*DISTRICT.enrollments, enrolled(4001, 602)),
    )
    users = column(plan(visitors, policy(schools=("100",))), Entity.USERS, "status")

    assert set(users) == {"1501", "1502", "1602", "T900", "T901", "T902"}
    assert "200-3601" not in column(plan(visitors, policy(schools=("100",))), Entity.TERMS, "name")


def test_empty_sections_may_be_left_out() -> None:
    """Those in which no student ever was; one that Canvas has already stays."""
    empty = replace(DISTRICT, enrollments=(enrolled(4001, 501),))
    without = policy(empty_sections=False)

    assert sections(empty, without) == {"4001"}
    applied = plan(DISTRICT, without).data_sets
    assert set(column(plan(empty, without, applied=applied), Entity.SECTIONS, "name")) == {"4001", "4002", "5001"}


def test_what_is_left_out_later_is_concluded() -> None:
    """As a class that is gone: nothing of it is deleted."""
    after = plan(DISTRICT, policy(courses=("-LUNCH*",)), applied=plan(DISTRICT).data_sets)

    assert column(after, Entity.COURSES, "status")["4002"] == "completed"
    assert column(after, Entity.ENROLLMENTS, "status")["4002/1502/student"] == "completed"


def test_preferred_names_are_used_where_the_query_returns_them() -> None:
    """A student without one has the name of STUDENTS."""
    people = roster(students=(student(501, preferred_first_name="Pref"), student(502)))

    names = column(plan(people), Entity.USERS, "first_name")
    assert (names["1501"], names["1502"]) == ("Pref", "Stu")
