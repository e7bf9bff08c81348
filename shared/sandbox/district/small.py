"""A small district in which every rule can be seen at work.

Nobody in it is real: students are called by their numbers.
"""

from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from shared.sandbox.canvas.seed import Assignment, CourseSeed, Group, Section, Student, Submission
from shared.sandbox.district.builder import District, DistrictBuilder, enrolled, student_dcid_of, user_id_of
from shared.sandbox.district.sample_assignments import homeroom_work
from shared.sandbox.ids import Ids

__all__ = ["District", "Ids", "small_district", "student_dcid_of", "user_id_of"]

LOS_ANGELES: Final = ZoneInfo("America/Los_Angeles")
HOMEWORK: Final = "Homework"


def small_district(today: date, zone: ZoneInfo = LOS_ANGELES) -> District:
    """Return the demo's district around `today`; what is in it is named in `Ids`."""
    builder = DistrictBuilder(today, zone)
    builder.add_teacher(
        Ids.TEACHER,
        {Ids.CATEGORY_HOMEWORK: HOMEWORK, Ids.CATEGORY_QUIZ: "Quiz", Ids.CATEGORY_TESTS: "Tests"},
        inactive={Ids.CATEGORY_INACTIVE: "Participation"},
    )
    builder.add_teacher(Ids.OTHER_TEACHER, {Ids.OTHER_CATEGORY_HOMEWORK: HOMEWORK}, inactive={})
    _add_main_course(builder)
    _add_healthy_courses(builder)
    _add_unwell_courses(builder)
    return builder.build()


def _add_main_course(builder: DistrictBuilder) -> None:
    """Add course 101: two sections, one cross-listed, ordinary work and one assignment per reason."""
    teachers = [Ids.TEACHER, Ids.OTHER_TEACHER]
    builder.add_section(Ids.SECTION_A_DCID, teachers, Ids.STUDENTS_A, course="SCI101")
    builder.add_section(Ids.SECTION_B_DCID, teachers, Ids.STUDENTS_B, course="SCI101")
    builder.add_student(Ids.SECTION_A_DCID, Ids.STUDENT_WHO_LEFT, left=-10)
    builder.add_assignment(Ids.SECTION_A_DCID, "Weekly journal", Ids.CATEGORY_HOMEWORK)
    assignments, submissions = homeroom_work(builder)
    builder.courses.append(
        CourseSeed(
            id=Ids.COURSE,
            name="Science, periods 1 and 3",
            sis_course_id=str(Ids.SECTION_A_DCID),
            sections=[
                Section(id=Ids.SECTION_A, name="Period 1", sis_section_id=str(Ids.SECTION_A_DCID)),
                Section(
                    id=Ids.SECTION_B,
                    name="Period 3",
                    sis_section_id=str(Ids.SECTION_B_DCID),
                    nonxlist_course_id=Ids.COURSE_OF_ORIGIN_OF_B,
                ),
            ],
            groups=[
                Group(id=Ids.GROUP_HOMEWORK, name=HOMEWORK, position=1),
                Group(id=Ids.GROUP_QUIZ, name="Quiz", position=2),
                Group(id=Ids.GROUP_TESTS, name="Tests", position=3),
                Group(id=Ids.GROUP_PROJECTS, name="Projects", position=4),
            ],
            students=[
                *enrolled(Ids.STUDENTS_A, Ids.SECTION_A),
                *enrolled(Ids.STUDENTS_B, Ids.SECTION_B),
                *enrolled([Ids.STUDENT_WHO_LEFT, Ids.STUDENT_UNKNOWN], Ids.SECTION_A),
                Student(user_id=Ids.USER_WITHOUT_SIS_ID, section_ids=[Ids.SECTION_A], from_sis=False),
                Student(
                    user_id=Ids.TEST_STUDENT,
                    section_ids=[Ids.SECTION_A],
                    type="StudentViewEnrollment",
                    from_sis=False,
                ),
            ],
            assignments=assignments,
            submissions=submissions,
        )
    )


def _add_healthy_courses(builder: DistrictBuilder) -> None:
    """Add course 102 (12 students) and course 106 (8 students, for outages and dead letters)."""
    for course_id, dcid, teacher, students in (
        (Ids.HEALTHY_COURSE, Ids.HEALTHY_DCID, Ids.TEACHER, Ids.STUDENTS_HEALTHY),
        (Ids.OUTAGE_COURSE, Ids.OUTAGE_DCID, Ids.OTHER_TEACHER, Ids.STUDENTS_OUTAGE),
    ):
        builder.add_section(dcid, [teacher], students, course=f"ENG{course_id}")
        course = _plain_course(builder, course_id, [(course_id * 10 + 1, str(dcid), students)], due=5)
        course.sis_course_id = str(dcid)
        builder.courses.append(course)


def _add_unwell_courses(builder: DistrictBuilder) -> None:
    """Add course 103 (its term is closed), 104 (no course SIS id) and 105 (no usable section SIS id)."""
    builder.add_section(Ids.CLOSED_DCID, [Ids.TEACHER], Ids.STUDENTS_CLOSED, course="HIS103", past=True)
    closed = _plain_course(
        builder, Ids.CLOSED_COURSE, [(1031, str(Ids.CLOSED_DCID), Ids.STUDENTS_CLOSED)], due=-60, graded=True
    )
    closed.sis_course_id = str(Ids.CLOSED_DCID)
    builder.add_section(Ids.NO_SIS_DCID, [Ids.TEACHER], Ids.STUDENTS_NO_SIS, course="ART104")
    unnamed = _plain_course(
        builder, Ids.COURSE_WITHOUT_SIS_ID, [(1041, str(Ids.NO_SIS_DCID), Ids.STUDENTS_NO_SIS)], due=5, graded=True
    )
    unknown = _plain_course(
        builder,
        Ids.COURSE_WITH_UNKNOWN_SECTIONS,
        [
            (Ids.SECTION_UNKNOWN, Ids.UNKNOWN_SECTION_SIS_ID, Ids.STUDENTS_UNKNOWN[:2]),
            (Ids.SECTION_WITHOUT_SIS_ID, None, Ids.STUDENTS_UNKNOWN[2:]),
        ],
        due=5,
        graded=True,
    )
    unknown.sis_course_id = Ids.UNKNOWN_SECTION_SIS_ID
    builder.courses += [closed, unnamed, unknown]


def _plain_course(
    builder: DistrictBuilder,
    course_id: int,
    sections: list[tuple[int, str | None, range]],
    *,
    due: int,
    graded: bool = False,
) -> CourseSeed:
    """Return a course with two ordinary assignments, `course_id * 10 + 1` and `+ 2`, in the group Homework."""
    group = Group(id=course_id * 10 + 3_000, name=HOMEWORK)
    first, second = course_id * 10 + 1, course_id * 10 + 2
    return CourseSeed(
        id=course_id,
        name=f"Course {course_id}",
        sections=[Section(id=key, name=f"Section {key}", sis_section_id=sis_id) for key, sis_id, _ in sections],
        groups=[group],
        students=[student for key, _, numbers in sections for student in enrolled(numbers, key)],
        assignments=[
            Assignment(id=first, name="Warm-up 1", due_at=builder.end_of_day(due), assignment_group_id=group.id),
            Assignment(id=second, name="Warm-up 2", due_at=builder.end_of_day(due + 1), assignment_group_id=group.id),
        ],
        submissions=[
            Submission(assignment_id=first, user_id=user_id_of(number), score=8.0)
            for _, _, numbers in sections
            for number in numbers
            if graded
        ],
    )
