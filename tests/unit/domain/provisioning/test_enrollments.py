"""Who is in a section, on which day, and what becomes of those who left."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.domain.provisioning.policy import DroppedStatus, PreRegistered, ProvisioningPolicy, ReplacedStatus
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import ClassEnrollment, TeachingAssignment
from shared.domain.provisioning.rows.sis_rows import Entity
from tests.unit.domain.provisioning.rosters import (
    FALL,
    FIRST_DAY,
    LAST_DAY,
    POLICY,
    SPRING,
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

DAY = timedelta(days=1)
OF_501 = "4001/1501/student"


def status_of(*enrollments: ClassEnrollment, today: date = TODAY, **kinds: object) -> str | None:
    """Return the status of student 501 in section 4001; None where there is no enrollment."""
    planned = plan(roster(enrollments=enrollments, **kinds), today=today)
    return column(planned, Entity.ENROLLMENTS, "status").get(OF_501)


@pytest.mark.parametrize(
    ("entry", "exit_date", "expected"),
    [
        (TODAY, None, "active"),
        (TODAY + DAY, None, None),
        (FIRST_DAY, TODAY + DAY, "active"),
        (FIRST_DAY, TODAY, "completed"),
        (FIRST_DAY, TODAY - DAY, "completed"),
        (TODAY, TODAY, None),
        (TODAY, TODAY - DAY, None),
        (FIRST_DAY, LAST_DAY + DAY, "active"),
    ],
)
def test_a_stay_begins_on_its_entry_and_ends_before_its_exit(
    entry: date, exit_date: date | None, expected: str | None
) -> None:
    """Entry is the first day in, exit the first day out; a stay without a day is none."""
    assert status_of(enrolled(4001, 501, entry_date=entry, exit_date=exit_date)) == expected


def test_classes_are_filled_before_they_begin() -> None:
    """In the summer the term's first day counts, so that teachers find their students."""
    assert status_of(enrolled(4001, 501), today=FIRST_DAY - timedelta(days=30)) == "active"


def test_who_comes_later_in_the_term_waits_for_that_day() -> None:
    """Before the term, somebody who will come in its second week is not there yet."""
    assert status_of(enrolled(4001, 501, entry_date=FIRST_DAY + DAY), today=FIRST_DAY - DAY) is None


@pytest.mark.parametrize("exit_date", [LAST_DAY, LAST_DAY + DAY])
def test_who_stayed_to_the_end_stays_in_an_ended_term(exit_date: date) -> None:
    """The exit that PowerSchool writes at the end of a term drops nobody."""
    assert status_of(enrolled(4001, 501, exit_date=exit_date), today=LAST_DAY + 9 * DAY) == "active"


def test_who_left_the_day_before_the_end_left() -> None:
    """The last day is the boundary."""
    assert status_of(enrolled(4001, 501, exit_date=LAST_DAY - DAY), today=LAST_DAY + DAY) == "completed"


@pytest.mark.parametrize(("today", "expected"), [(LAST_DAY, "completed"), (LAST_DAY + DAY, "active")])
def test_leaving_school_ends_classes_under_way_and_no_others(today: date, expected: str) -> None:
    """Graduates keep the classes that they finished."""
    gone = (student(501, is_active=False), student(502))
    assert status_of(enrolled(4001, 501), today=today, students=gone) == expected


def test_a_dropped_row_is_over_although_it_has_no_exit() -> None:
    """A negative section id says that the student left."""
    assert status_of(enrolled(4001, 501, is_dropped=True)) == "completed"


def test_the_dropped_status_is_the_districts_choice() -> None:
    """`inactive` hides the course."""
    policy = replace(POLICY, dropped_status=DroppedStatus.INACTIVE)
    planned = plan(roster(enrollments=(enrolled(4001, 501, exit_date=TODAY),)), policy)

    assert column(planned, Entity.ENROLLMENTS, "status")[OF_501] == "inactive"


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_stays_the_one_that_lasts_counts(order: int) -> None:
    """Somebody who left and came back is one row, and active, in whichever order the rows are read."""
    periods = [enrolled(4001, 501, exit_date=TODAY - 9 * DAY), enrolled(4001, 501, entry_date=TODAY)]

    assert status_of(*periods[::order]) == "active"


def test_a_stay_that_was_counts_over_one_that_is_to_come() -> None:
    """Somebody who left and will come back is out until that day."""
    periods = (enrolled(4001, 501, exit_date=TODAY), enrolled(4001, 501, entry_date=TODAY + DAY))

    assert status_of(*periods) == "completed"


def test_who_moved_to_another_section_of_the_course_loses_no_work() -> None:
    """Canvas deletes the old enrollment, or concludes it if it is the last one in that Canvas course."""
    moved = status_of(enrolled(4001, 501, exit_date=TODAY), enrolled(4002, 501, entry_date=TODAY))

    assert moved == "deleted_last_completed"


def test_who_will_move_tomorrow_has_not_moved() -> None:
    """Until the new section has the student, the old one is dropped as any other."""
    left = status_of(enrolled(4001, 501, exit_date=TODAY), enrolled(4002, 501, entry_date=TODAY + DAY))

    assert left == "completed"


def test_who_changed_to_another_course_was_dropped() -> None:
    """Another course number is no move."""
    other = (section(4001), section(4002, course_number="GEO"))
    left = status_of(enrolled(4001, 501, exit_date=TODAY), enrolled(4002, 501, entry_date=TODAY), sections=other)

    assert left == "completed"


def test_next_terms_section_of_the_course_is_no_move() -> None:
    """The terms have no day in common."""
    sections = (section(4001), section(4002, term_id=3602))
    periods = (enrolled(4001, 501, exit_date=TODAY), enrolled(4002, 501, entry_date=SPRING.first_day))

    assert status_of(*periods, sections=sections, terms=(FALL, SPRING)) == "completed"


def test_co_teachers_are_teachers() -> None:
    """Everybody who teaches the section can grade in it; nobody twice."""
    planned = plan(roster(sections=(section(4001, 900, 901, 901),), enrollments=()))

    assert column(planned, Entity.ENROLLMENTS, "role") == {
        "4001/T900/teacher": "teacher",
        "4001/T901/teacher": "teacher",
    }


def test_a_teacher_who_left_is_enrolled_no_more() -> None:
    """Whatever PowerSchool's section still says."""
    planned = plan(roster(staff=(teacher(900, is_active=False),), enrollments=()))

    assert rows(planned, Entity.ENROLLMENTS) == []


def test_rows_name_the_section_and_not_the_course() -> None:
    """Canvas tells rows apart by both, and a section may change courses."""
    assert set(column(plan(), Entity.ENROLLMENTS, "course_id").values()) == {""}


def test_an_enrollment_of_an_unknown_student_is_reported() -> None:
    """Rows that join to nothing do not go over silently."""
    planned = plan(roster(enrollments=(enrolled(4001, 599),)))

    assert problems(planned) == [(RosterProblemCode.STUDENT_UNKNOWN, "SECTIONS.DCID 4001, STUDENTS.DCID 599")]


def test_a_past_enrollment_of_an_unknown_student_is_history() -> None:
    """Whoever left and is not read any more is no problem."""
    assert problems(plan(roster(enrollments=(enrolled(4001, 599, exit_date=TODAY),)))) == []


def test_an_enrolled_student_who_cannot_be_a_user_is_reported_with_the_section() -> None:
    """The student's own problem stands beside it."""
    planned = plan(roster(students=(student(501, first_name="", last_name=" "), student(502))))

    assert problems(planned) == [
        (RosterProblemCode.NAME_MISSING, "STUDENTS.DCID 501"),
        (RosterProblemCode.STUDENT_NOT_PROVISIONED, "SECTIONS.DCID 4001, STUDENTS.DCID 501"),
    ]


AFTER_THE_END = LAST_DAY + 3 * DAY


@pytest.mark.parametrize("exit_date", [LAST_DAY, LAST_DAY + DAY, AFTER_THE_END])
def test_who_transferred_out_after_the_last_day_stayed_to_the_end(exit_date: date) -> None:
    """Leaving later negates the row, and leaves its date: the date decides."""
    gone = (student(501, is_active=False), student(502))
    row = enrolled(4001, 501, exit_date=exit_date, is_dropped=True)

    assert status_of(row, today=AFTER_THE_END, students=gone) == "active"


def test_a_negated_row_that_ends_after_today_is_not_over() -> None:
    """A class that is dropped from tomorrow on is attended today."""
    assert status_of(enrolled(4001, 501, exit_date=TODAY + DAY, is_dropped=True)) == "active"


IMPOSSIBLE = [
    enrolled(4001, 501, entry_date=None),
    enrolled(4001, 501, entry_date=date(1926, 8, 17)),
    enrolled(4001, 501, exit_date=date(1900, 1, 1)),
    enrolled(4001, 501, exit_date=date(1926, 12, 19)),
    enrolled(4001, 501, entry_date=TODAY, exit_date=TODAY - DAY),
    enrolled(4001, 501, entry_date=date(2126, 8, 17), is_dropped=True),
]


@pytest.mark.parametrize("row", IMPOSSIBLE)
@pytest.mark.parametrize("before", [enrolled(4001, 501), enrolled(4001, 501, exit_date=TODAY - DAY)])
def test_impossible_dates_leave_an_enrollment_as_it_was(row: ClassEnrollment, before: ClassEnrollment) -> None:
    """Active or over: whatever was applied last stays, and the record is reported."""
    earlier = plan(roster(enrollments=(before,)))
    after = plan(roster(enrollments=(row,)), applied=earlier.data_sets)

    assert after.data_sets == earlier.data_sets
    assert problems(after) == [(RosterProblemCode.ENROLLMENT_DATES_IMPOSSIBLE, "SECTIONS.DCID 4001, STUDENTS.DCID 501")]


@pytest.mark.parametrize("row", IMPOSSIBLE)
def test_impossible_dates_enroll_nobody_and_are_reported(row: ClassEnrollment) -> None:
    """Where there is nothing to keep, the student waits for the registrar."""
    after = plan(roster(enrollments=(row,)))

    assert OF_501 not in column(after, Entity.ENROLLMENTS, "status")
    assert problems(after) == [(RosterProblemCode.ENROLLMENT_DATES_IMPOSSIBLE, "SECTIONS.DCID 4001, STUDENTS.DCID 501")]


def test_another_row_of_the_student_decides() -> None:
    """A row that can be read says that the student is there."""
    after = plan(roster(enrollments=(enrolled(4001, 501, entry_date=None), enrolled(4001, 501))))

    assert (column(after, Entity.ENROLLMENTS, "status")[OF_501], problems(after)) == ("active", [])


def test_a_no_show_is_none_of_them() -> None:
    """Entry and exit on one day: never there, not reported, and an earlier enrollment ends."""
    earlier = plan(roster(enrollments=(enrolled(4001, 501),)))
    after = plan(roster(enrollments=(enrolled(4001, 501, exit_date=FIRST_DAY),)), applied=earlier.data_sets)

    assert (column(after, Entity.ENROLLMENTS, "status")[OF_501], problems(after)) == ("completed", [])


COMING = (student(501, is_active=False, is_pre_registered=True), student(502))


def test_pre_registered_students_are_like_their_classmates() -> None:
    """In class from the first day, with a login."""
    after = plan(roster(students=COMING))

    assert column(after, Entity.ENROLLMENTS, "status")[OF_501] == "active"
    assert column(after, Entity.USERS, "status")["1501"] == "active"


def test_pre_registered_students_may_wait() -> None:
    """No user, no enrollment and no report; once they are enrolled, both."""
    policy = replace(POLICY, pre_registered=PreRegistered.WAIT)
    waiting = plan(roster(students=COMING), policy)

    assert OF_501 not in column(waiting, Entity.ENROLLMENTS, "status")
    assert "1501" not in column(waiting, Entity.USERS, "status")
    assert problems(waiting) == []
    assert column(plan(policy=policy, applied=waiting.data_sets), Entity.ENROLLMENTS, "status")[OF_501] == "active"


AIDE = replace(POLICY, teacher_roles={27: "ta", 28: "Grader"})


def roles(*teachers: TeachingAssignment, today: date = TODAY, policy: ProvisioningPolicy = AIDE) -> dict[str, str]:
    """Return the roles of those who teach section 4001 with the lead teacher."""
    taught = section(4001, teachers=(TeachingAssignment(900, is_lead=True), *teachers))
    planned = plan(roster(sections=(taught,), enrollments=()), policy, today)
    return {row.values[2]: row.values[3] for row in rows(planned, Entity.ENROLLMENTS)}


@pytest.mark.parametrize(
    ("first", "last", "teaches"),
    [
        (None, None, True),
        (TODAY, None, True),
        (TODAY + DAY, None, False),
        (FIRST_DAY, TODAY, True),
        (FIRST_DAY, TODAY - DAY, False),
    ],
)
def test_co_teachers_teach_from_their_first_to_their_last_day(
    first: date | None, last: date | None, teaches: bool
) -> None:
    """Both days belong to it; those to come are in PowerSchool's table already."""
    assert ("T901" in roles(TeachingAssignment(901, is_lead=False, first_day=first, last_day=last))) is teaches


def test_before_and_after_the_term_its_days_count() -> None:
    """Who will begin with the term is in its classes in the summer; who taught to its end stays."""
    from_the_first, to_the_last = (
        TeachingAssignment(901, is_lead=False, first_day=FIRST_DAY),
        TeachingAssignment(901, is_lead=False, last_day=LAST_DAY),
    )
    assert "T901" in roles(from_the_first, today=FIRST_DAY - 30 * DAY)
    assert "T901" in roles(to_the_last, today=LAST_DAY + 30 * DAY)


@pytest.mark.parametrize(("role_id", "role"), [(None, "teacher"), (26, "teacher"), (27, "ta"), (28, "Grader")])
def test_a_role_of_powerschool_is_one_of_canvas(role_id: int | None, role: str) -> None:
    """By the district's map; whoever is not in it is a teacher."""
    assert roles(TeachingAssignment(901, is_lead=False, role_id=role_id)) == {"T900": "teacher", "T901": role}


def test_the_spell_of_today_counts() -> None:
    """Somebody who taught before and teaches again in another role has the role of now."""
    spells = (
        TeachingAssignment(901, is_lead=False, role_id=26, last_day=TODAY - DAY),
        TeachingAssignment(901, is_lead=False, role_id=27, first_day=TODAY),
    )
    assert roles(*spells) == {"T900": "teacher", "T901": "ta"}


@pytest.mark.parametrize("status", ReplacedStatus)
def test_what_becomes_of_a_replaced_lead_teacher_is_a_choice_of_its_own(status: ReplacedStatus) -> None:
    """Not the students': by default the old teacher sees nothing any more."""
    policy = replace(POLICY, replaced_teacher_status=status)
    before = plan(policy=policy)
    after = plan(roster(sections=(section(4001, 901), section(4002))), policy, applied=before.data_sets)
    shown = column(after, Entity.ENROLLMENTS, "status")

    assert (shown["4001/T900/teacher"], shown["4001/T901/teacher"]) == (status.value, "active")
    assert POLICY.replaced_teacher_status is ReplacedStatus.INACTIVE


def test_a_co_teacher_who_ended_is_replaced_as_well() -> None:
    """And one who changes the role has the old one no more."""
    taught = section(4001, teachers=(TeachingAssignment(900, is_lead=True), TeachingAssignment(901, is_lead=False)))
    before = plan(roster(sections=(taught, section(4002))))
    aide = section(
        4001, teachers=(TeachingAssignment(900, is_lead=True), TeachingAssignment(901, is_lead=False, role_id=27))
    )
    after = column(
        plan(roster(sections=(aide, section(4002))), AIDE, applied=before.data_sets), Entity.ENROLLMENTS, "status"
    )

    assert (after["4001/T901/teacher"], after["4001/T901/ta"]) == ("inactive", "active")
