"""One student's answer from a fresh survey: what Canvas says of the work, and what PowerSchool holds of it."""

from collections.abc import Mapping

from shared.domain.passback.audit import AuditEntry, ScoreValue
from shared.domain.passback.canvas import GradebookRow
from shared.domain.passback.course_state import AssignmentRecord, SectionRecord
from shared.domain.passback.planning.assignment_matching import Key
from shared.domain.passback.planning.desired import DesiredScore
from shared.domain.passback.planning.diff import agrees
from shared.domain.passback.planning.stored_forms import is_echo
from shared.domain.passback.powerschool import ActualScore
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.rules.score import canvas_score, counts, to_powerschool_decimal
from shared.domain.passback.student_status import (
    NOT_IN_COURSE,
    AssignmentState,
    StudentFacts,
    of_scores,
    student_status,
)
from workers.grade_passback.course_reader import AssignmentInSection, CourseComparison
from workers.grade_passback.explain.response import PlacedExplanation


def student_now(
    assignment: AssignmentRecord, comparison: CourseComparison, student_sis_id: str, writes: Mapping[Key, AuditEntry]
) -> PlacedExplanation:
    """Return the student's answer about the assignment, from the section where it matters most.

    A student whom Canvas lists in several sections is answered for where PowerSchool has the student active.
    """
    row = next((row for row in comparison.rows if row.sis_user_id == student_sis_id), None)
    placements = [p for p in comparison.placements if p.assignment.id == assignment.assignment_id]
    if not placements:
        return _dropped(assignment, comparison, student_sis_id)
    listed = [p for p in placements if row is not None and p.section.id in row.section_ids]
    if row is None or not listed:
        return PlacedExplanation(NOT_IN_COURSE)
    placement = next((p for p in listed if _dcid(p, student_sis_id) is not None), listed[0])
    section = next(s for s, p in zip(assignment.sections, placements, strict=True) if p is placement)
    answer = student_status(_facts(placement, section, comparison, row))
    write = writes.get(placement.key) if placement.key else None
    return PlacedExplanation(answer, placement.section.sis_section_id, write)


def _dropped(assignment: AssignmentRecord, comparison: CourseComparison, student_sis_id: str) -> PlacedExplanation:
    """Answer about an assignment that is no longer in Canvas, from the section that has the student."""
    students = {roster.sis_section_id: roster.students for roster in comparison.rosters.values()}
    for section in assignment.sections:
        if student_sis_id in students.get(section.section_sis_id or "", {}):
            answer = student_status(StudentFacts(eligible=False, findings=section.findings))
            return PlacedExplanation(answer, section.section_sis_id)
    return PlacedExplanation(NOT_IN_COURSE)


def _facts(
    placement: AssignmentInSection, section: SectionRecord, comparison: CourseComparison, row: GradebookRow
) -> StudentFacts:
    assert row.sis_user_id is not None
    dcid = _dcid(placement, row.sis_user_id)
    work, wanted = _work(placement, row)
    there = None if dcid is None else _there(placement, comparison, dcid)
    is_there = placement.key is not None and comparison.actual_of(placement.key) is not None
    findings = of_scores(section.findings, is_there=is_there)
    taken = any(finding.reason is Reason.NAME_TAKEN for finding in findings)
    return StudentFacts(
        eligible=placement.desired is not None and not taken,
        findings=findings,
        own=_scores_of(placement, section, comparison, row),
        work=work,
        wanted=wanted,
        there=None if there is None else ScoreValue.of(there),
        agrees=dcid is not None and wanted is not None and agrees(_desired(dcid, wanted), there),
        is_stored_so=dcid is not None
        and wanted is not None
        and _is_stored_so(placement, comparison, dcid, wanted, there),
        points_possible=placement.assignment.points_possible,
    )


def _scores_of(
    placement: AssignmentInSection, section: SectionRecord, comparison: CourseComparison, row: GradebookRow
) -> Finding | None:
    assert row.sis_user_id is not None
    found = next((s.finding for s in section.students if s.user_id == row.user_id), None)
    if found is not None or placement.rostered is None or _dcid(placement, row.sis_user_id) is not None:
        return found
    known = any(row.sis_user_id in roster.students for roster in comparison.rosters.values())
    return Finding(Reason.STUDENT_NOT_IN_SECTION if known else Reason.STUDENT_UNKNOWN)


def _work(placement: AssignmentInSection, row: GradebookRow) -> tuple[AssignmentState, ScoreValue | None]:
    submission = row.submissions.get(placement.assignment.id)
    if submission is None or submission.assignment_visible is False:
        return AssignmentState.NOT_ASSIGNED, None
    if not counts(submission):
        return AssignmentState.UNFINISHED, None
    score = canvas_score(submission)
    if score is None:
        return AssignmentState.EMPTY, None
    return AssignmentState.SCORED, ScoreValue(to_powerschool_decimal(score.points), score.missing, score.exempt)


def _dcid(placement: AssignmentInSection, student_sis_id: str) -> int | None:
    student = None if placement.rostered is None else placement.rostered.students.get(student_sis_id)
    return student.dcid if student is not None and student.active else None


def _there(placement: AssignmentInSection, comparison: CourseComparison, dcid: int) -> ActualScore | None:
    actual = None if placement.key is None else comparison.actual_of(placement.key)
    return None if actual is None else actual.scores.get(dcid)


def _desired(dcid: int, wanted: ScoreValue) -> DesiredScore:
    assert wanted.points is not None
    return DesiredScore(dcid, wanted.points, missing=wanted.missing, exempt=wanted.exempt)


def _is_stored_so(
    placement: AssignmentInSection,
    comparison: CourseComparison,
    dcid: int,
    wanted: ScoreValue,
    there: ActualScore | None,
) -> bool:
    """Say whether PowerSchool got the score and stores it differently."""
    link = comparison.links.get(placement.key) if placement.key else None
    actual = comparison.actual_of(placement.key) if placement.key else None
    if link is None or actual is None:
        return False
    return is_echo(link.echoes.get(str(dcid)), _desired(dcid, wanted), there, actual.weight)
