"""One valid course and its PowerSchool section, in Chicago; tests change one field of it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from shared.domain.passback.canvas import (
    Assignment,
    AssignmentGroup,
    Course,
    GradebookRow,
    GradingType,
    Section,
    Submission,
)
from shared.domain.passback.course_state import StudentRecord
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import (
    ActualAssignment,
    AssignmentKey,
    DesiredAssignment,
    RosteredSection,
    RosteredStudent,
    Score,
    TeacherCategory,
    Term,
)
from shared.domain.passback.rules.categories import CategoryMatch, MatchedBy
from shared.domain.passback.rules.eligibility import Facts
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.rules.score import place_students, with_scores

CHICAGO = ZoneInfo("America/Chicago")
FALL = Term(first_day=date(2026, 8, 17), last_day=date(2026, 12, 18), year_id=36)
MARK = "passback-plugin"
MARKS = frozenset({MARK})
SECTION_DCID = 4001

HOMEWORK = TeacherCategory(id=61, name="Homework", active=True)
TESTS = TeacherCategory(id=62, name="Tests", active=True)
GROUP = AssignmentGroup("31", "Homework")

SECTION = Section("21", "Period 1", "4001")
ROSTERED = RosteredSection(
    sis_section_id="4001",
    dcid=SECTION_DCID,
    school_number=100,
    teacher_users_dcid=900,
    term=FALL,
    students={"S1": RosteredStudent(501, active=True), "S2": RosteredStudent(502, active=True)},
)

# 23:59 on 30 September in Chicago.
ASSIGNMENT = Assignment(
    id="11",
    name="Reading 1",
    due_at=datetime(2026, 10, 1, 4, 59, tzinfo=UTC),
    points_possible=Decimal(10),
    grading_type=GradingType.POINTS,
    published=True,
    post_to_sis=True,
    visible_to_everyone=True,
    group_id="31",
    submission_types=("online_upload",),
)
COURSE = Course(
    id="1",
    sis_course_id="4001",
    sections=(SECTION,),
    assignments=(ASSIGNMENT,),
    groups={GROUP.id: GROUP},
)
FACTS = Facts(
    course=COURSE,
    section=SECTION,
    assignment=ASSIGNMENT,
    rostered=ROSTERED,
    category=CategoryMatch(HOMEWORK, MatchedBy.NAME),
    today=date(2026, 10, 5),
    zone=CHICAGO,
    grace_days=14,
)


def with_assignment(**changes: object) -> Facts:
    """Return the valid facts with these fields of the assignment changed."""
    return replace(FACTS, assignment=replace(ASSIGNMENT, **changes))  # type: ignore[arg-type]


def with_rostered(**changes: object) -> Facts:
    """Return the valid facts with these fields of PowerSchool's section changed."""
    return replace(FACTS, rostered=replace(ROSTERED, **changes))  # type: ignore[arg-type]


def reasons(findings: Iterable[Finding]) -> list[Reason]:
    """Return the findings' codes."""
    return [finding.reason for finding in findings]


def row(
    submission: Submission, sis_user_id: str | None = "S1", section_ids: Iterable[str] = ("21",), user_id: str = "71"
) -> GradebookRow:
    """Return one student's row with one submission."""
    return GradebookRow(user_id, sis_user_id, frozenset(section_ids), {submission.assignment_id: submission})


def graded(score: str | None, **changes: object) -> Submission:
    """Return a submission of the valid assignment, graded, with this score."""
    valid = Submission("11", None if score is None else Decimal(score), workflow_state="graded")
    return msgspec.structs.replace(valid, **changes)


class Placed(NamedTuple):
    """The scores of the valid assignment in a section, and the students whose scores are not sent."""

    scores: Mapping[int, Score] = {}
    unscored: frozenset[int] = frozenset()
    students: tuple[StudentRecord, ...] = ()
    unfinished: frozenset[int] = frozenset()
    flag_only: frozenset[int] = frozenset()


def placed(*rows: GradebookRow, section: str = "21", rostered: Mapping[str, RosteredSection] | None = None) -> Placed:
    """Return what goes where, of the valid assignment, in the valid section unless told otherwise."""
    scored, students = with_scores(desired(), place_students(section, rows, rostered or {"21": ROSTERED}))
    return Placed(scored.scores, scored.unscored, students, scored.unfinished, scored.flag_only)


def scores(points: Mapping[int, str]) -> dict[int, Score]:
    """Return plain scores by student."""
    return {dcid: Score(Decimal(value)) for dcid, value in points.items()}


def desired(
    assignment_id: str = "11", name: str = "Reading 1", students: Mapping[int, str] | None = None, **changes: object
) -> DesiredAssignment:
    """Return a desired assignment, with one score unless `students` says otherwise."""
    valid = DesiredAssignment(
        assignment_id=assignment_id,
        section_dcid=SECTION_DCID,
        name=name,
        description="Chapters one and two.",
        due_date=date(2026, 9, 30),
        points=Decimal(10),
        category_id=HOMEWORK.id,
        scores=scores({501: "8"} if students is None else students),
    )
    return replace(valid, **changes)  # type: ignore[arg-type]


def actual(of: DesiredAssignment | None = None, id: int = 7001, **changes: object) -> ActualAssignment:  # noqa: A002
    """Return the assignment as PowerSchool has it once `of` was written, with the assignment section id `id`."""
    of = desired() if of is None else of
    valid = ActualAssignment(
        assignment_id=id - 1000,
        assignment_section_id=id,
        section_dcid=of.section_dcid,
        name=of.name,
        due_date=of.due_date,
        points=of.points,
        category_id=of.category_id,
        description=of.description,
        created_by_plugin=MARK,
        scores={dcid: Score(s.points, s.missing, s.exempt) for dcid, s in of.scores.items()},
    )
    return replace(valid, **changes)  # type: ignore[arg-type]


def linked(
    *pairs: tuple[DesiredAssignment, ActualAssignment], sent_to: Iterable[int] = ()
) -> dict[AssignmentKey, Link]:
    """Return the links of these pairs."""
    return {
        d.key: Link(
            d.assignment_id,
            d.section_dcid,
            a.name,
            a.due_date,
            a.assignment_id,
            a.assignment_section_id,
            frozenset(sent_to),
        )
        for d, a in pairs
    }


def claim(of: DesiredAssignment) -> dict[AssignmentKey, Link]:
    """Return the link of a create whose answer is not known."""
    return {of.key: Link(of.assignment_id, of.section_dcid, of.name, of.due_date)}
