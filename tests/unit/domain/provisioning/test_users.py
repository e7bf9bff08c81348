"""Who is a user in Canvas, and what keeps somebody out."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import StaffMember, Student
from shared.domain.provisioning.rows.sis_rows import Entity
from tests.unit.domain.provisioning.rosters import (
    POLICY,
    TODAY,
    column,
    enrolled,
    plan,
    problems,
    roster,
    rows,
    student,
    teacher,
)

BY_EMAIL = replace(POLICY, student_login_id=SisIdTemplate("{email}"))


def of_people(*people: Student | StaffMember) -> dict[str, object]:
    """Return these people as kinds of a roster without classes."""
    students = tuple(p for p in people if isinstance(p, Student))
    staff = tuple(p for p in people if isinstance(p, StaffMember))
    return {"students": students, "staff": staff, "sections": (), "enrollments": ()}


def test_students_and_staff_are_users() -> None:
    """Each with SIS id, login, name, e-mail address and type."""
    planned = plan(roster(**of_people(student(501), teacher(900))))

    assert [row.values for row in rows(planned, Entity.USERS)] == [
        ("1501", "1501", "Stu", "Dent501", "s501@district.example", "student", "active"),
        ("T900", "T900", "Tea", "Cher900", "t900@district.example", "teacher", "active"),
    ]


def test_names_and_addresses_are_tidied() -> None:
    """Spaces and line ends that somebody pasted into PowerSchool would break comparisons."""
    (row,) = rows(plan(roster(**of_people(student(501, first_name=" Stu\n A ", email=" ")))), Entity.USERS)

    assert (row.values[2], row.values[4]) == ("Stu A", "")


def test_a_row_counts_for_its_school() -> None:
    """Staff of several schools count for none in particular."""
    planned = plan(roster(**of_people(student(501), teacher(900), teacher(901, school_numbers=(100, 200)))))

    assert [row.school_number for row in rows(planned, Entity.USERS)] == [100, 100, 0]


def test_who_left_is_no_user() -> None:
    """Without an enrollment there is nothing to know them for."""
    assert (
        rows(plan(roster(**of_people(student(501, is_active=False), teacher(900, is_active=False)))), Entity.USERS)
        == []
    )


def test_who_left_a_class_under_way_is_suspended() -> None:
    """The enrollment needs its user, and the user no login."""
    gone = roster(students=(student(501, is_active=False), student(502)), enrollments=(enrolled(4001, 501),))

    assert column(plan(gone), Entity.USERS, "status")["1501"] == "suspended"


@pytest.mark.parametrize("number", ["", " "])
def test_a_student_without_a_number_is_left_out(number: str) -> None:
    """And the field is named."""
    planned = plan(roster(**of_people(student(501, number=number))), BY_EMAIL)

    assert [(p.code, p.source, p.detail) for p in planned.problems] == [
        (RosterProblemCode.PERSON_ID_INCOMPLETE, "STUDENTS.DCID 501", "student_number")
    ]


def test_staff_without_a_teacher_number_are_left_out() -> None:
    """SIS id and login are made of it: both are said."""
    planned = plan(roster(**of_people(teacher(900, teacher_number=""))))

    assert problems(planned) == [
        (RosterProblemCode.LOGIN_INCOMPLETE, "USERS.DCID 900"),
        (RosterProblemCode.PERSON_ID_INCOMPLETE, "USERS.DCID 900"),
    ]


@pytest.mark.parametrize(("policy", "left_out"), [(BY_EMAIL, True), (POLICY, False)])
def test_a_missing_address_matters_where_logins_are_made_of_it(policy: object, left_out: bool) -> None:
    """Elsewhere the user just has none."""
    planned = plan(roster(**of_people(student(501, email=None))), policy)  # type: ignore[arg-type]

    assert problems(planned) == ([(RosterProblemCode.LOGIN_INCOMPLETE, "STUDENTS.DCID 501")] if left_out else [])
    assert bool(rows(planned, Entity.USERS)) is not left_out


def test_a_lost_address_locks_nobody_out() -> None:
    """Who is in Canvas keeps the row of the last run, and the enrollments, until the record is mended."""
    before = plan(policy=BY_EMAIL)
    lost = roster(students=(student(501, email=None), student(502)))
    after = plan(lost, BY_EMAIL, applied=before.data_sets)

    assert after.data_sets == before.data_sets
    assert problems(after) == [(RosterProblemCode.LOGIN_INCOMPLETE, "STUDENTS.DCID 501")]


def test_of_two_with_one_number_the_first_is_taken() -> None:
    """The other is reported, with SIS id and login."""
    planned = plan(roster(**of_people(student(501), student(502, number="1501"))))

    assert problems(planned) == [
        (RosterProblemCode.LOGIN_TAKEN, "STUDENTS.DCID 502"),
        (RosterProblemCode.PERSON_ID_TAKEN, "STUDENTS.DCID 502"),
    ]


def test_a_number_stays_with_the_one_who_has_it_in_canvas() -> None:
    """A second record with the same number takes over nobody's account."""
    before = plan(roster(**of_people(student(502, number="1501"))))
    after = plan(roster(**of_people(student(501), student(502, number="1501"))), applied=before.data_sets)

    assert [row.source for row in rows(after, Entity.USERS)] == ["STUDENTS.DCID 502"]


def test_a_number_goes_to_who_is_in_school() -> None:
    """An old record with the same number is no problem."""
    planned = plan(roster(**of_people(student(501, is_active=False), student(502, number="1501"))))

    assert [row.source for row in rows(planned, Entity.USERS)] == ["STUDENTS.DCID 502"]
    assert problems(planned) == []


def test_logins_are_compared_as_canvas_does() -> None:
    """Without regard to case."""
    both = (student(501, email="a@district.example"), student(502, email="A@district.example"))

    assert problems(plan(roster(**of_people(*both)), BY_EMAIL)) == [
        (RosterProblemCode.LOGIN_TAKEN, "STUDENTS.DCID 502")
    ]


@pytest.mark.parametrize(("first", "last", "missing"), [("", "", True), ("Cher", "", False), ("", "Nobody", False)])
def test_one_name_is_enough(first: str, last: str, missing: bool) -> None:
    """Canvas blanks out the name of a user without any."""
    planned = plan(roster(**of_people(student(501, first_name=first, last_name=last))))

    assert problems(planned) == ([(RosterProblemCode.NAME_MISSING, "STUDENTS.DCID 501")] if missing else [])


@pytest.mark.parametrize(("length", "reported"), [(127, False), (128, True)])
def test_names_are_shortened_to_what_canvas_stores(length: int, reported: bool) -> None:
    """127 characters and a space and 127 characters are 255."""
    planned = plan(roster(**of_people(student(501, first_name="x" * length))))

    assert problems(planned) == ([(RosterProblemCode.NAME_TOO_LONG, "STUDENTS.DCID 501")] if reported else [])
    assert len(rows(planned, Entity.USERS)[0].values[2]) == 127


def test_problems_name_nobody() -> None:
    """They are kept and counted: no name or address is in them."""
    secret = student(501, number="", first_name="Canary", last_name="Canary", email="canary@district.example")
    planned = plan(roster(students=(secret,)), BY_EMAIL, TODAY)

    assert planned.problems
    assert "anary" not in "".join(f"{p}{p.sentence}" for p in planned.problems)
