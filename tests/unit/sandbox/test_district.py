"""The districts: both systems agree where they should, and every reason has its assignment."""

import html
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.sandbox.canvas.seed import Assignment, CourseSeed
from shared.sandbox.district.small import Ids, small_district
from tests.benchmarks.rig.district import generated_district

TODAY = date(2026, 10, 5)
DISTRICT = small_district(TODAY)
CANVAS = {course.id: course for course in DISTRICT.canvas.courses}
WORK = {assignment.id: assignment for assignment in CANVAS[Ids.COURSE].assignments}
ROSTERS = {
    section.dcid: {
        student.number
        for row in DISTRICT.powerschool.enrollments
        for student in DISTRICT.powerschool.students
        if row.section_dcid == section.dcid and row.student_dcid == student.dcid and not row.dropped
    }
    for section in DISTRICT.powerschool.sections
}


def graded(course: CourseSeed, assignment_id: int) -> int:
    return sum(s.assignment_id == assignment_id and s.workflow_state == "graded" for s in course.submissions)


@pytest.mark.parametrize("course", [Ids.HEALTHY_COURSE, Ids.CLOSED_COURSE, Ids.OUTAGE_COURSE])
def test_healthy_rosters_agree(course: int) -> None:
    """Every Canvas student of a connected course is in the PowerSchool section of the same SIS id."""
    (section,) = CANVAS[course].sections
    assert {student.sis_user_id for student in CANVAS[course].students} == ROSTERS[int(section.sis_section_id or 0)]


def test_sections_of_the_main_course_have_30_and_28_students() -> None:
    """Course 101 has 30 and 28 students whom both systems know."""
    assert (len(ROSTERS[Ids.SECTION_A_DCID]), len(ROSTERS[Ids.SECTION_B_DCID])) == (30, 28)


def test_every_odd_student_is_odd_in_one_way() -> None:
    """A Test Student, one without SIS id, one unknown to PowerSchool, and one who left."""
    students = {student.user_id: student for student in CANVAS[Ids.COURSE].students}
    numbers = {student.number for student in DISTRICT.powerschool.students}
    assert students[Ids.TEST_STUDENT].type == "StudentViewEnrollment"
    assert students[Ids.USER_WITHOUT_SIS_ID].sis_user_id is None
    assert str(Ids.STUDENT_UNKNOWN) not in numbers
    assert str(Ids.STUDENT_WHO_LEFT) in numbers - ROSTERS[Ids.SECTION_A_DCID]


def test_names_are_as_long_as_they_claim() -> None:
    """One name is 31 characters, another exactly 30 once it is unescaped."""
    assert len(WORK[Ids.NAME_TOO_LONG].name) == 31
    assert len(html.unescape(WORK[Ids.NAME_OF_30].name)) == 30 < len(WORK[Ids.NAME_OF_30].name)


def wrong_with(assignment: Assignment) -> set[str]:
    """Return what keeps an assignment back, as far as its own fields show it."""
    last = datetime.combine(TODAY + timedelta(days=61), datetime.min.time(), ZoneInfo("America/Los_Angeles"))
    tests = {
        "sis": not assignment.post_to_sis,
        "unpublished": not assignment.published,
        "not graded": assignment.grading_type == "not_graded",
        "attendance": assignment.name == "Roll Call Attendance",
        "name": len(html.unescape(assignment.name)) > 30,
        "no date": assignment.due_at is None,
        "late date": assignment.due_at is not None and assignment.due_at >= last,
        "students": assignment.only_visible_to_overrides,
        "module": assignment.module_only,
        "points": assignment.points_possible is None,
        "anonymous": assignment.anonymous_grading,
        "moderated": assignment.moderated_grading,
        "category": assignment.assignment_group_id == Ids.GROUP_PROJECTS,
        "name taken": assignment.name in {a.name for a in DISTRICT.powerschool.assignments},
        "not graded yet": graded(CANVAS[Ids.COURSE], assignment.id) == 0 and assignment.published,
    }
    return {name for name, wrong in tests.items() if wrong}


@pytest.mark.parametrize("assignment_id", [key for key in WORK if key >= Ids.SIS_SYNC_OFF])
def test_each_reason_has_an_assignment_with_only_that_wrong(assignment_id: int) -> None:
    """Every assignment made for a reason has one thing wrong."""
    assert len(wrong_with(WORK[assignment_id])) == 1


def test_all_reasons_are_there() -> None:
    """The assignments made for reasons are wrong in fifteen different ways."""
    assert len({frozenset(wrong_with(a)) for key, a in WORK.items() if key >= Ids.SIS_SYNC_OFF}) == 15


@pytest.mark.parametrize("assignment_id", [key for key in WORK if key < Ids.SIS_SYNC_OFF])
def test_ordinary_work_is_in_order(assignment_id: int) -> None:
    """Ordinary assignments have nothing wrong, but some are not graded yet."""
    assert wrong_with(WORK[assignment_id]) <= {"not graded yet"}


def test_essay_draft_waits_for_its_30_papers() -> None:
    """Nobody is graded in the demo's assignment."""
    assert graded(CANVAS[Ids.COURSE], Ids.ESSAY_DRAFT) == 0


def test_unwell_courses_are_unwell() -> None:
    """One course has a closed term, one no SIS id, one an unknown section and one without SIS id."""
    (closed,) = [s for s in DISTRICT.powerschool.sections if s.dcid == Ids.CLOSED_DCID]
    (term,) = [t for t in DISTRICT.powerschool.terms if t.id == closed.term_id]
    assert term.last_day == TODAY - timedelta(days=40)
    assert CANVAS[Ids.COURSE_WITHOUT_SIS_ID].sis_course_id is None
    unknown, without = CANVAS[Ids.COURSE_WITH_UNKNOWN_SECTIONS].sections
    assert int(unknown.sis_section_id or 0) not in ROSTERS
    assert without.sis_section_id is None


def test_generated_districts_repeat_and_scale() -> None:
    """The same seed makes the same district, as large as asked."""
    first, again = (generated_district(3, 5, 4, seed=1, today=TODAY) for _ in range(2))
    assert first == again
    assert [(len(c.students), len(c.assignments)) for c in first.canvas.courses] == [(5, 4)] * 3
    assert len(first.powerschool.enrollments) == 15
