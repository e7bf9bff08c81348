"""Explains why students' totals in Canvas and PowerSchool differ, read from both systems now. Stores nothing."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared.adapters.canvas.grading import CanvasGrading
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.clock import Clock
from shared.domain.passback.canvas import GradebookRow
from shared.domain.passback.course_state import CourseRecord, SectionRecord
from shared.domain.passback.powerschool import ActualAssignment, RosteredSection, TeacherCategory
from shared.domain.passback.rules.eligibility import is_not_gradable
from shared.domain.passback.rules.reasons import INFORMATIVE, Finding, Reason
from shared.domain.passback.rules.score import UNFINISHED
from shared.domain.passback.totals.formulas import formula_of, widest
from shared.domain.passback.totals.grading import CourseGrading, SectionGrading
from shared.domain.passback.totals.sheet import (
    POINTS,
    CanvasWork,
    PowerSchoolWork,
    StudentWork,
    stores_weighted,
)
from shared.domain.passback.totals.waterfall import Explanation, explain_totals
from shared.ports.passback import PowerSchoolGradebook
from workers.grade_passback.compare import AssignmentInSection, CourseComparison, compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.explain.readings import live_reading
from workers.grade_passback.explain.response import ExplainQuery

ReadSectionGrading = Callable[
    [Sequence[int], Mapping[int, Sequence[TeacherCategory]]], Mapping[int, SectionGrading] | None
]
NO_TEACHER = "PowerSchool's gradebook could not be read: the section has no lead teacher."


@dataclass(frozen=True, slots=True)
class StudentTotals:
    """One student in one section; without an explanation, `absence` says why PowerSchool has no gradebook for them.

    `section_ids` are those of Canvas: the section, or without one all in which Canvas has the student.
    """

    user_id: str
    student_sis_id: str | None
    section_sis_id: str | None
    section_ids: frozenset[str]
    explanation: Explanation | None = None
    absence: str = ""


@dataclass(frozen=True, slots=True)
class CourseTotals:
    """The students of a course, as both systems were at `read_at`."""

    course_id: str
    name: str
    read_at: datetime
    students: tuple[StudentTotals, ...]

    def of_sections(self, section_ids: Collection[str]) -> "CourseTotals":
        """Return only the students in one of these Canvas sections; by the section in which PowerSchool has them."""
        visible = frozenset(section_ids)
        return replace(self, students=tuple(each for each in self.students if each.section_ids & visible))


@dataclass(frozen=True)
class TotalsReader:
    """Behind `passback totals`. `reader` is called for a reading only: making it may ask PowerSchool."""

    reader: Callable[[], CourseReader]
    canvas: CanvasGrading
    powerschool: PowerSchoolGradebook
    section_grading: ReadSectionGrading
    dead_letters: DeadLetters
    clock: Clock

    def read(self, course_id: str, student_sis_id: str | None = None) -> CourseTotals:
        """Return the totals of the course's students, or of one. Raises the errors of `shared.errors`."""
        comparison = compare(self.reader().read(course_id, asked_for_by_person=False, all_scores=True))
        data, now = comparison.data, self.clock.now()
        causes = {each.assignment_id: each.cause for each in self.dead_letters.of_course(course_id)}
        record = live_reading(comparison, ExplainQuery(course_id), causes, {}, now).state
        taught = [section for section in data.rosters.values() if section.teacher_users_dcid is not None]
        ids = {each.assignment_section_id for each in data.actual}
        # The reader has the scores of linked assignments alone.
        actual = self.powerschool.assignments(taught, ids) if ids else ()
        grading = self.section_grading([each.dcid for each in taught], data.categories) if taught else {}
        students = _Students(comparison, record, self.canvas.course(course_id), actual, grading)
        rows = [row for row in data.rows if student_sis_id in (None, row.sis_user_id)]
        return CourseTotals(
            course_id, data.course.name, now, tuple(found for row in rows for found in students.of(row))
        )


class _Students:
    """What was read of a course, of which it makes the facts of each student."""

    def __init__(
        self,
        comparison: CourseComparison,
        record: CourseRecord,
        grading: CourseGrading,
        actual: Sequence[ActualAssignment],
        section_grading: Mapping[int, SectionGrading] | None,
    ) -> None:
        self._data = comparison.data
        self._grading = grading
        self._section_grading = section_grading or {}
        self._actual: dict[int, list[ActualAssignment]] = {}
        for each in actual:
            self._actual.setdefault(each.section_dcid, []).append(each)
        self._placements: dict[str, list[tuple[AssignmentInSection, SectionRecord]]] = {}
        self._canvas_ids: dict[int, str] = {}
        records = {each.assignment_id: iter(each.sections) for each in record.assignments}
        for placement in comparison.placements:
            # Both have the sections of the course in its order.
            found = next(records[placement.assignment.id])
            self._placements.setdefault(placement.section.id, []).append((placement, found))
            linked = comparison.actual_of(placement.key) if placement.key else None
            if linked is not None:
                self._canvas_ids[linked.assignment_section_id] = placement.assignment.id

        self._stored_weighted = stores_weighted(self._scores())

    def _scores(self) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
        """Yield every points score that both systems have, with the assignment's weight."""
        for actual in (each for of_section in self._actual.values() for each in of_section):
            canvas_id, weight = self._canvas_ids.get(actual.assignment_section_id), actual.weight
            if canvas_id is None or weight is None or actual.score_type not in (None, POINTS):
                continue
            for dcid, score in actual.scores.items():
                row = self._data.users.get(dcid)
                found = row.submissions.get(canvas_id) if row else None
                if found and found.score is not None and score.points is not None and not score.is_code:
                    yield found.score, score.points, weight

    def of(self, row: GradebookRow) -> Iterator[StudentTotals]:
        """Yield the student's totals, one for each section in which PowerSchool has the student."""
        is_found = False
        for section in self._data.course.sections:
            roster = next((r for r in self._data.rosters.values() if r.sis_section_id == section.sis_section_id), None)
            student = roster.students.get(row.sis_user_id or "") if roster else None
            if roster is None or student is None or not student.active or section.id not in row.section_ids:
                continue
            is_found = True
            explanation = explain_totals(self._work(row, section.id, roster, student.dcid))
            yield StudentTotals(
                row.user_id, row.sis_user_id, section.sis_section_id, frozenset({section.id}), explanation
            )
        if not is_found:
            yield StudentTotals(row.user_id, row.sis_user_id, None, row.section_ids, None, self._absence(row))

    def _absence(self, row: GradebookRow) -> str:
        if row.sis_user_id is None:
            return Finding(Reason.STUDENT_SIS_ID_MISSING).message
        is_known = any(row.sis_user_id in roster.students for roster in self._data.rosters.values())
        return Finding(Reason.STUDENT_NOT_IN_SECTION if is_known else Reason.STUDENT_UNKNOWN).message

    def _work(self, row: GradebookRow, section_id: str, roster: RosteredSection, dcid: int) -> StudentWork:
        placed = self._placements.get(section_id, [])
        actual = self._actual.get(roster.dcid, [])
        shown = self._section_grading.get(roster.dcid, SectionGrading())
        term_grade = widest(shown.term_grades.get(dcid, ()))
        return StudentWork(
            canvas=[_canvas_work(row, placement, record) for placement, record in placed],
            powerschool=[self._powerschool_work(each, dcid) for each in actual if not each.unreadable],
            grading=self._grading,
            totals=self._grading.totals.get(row.user_id),
            formula=formula_of(shown.formulas, term_grade),
            term_grade=term_grade,
            grades_readable=shown.grades_readable,
            category_names=self._data.category_names,
            problems=tuple(self._problems(row, roster, actual, dcid)),
        )

    def _powerschool_work(self, actual: ActualAssignment, dcid: int) -> PowerSchoolWork:
        return PowerSchoolWork(
            assignment_section_id=actual.assignment_section_id,
            name=actual.name,
            points=actual.points,
            category_id=actual.category_id,
            score=actual.scores.get(dcid),
            weight=actual.weight,
            score_type=actual.score_type,
            counted=actual.counted,
            canvas_id=self._canvas_ids.get(actual.assignment_section_id),
            made_by_passback=actual.created_by_plugin in self._data.plugin_ids,
            stored_weighted=self._stored_weighted,
        )

    def _problems(
        self, row: GradebookRow, roster: RosteredSection, actual: Sequence[ActualAssignment], dcid: int
    ) -> Iterator[str]:
        """Yield what could not be read, which no sum has."""
        if roster.teacher_users_dcid is None:
            yield NO_TEACHER
        for id_ in sorted(row.unreadable.keys() | self._data.unread.keys()):
            yield f"Canvas's score in assignment {id_} could not be read, and is in no sum."
        for each in actual:
            if each.unreadable or dcid in each.unreadable_scores:
                yield f"PowerSchool's assignment {each.assignment_id} could not be read, and is in no sum."


def _canvas_work(row: GradebookRow, placement: AssignmentInSection, record: SectionRecord) -> CanvasWork:
    assignment, found = placement.assignment, row.submissions.get(placement.assignment.id)
    of_student = [student.finding for student in record.students if student.user_id == row.user_id]
    findings = [finding for finding in (*record.findings, *of_student) if finding.reason not in INFORMATIVE]
    if found is None or found.assignment_visible is False or not assignment.published or is_not_gradable(assignment):
        found = None
    period = found.grading_period_id if found else None
    return CanvasWork(
        id=assignment.id,
        name=assignment.name,
        group_id=assignment.group_id,
        score=found.score if found else None,
        points=assignment.points_possible,
        hidden=found is not None and found.posted_at is None,
        excused=bool(found and found.excused),
        missing=bool(found and found.missing),
        omitted=assignment.omitted_from_final_grade,
        unfinished=found is not None and found.workflow_state == UNFINISHED,
        deducted=found.points_deducted if found else None,
        period_id=None if period is None else str(period),
        not_sent=" ".join(finding.message for finding in findings),
    )
