"""The assignments of course 101: ordinary ones, and one for each reason why an assignment is not passed back."""

from typing import Any

from shared.sandbox.canvas.seed import Assignment, Override, Submission
from shared.sandbox.district.builder import DistrictBuilder, user_id_of
from shared.sandbox.ids import Ids

FIRST_A, FIRST_B = user_id_of(Ids.STUDENTS_A[0]), user_id_of(Ids.STUDENTS_B[0])


def homeroom_work(builder: DistrictBuilder) -> tuple[list[Assignment], list[Submission]]:
    """Return the assignments with the submissions they start with."""
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
