"""A small district in which every rule can be seen at work.

Nobody in it is real: students are called by their numbers.
"""

from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.sandbox.canvas.seed import Assignment, CourseSeed, Group, Override, Section, Student, Submission
from shared.sandbox.district.builder import District, DistrictBuilder, enrolled, student_dcid_of, user_id_of
from shared.sandbox.ids import Ids

__all__ = ["District", "Ids", "small_district", "student_dcid_of", "user_id_of"]

LOS_ANGELES: Final = ZoneInfo("America/Los_Angeles")
HOMEWORK: Final = "Homework"
FIRST_A, FIRST_B = user_id_of(Ids.STUDENTS_A[0]), user_id_of(Ids.STUDENTS_B[0])


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
    assignments, submissions = _main_course_work(builder)
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
                    stuck_sis_fields={"course_id"},
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
    # Placed there by hand: an import of the section's own course does not empty this one.
    unnamed.sections[0].stuck_sis_fields = {"course_id"}
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


def _main_course_work(builder: DistrictBuilder) -> tuple[list[Assignment], list[Submission]]:
    """Return the assignments of course 101 with the submissions that they start with."""
    ordinary, reasons = _ordinary(builder), _one_per_reason(builder)
    submissions = [
        *_lab_report(),
        *(_scored(Ids.MAP_WORKSHEET, user, 9.5) for user in (FIRST_A, FIRST_B)),
        *(_scored(Ids.SAFETY_CHECK, user, score) for user, score in ((FIRST_A, 5.0), (FIRST_B, 0.0))),
        *(_scored(Ids.VOCABULARY, user, 17.0) for user in (FIRST_A, FIRST_B)),
        *(_scored(Ids.BONUS_PUZZLE, user, 12.0) for user in (FIRST_A, FIRST_B)),
        *(_scored(Ids.NAME_OF_30, user, 7.0) for user in (FIRST_A, FIRST_B)),
        *(
            _scored(assignment.id, user, 8.0)
            for assignment in reasons
            if assignment.published and assignment.id != Ids.NOT_GRADED_YET
            for user in (FIRST_A, FIRST_B)
        ),
    ]
    return ordinary + reasons, submissions


def _ordinary(builder: DistrictBuilder) -> list[Assignment]:
    homework = {"assignment_group_id": Ids.GROUP_HOMEWORK}
    quiz = {"assignment_group_id": Ids.GROUP_QUIZ, "submission_types": ["online_quiz"], "quiz_id": 5102}
    later_in_b = Override(id=6001, title="Period 3", course_section_id=Ids.SECTION_B, due_at=builder.end_of_day(6))
    return [
        _due(builder, 3, id=Ids.ESSAY_DRAFT, name="Essay draft", points_possible=20.0, **homework),
        _due(builder, 1, id=Ids.CHAPTER_QUIZ, name="Chapter 4 quiz", **quiz),
        _due(builder, -5, id=Ids.LAB_REPORT, name="Lab report", description="<p>Show your work.</p>", **homework),
        _due(builder, 4, id=Ids.MAP_WORKSHEET, name="Map worksheet", overrides=[later_in_b], **homework),
        _due(builder, 5, id=Ids.SAFETY_CHECK, name="Safety check", grading_type="pass_fail", points_possible=5.0),
        _due(builder, 5, id=Ids.VOCABULARY, name="Vocabulary", grading_type="percent", points_possible=20.0),
        _due(builder, 6, id=Ids.BONUS_PUZZLE, name="Bonus puzzle", assignment_group_id=Ids.GROUP_TESTS),
        _due(builder, 6, id=Ids.NAME_OF_30, name="Ecosystems &amp; food webs, week 4"),
    ]


def _one_per_reason(builder: DistrictBuilder) -> list[Assignment]:
    """Return one assignment per reason, each with one thing wrong and all else right."""
    roll_call = {
        "submission_types": ["external_tool"],
        "external_tool_url": "https://rollcall.example/launch",
        "grading_type": "percent",
        "points_possible": 100.0,
    }
    two_students = Override(id=6002, title="2 students", student_ids=[FIRST_A, FIRST_B], due_at=builder.end_of_day(7))
    return [
        _due(builder, 7, id=Ids.SIS_SYNC_OFF, name="Practice problems", post_to_sis=False),
        _due(builder, 7, id=Ids.NOT_PUBLISHED, name="Next unit", workflow_state="unpublished"),
        _due(builder, 7, id=Ids.NOT_GRADABLE, name="Course survey", grading_type="not_graded"),
        _due(builder, 7, id=Ids.ATTENDANCE, name="Roll Call Attendance", **roll_call),
        _due(builder, 7, id=Ids.NAME_TOO_LONG, name="Comparative essay, second draft"),
        Assignment(id=Ids.DUE_DATE_MISSING, name="Open-ended inquiry", assignment_group_id=Ids.GROUP_HOMEWORK),
        _due(builder, 90, id=Ids.DUE_DATE_OUTSIDE_TERM, name="Next term's reading"),
        _due(
            builder,
            7,
            id=Ids.ONLY_FOR_STUDENTS,
            name="Make-up work",
            only_visible_to_overrides=True,
            overrides=[two_students],
        ),
        _due(
            builder,
            7,
            id=Ids.ONLY_FOR_A_MODULE,
            name="Module reading",
            module_only=True,
            module_student_ids=[FIRST_A, FIRST_B],
        ),
        _due(builder, 7, id=Ids.POINTS_MISSING, name="Ungraded sketch", points_possible=None),
        _due(builder, 7, id=Ids.ANONYMOUS, name="Anonymous essay", anonymous_grading=True),
        _due(builder, 7, id=Ids.MODERATED, name="Moderated essay", moderated_grading=True),
        _due(builder, 7, id=Ids.CATEGORY_MISSING, name="Poster", assignment_group_id=Ids.GROUP_PROJECTS),
        _due(builder, 7, id=Ids.NAME_TAKEN, name="Weekly journal"),
        _due(builder, 7, id=Ids.NOT_GRADED_YET, name="Unit reflection"),
    ]


def _lab_report() -> list[Submission]:
    """Return a fully graded assignment: decimals, an excuse, a Missing, and students PowerSchool cannot take."""
    users = [user_id_of(number) for number in (*Ids.STUDENTS_A, *Ids.STUDENTS_B)]
    excused, missing, *scored = users
    return [
        Submission(assignment_id=Ids.LAB_REPORT, user_id=excused, excused=True),
        Submission(assignment_id=Ids.LAB_REPORT, user_id=missing, late_policy_status="missing"),
        *(_scored(Ids.LAB_REPORT, user, 6.5 + index % 8 * 0.5) for index, user in enumerate(scored)),
        *(
            _scored(Ids.LAB_REPORT, user, 7.0)
            for user in (
                user_id_of(Ids.STUDENT_WHO_LEFT),
                user_id_of(Ids.STUDENT_UNKNOWN),
                Ids.USER_WITHOUT_SIS_ID,
                Ids.TEST_STUDENT,
            )
        ),
    ]


def _due(builder: DistrictBuilder, days: int, **fields: Any) -> Assignment:
    """Return an assignment due at the end of the day `days` from today, in the group Homework unless it says so."""
    return Assignment.model_validate(
        {"assignment_group_id": Ids.GROUP_HOMEWORK, "due_at": builder.end_of_day(days)} | fields
    )


def _scored(assignment_id: int, user_id: int, score: float) -> Submission:
    return Submission(assignment_id=assignment_id, user_id=user_id, score=score)
