"""What a teacher is told: only what they can mend, of courses that go on, by ids unless the district says otherwise."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from shared.domain.notifications.teachers import MAX_LISTED, NOT_FOR_TEACHERS, needs_of, teacher_message
from shared.domain.passback.course_state import (
    INTENTIONAL,
    AssignmentRecord,
    CourseRecord,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
)
from shared.domain.passback.powerschool import Term
from shared.domain.passback.rules.reasons import Actor, Finding, Reason

TODAY = date(2031, 3, 4)
CANVAS = "https://district.instructure.example"
LAST_TERM = Term(date(2030, 8, 1), date(2031, 3, 3), 40)
THIS_TERM = replace(LAST_TERM, last_day=TODAY)
FOR_TEACHERS = [reason for reason in Reason if reason.who is Actor.TEACHER and reason not in NOT_FOR_TEACHERS]


def assignment(*reasons: Reason, students: tuple[StudentRecord, ...] = (), number: int = 5) -> AssignmentRecord:
    findings = tuple(Finding(reason, "a detail of Ada Zimt") for reason in reasons)
    return AssignmentRecord(str(number), "Essay\n draft", (SectionRecord("401", State.BLOCKED, findings, students),))


def course(*assignments: AssignmentRecord, terms: tuple[Term | None, ...] = (THIS_TERM,)) -> CourseRecord:
    rosters = tuple(SectionRoster(str(number), number, (), 100, term) for number, term in enumerate(terms))
    return CourseRecord("101", datetime(2031, 3, 4, tzinfo=UTC), assignments, None, rosters, "Biology")


@pytest.mark.parametrize("reason", Reason)
def test_a_teacher_is_told_what_a_teacher_can_mend(reason: Reason) -> None:
    """Not what an administrator has to mend, what is on purpose, or what is over."""
    needs = needs_of(course(assignment(reason)), TODAY)
    assert (needs is not None) == (reason in FOR_TEACHERS)


@pytest.mark.parametrize("reason", sorted(INTENTIONAL))
def test_work_that_is_not_meant_to_be_sent_needs_nothing(reason: Reason) -> None:
    """Whatever else is wrong with it."""
    assert needs_of(course(assignment(reason, Reason.NAME_TOO_LONG)), TODAY) is None


def test_all_reasons_of_an_assignment_are_told_once() -> None:
    """Of all its sections and students; how many students, never who."""
    students = tuple(
        StudentRecord(user, f"S{user}", Finding(reason))
        for user, reason in (("1", Reason.SCORE_CLEARED), ("2", Reason.SCORE_CLEARED), ("3", Reason.STUDENT_UNKNOWN))
    )
    needs = needs_of(course(assignment(Reason.DUE_DATE_MISSING, Reason.NAME_TOO_LONG, students=students)), TODAY)
    assert needs is not None
    (found,) = needs.assignments
    assert found.reasons == (Reason.NAME_TOO_LONG, Reason.DUE_DATE_MISSING, Reason.SCORE_CLEARED)
    assert found.students == 2


@pytest.mark.parametrize(
    ("terms", "is_notified"),
    [((LAST_TERM,), False), ((LAST_TERM, THIS_TERM), True), ((None,), True), ((), True), ((THIS_TERM,), True)],
)
def test_a_course_whose_terms_are_over_needs_nothing(terms: tuple[Term | None, ...], is_notified: bool) -> None:
    """The last day of a term belongs to it; where no term is known, it counts as going on."""
    assert (needs_of(course(assignment(Reason.POINTS_MISSING), terms=terms), TODAY) is not None) is is_notified


def test_a_course_that_was_never_synced_needs_nothing() -> None:
    """Nothing is known of it."""
    assert needs_of(None, TODAY) is None


def test_a_message_has_ids_and_links_into_canvas() -> None:
    """And what to do; no name, unless the district says so, and never a student's."""
    needs = needs_of(course(assignment(Reason.POINTS_MISSING)), TODAY)
    assert needs is not None
    message = teacher_message([needs], CANVAS, with_names=False)
    assert message.subject == "1 assignment not in PowerSchool as in Canvas"
    assert f"Course 101: {CANVAS}/courses/101\n" in message.body
    assert "- Assignment 5.\n  The assignment has no points possible. Enter the points possible" in message.body
    assert f"{CANVAS}/courses/101/assignments/5\n" in message.body
    assert [name for name in ("Biology", "Essay", "Ada") if name in message.body] == []
    named = teacher_message([needs], CANVAS, with_names=True)
    assert "Course 101 (Biology):" in named.body
    assert "- Assignment 5 (Essay draft)." in named.body
    assert "Ada" not in named.body


def test_a_long_list_is_cut() -> None:
    """The course's page has the rest."""
    works = [assignment(Reason.POINTS_MISSING, number=number) for number in range(MAX_LISTED + 3)]
    needs = needs_of(course(*works), TODAY)
    assert needs is not None
    message = teacher_message([needs, needs], CANVAS, with_names=False)
    assert message.subject.startswith(f"{2 * (MAX_LISTED + 3)} assignments")
    assert message.body.count("And 3 more in this course.") == 2
