"""One odd row: it is named, everything about its record stays as it was applied, and the rest goes on."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import Roster, School, UnreadableRecord
from shared.domain.provisioning.rows.sis_rows import Entity
from shared.domain.provisioning.safety import roster_facts, safety_findings
from tests.unit.domain.provisioning.rosters import (
    CHICAGO,
    FALL,
    PER_TEACHER,
    POLICY,
    ROSTER,
    TODAY,
    column,
    enrolled,
    plan,
    problems,
    roster,
    rows,
    section,
    student,
    teacher,
)
from tests.unit.domain.provisioning.test_roster_safety import LIMITS

BEFORE = plan()
POLICIES = [POLICY, PER_TEACHER]


def odd(record: str, dcid: int, *fields: str, **ids: int) -> UnreadableRecord:
    return UnreadableRecord(record, dcid, fields or ("first_day",), ids)


# What the roster lacks for each odd row, and the ids of the row that can be read.
CASES: Mapping[str, tuple[UnreadableRecord, Roster]] = {
    "a school": (odd("SCHOOLS.DCID", 7, "school_name", school_number=100), roster(schools=(School(200, 8, "South"),))),
    "a term": (odd("TERMS.DCID", FALL.dcid, term_id=3601, school_number=100), roster(terms=())),
    "a course": (odd("COURSES.DCID", 1, "course_name"), roster(courses=())),
    "a section": (odd("SECTIONS.DCID", 4001, "section_number"), roster(sections=(section(4002),))),
    "a teacher": (odd("USERS.DCID", 900, "last_name"), roster(staff=(teacher(901),))),
    "a student": (odd("STUDENTS.DCID", 501, "last_name"), roster(students=(student(502),))),
    "an enrollment": (
        odd("CC.DCID", 1, "is_dropped", section_dcid=4001, student_dcid=501),
        roster(enrollments=(enrolled(4002, 502),)),
    ),
}


@pytest.mark.parametrize("policy", POLICIES, ids=["per section", "per teacher"])
@pytest.mark.parametrize("case", CASES)
def test_what_was_applied_of_an_odd_record_stays(case: str, policy: object) -> None:
    """Nothing changes in Canvas, the record is named with its columns, and nothing is held."""
    row, without = CASES[case]
    before = plan(policy=policy)  # type: ignore[arg-type]
    left = replace(without, odd_rows=(row,))
    after = plan(left, policy, applied=before.data_sets)  # type: ignore[arg-type]
    assert after.data_sets == before.data_sets
    assert [p.detail for p in after.problems if p.code is RosterProblemCode.ROW_UNREADABLE] == [", ".join(row.fields)]
    assert (RosterProblemCode.ROW_UNREADABLE, row.source) in problems(after)
    assert safety_findings(before.data_sets, after.data_sets, roster_facts(left, TODAY, CHICAGO), LIMITS) == ()


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"a school"}))
def test_without_the_odd_row_the_same_roster_ends_something(case: str) -> None:
    """What is gone is gone: the cases above are about rows that are there and cannot be read."""
    _, without = CASES[case]
    assert plan(without, applied=BEFORE.data_sets).data_sets != BEFORE.data_sets


@pytest.mark.parametrize("case", CASES)
def test_the_rest_goes_on(case: str) -> None:
    """A new student comes into a class that has nothing to do with the odd row."""
    row, without = CASES[case]
    grown = replace(
        without,
        students=(*without.students, student(503)),
        enrollments=(*without.enrollments, enrolled(4002, 503)),
        odd_rows=(row,),
    )
    after = plan(grown, applied=BEFORE.data_sets)
    assert column(after, Entity.ENROLLMENTS, "status").get("4002/1503/student") == "active"
    assert column(after, Entity.USERS, "login_id")["1503"] == "1503"


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"a school", "a course"}))
def test_nothing_is_made_up_of_a_record_that_was_never_applied(case: str) -> None:
    """It is named and waits."""
    row, without = CASES[case]
    first = plan(replace(without, odd_rows=(row,)))
    assert first.data_sets == plan(without).data_sets
    assert (RosterProblemCode.ROW_UNREADABLE, row.source) in problems(first)


def test_a_suspended_student_stays_suspended() -> None:
    """The record's status cannot be read either."""
    left = plan(roster(students=(student(501, is_active=False), student(502))), applied=BEFORE.data_sets)
    row, without = CASES["a student"]
    after = plan(replace(without, odd_rows=(row,)), applied=left.data_sets)
    assert after.data_sets == left.data_sets
    assert column(after, Entity.USERS, "status")["1501"] == "suspended"


def test_nobody_gets_the_id_or_login_of_an_odd_record() -> None:
    """A newcomer with the same number is reported instead."""
    row, without = CASES["a student"]
    after = plan(
        replace(without, students=(*without.students, student(601, number="1501")), odd_rows=(row,)),
        applied=BEFORE.data_sets,
    )
    assert [r.source for r in rows(after, Entity.USERS) if r.values[0] == "1501"] == ["STUDENTS.DCID 501"]
    assert (RosterProblemCode.PERSON_ID_TAKEN, "STUDENTS.DCID 601") in problems(after)


def test_an_enrollment_of_nobody_in_particular_is_held() -> None:
    """Whose state is to be kept is not known."""
    left = roster(enrollments=(enrolled(4002, 502),), odd_rows=(odd("CC.DCID", 1, "student_dcid", section_dcid=4001),))
    after = plan(left, applied=BEFORE.data_sets)
    holds = safety_findings(BEFORE.data_sets, after.data_sets, roster_facts(left, TODAY, CHICAGO), LIMITS)
    assert [hold.code for hold in holds] == ["odd_rows"]
    assert holds[0].sentence.endswith("(1 rows, 1 without their section or student).")


def test_problems_tell_no_content() -> None:
    """Columns and ids alone."""
    row, without = CASES["a student"]
    told: ImportPlan = plan(replace(without, odd_rows=(row,)), applied=BEFORE.data_sets)
    (problem,) = (p for p in told.problems if p.code is RosterProblemCode.ROW_UNREADABLE)
    assert problem.source == "STUDENTS.DCID 501"
    assert "last_name" in problem.sentence
    assert ROSTER.students[0].last_name not in problem.sentence
