"""A person who gets another number is the same person, in PowerSchool and in Canvas."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.imports.corrections import CanvasUsers, change_imports, new_ids, with_new_ids
from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity
from tests.unit.domain.provisioning.rosters import (
    POLICY,
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

BY_EMAIL = replace(POLICY, student_login_id=SisIdTemplate("{email}"))
BEFORE = plan().data_sets


def changes(*corrections: DataSet) -> list[list[tuple[str, str]]]:
    """Return old and new SIS ids, import by import."""
    return [[row.values[:2] for row in each.rows] for each in corrections]


def applied_by(data_sets: tuple[DataSet, ...], *corrections: DataSet) -> tuple[DataSet, ...]:
    """Return what Canvas holds once it took these corrections."""
    for each in corrections:
        data_sets = tuple(with_new_ids(data_set, new_ids(each)) for data_set in data_sets)
    return data_sets


def test_a_student_with_another_number_is_the_same_student() -> None:
    """The SIS id changes first; nobody is added, and no class ends."""
    after = plan(roster(students=(student(501, number="2501"), student(502))), applied=BEFORE)

    assert changes(*after.corrections) == [[("1501", "2501")]]
    assert column(after, Entity.USERS, "status") == {
        "1502": "active",
        "2501": "active",
        "T900": "active",
        "T901": "active",
    }
    assert set(column(after, Entity.ENROLLMENTS, "status").values()) == {"active"}
    again = plan(
        roster(students=(student(501, number="2501"), student(502))), applied=applied_by(BEFORE, *after.corrections)
    )
    assert (again.corrections, again.data_sets) == ((), after.data_sets)


def test_staff_with_another_number_are_the_same_person() -> None:
    """Their classes go on, and the course stays."""
    after = plan(roster(staff=(teacher(900, teacher_number="77"), teacher(901))), applied=BEFORE)

    assert changes(*after.corrections) == [[("T900", "T77")]]
    assert column(after, Entity.ENROLLMENTS, "status")["4001/T77/teacher"] == "active"
    assert not [row for row in rows(after, Entity.ENROLLMENTS) if "T900" in row.values]


def test_a_number_that_somebody_gave_up_goes_to_a_new_student() -> None:
    """The old account keeps its person; the newcomer gets one of their own."""
    people = (student(501, number="2501"), student(502), student(503, number="1501"))
    after = plan(roster(students=people), applied=BEFORE)

    assert changes(*after.corrections) == [[("1501", "2501")]]
    assert {row.source: row.values[0] for row in rows(after, Entity.USERS)}["STUDENTS.DCID 503"] == "1501"
    assert problems(after) == []


def test_two_who_exchange_numbers_do_so_in_two_imports() -> None:
    """Canvas refuses an id that somebody has: both get one of their own in between."""
    people = (student(501, number="1502"), student(502, number="1501"))
    after = plan(roster(students=people), applied=BEFORE)

    assert changes(*after.corrections) == [
        [("1501", "renumbering-1501"), ("1502", "renumbering-1502")],
        [("renumbering-1501", "1502"), ("renumbering-1502", "1501")],
    ]
    canvas = applied_by(BEFORE, *after.corrections)
    # Their logins are made of the numbers, and are exchanged next.
    assert [each.key.entity for each in plan(roster(students=people), applied=canvas).corrections] == [Entity.USERS]


def test_a_chain_of_numbers_takes_two_imports() -> None:
    """Whoever gets the id of another who changes waits for the second."""
    before = plan(roster(students=(student(501), student(502), student(503)))).data_sets
    people = (student(501, number="1502"), student(502, number="1503"), student(503, number="9"))
    after = plan(roster(students=people), applied=before)

    assert changes(*after.corrections) == [
        [("1501", "renumbering-1501"), ("1502", "renumbering-1502"), ("1503", "9")],
        [("renumbering-1501", "1502"), ("renumbering-1502", "1503")],
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_an_import_of_ids_may_be_repeated(number: int) -> None:
    """What one import did, the same one again finds done: no id in it was given to anybody else."""
    people = (student(501, number="1502"), student(502, number="1501"))
    corrections = plan(roster(students=people), applied=BEFORE).corrections
    once = applied_by(BEFORE, *corrections[: number + 1])

    assert applied_by(once, corrections[number]) == once


def test_a_refused_id_stays_in_every_file() -> None:
    """And is reported; the rest of the record goes on."""
    renumbered = roster(students=(student(501, number="2501", first_name="New"), student(502)))
    after = plan(renumbered, applied=BEFORE, canvas=CanvasUsers(refused_ids={"STUDENTS.DCID 501": "2501"}))

    assert after.corrections == ()
    assert column(after, Entity.USERS, "first_name")["1501"] == "New"
    assert column(after, Entity.ENROLLMENTS, "status")["4001/1501/student"] == "active"
    assert problems(after) == [(RosterProblemCode.PERSON_ID_REFUSED, "STUDENTS.DCID 501")]
    assert after.deviating_ids == {"STUDENTS.DCID 501": "1501"}


def test_a_newer_number_is_tried_again() -> None:
    """What was refused was another one."""
    renumbered = roster(students=(student(501, number="3501"), student(502)))
    after = plan(renumbered, applied=BEFORE, canvas=CanvasUsers(refused_ids={"STUDENTS.DCID 501": "2501"}))

    assert changes(*after.corrections) == [[("1501", "3501")]]


def test_who_stopped_half_way_goes_back() -> None:
    """The second import was refused: the person gets the old id again, not one that says nothing."""
    people = (student(501, number="1502"), student(502, number="1501"))
    corrections = plan(roster(students=people), applied=BEFORE).corrections
    half_way = applied_by(BEFORE, corrections[0])
    refused = CanvasUsers(refused_ids={"STUDENTS.DCID 501": "1502", "STUDENTS.DCID 502": "1501"})

    assert changes(*plan(roster(students=people), applied=half_way, canvas=refused).corrections) == [
        [("renumbering-1501", "1501"), ("renumbering-1502", "1502")]
    ]


def test_a_number_that_another_keeps_is_given_to_nobody() -> None:
    """One who cannot have a new id keeps the old one before a newcomer gets it: no account changes hands."""
    people = (student(501, number="2501"), student(502), student(500, number="1501"))
    after = plan(roster(students=people), applied=BEFORE, canvas=CanvasUsers(refused_ids={"STUDENTS.DCID 501": "2501"}))

    assert {row.source for row in rows(after, Entity.USERS)} >= {"STUDENTS.DCID 501"}
    assert "STUDENTS.DCID 500" not in {row.source for row in rows(after, Entity.USERS)}
    [taken] = [p for p in after.problems if p.code is RosterProblemCode.PERSON_ID_TAKEN]
    assert (taken.source, taken.detail) == ("STUDENTS.DCID 500", "by STUDENTS.DCID 501")


def test_two_with_one_new_number_both_keep_their_accounts() -> None:
    """One of them is given it, the other keeps the old one, also where a third would like to have that."""
    people = (student(501, number="7"), student(502, number="7"), student(503, number="1502"))
    after = plan(roster(students=people), applied=BEFORE)

    assert changes(*after.corrections) == [[("1501", "7")]]
    assert {r.source: r.values[0] for r in rows(after, Entity.USERS) if r.values[5] == "student"} == {
        "STUDENTS.DCID 501": "7",
        "STUDENTS.DCID 502": "1502",
    }


def test_who_moved_and_was_renumbered_at_once_moved() -> None:
    """The old section says so of the new id."""
    moved = roster(students=(student(501, number="2501"), student(502)), enrollments=(enrolled(4002, 501),))
    after = plan(moved, applied=BEFORE)

    assert column(after, Entity.ENROLLMENTS, "status")["4001/2501/student"] == "completed"


def test_ids_of_terms_and_courses_are_left_alone() -> None:
    """Only users and what names them changes."""
    key = DataSetKey(Entity.SECTIONS, "100-3601")
    sections = next(each for each in plan(roster(sections=(section(1501),))).data_sets if each.key == key)

    assert with_new_ids(sections, {"1501": "2501"}) is sections
    assert change_imports(()) == ()
