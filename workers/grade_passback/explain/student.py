"""Reads one student's work from both systems: what Canvas says of it, and what PowerSchool has of it."""

from shared.domain.passback.canvas import GradebookRow
from shared.domain.passback.course_state import AssignmentRecord, SectionRecord
from shared.domain.passback.planning.diff import agrees, is_echo
from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.rules.score import canvas_score, is_final, to_powerschool_decimal
from shared.domain.passback.student_status import AssignmentState, StudentFacts, score_findings
from workers.grade_passback.compare import AssignmentInSection, CourseComparison
from workers.grade_passback.explain.response import StudentReading
from workers.grade_passback.explain.stored import LastWrites


def live_student(
    assignment: AssignmentRecord, comparison: CourseComparison, student_sis_id: str, writes: LastWrites
) -> StudentReading:
    """Return the student's reading in the assignment, from the section where it matters most.

    Of several sections in which Canvas lists the student, that is the one where PowerSchool has the student active.
    """
    row = next((row for row in comparison.data.rows if row.sis_user_id == student_sis_id), None)
    placements = [p for p in comparison.placements if p.assignment.id == assignment.assignment_id]
    if not placements:
        return _deleted(assignment, comparison, student_sis_id)
    listed = [p for p in placements if row is not None and p.section.id in row.section_ids]
    if row is None or not listed:
        return StudentReading()
    placement = next((p for p in listed if _active_dcid(p, student_sis_id) is not None), listed[0])
    section = next(s for s, p in zip(assignment.sections, placements, strict=True) if p is placement)
    write = writes.get(placement.key) if placement.key else None
    return StudentReading(placement.section.sis_section_id, _facts(placement, section, comparison, row), write)


def _deleted(assignment: AssignmentRecord, comparison: CourseComparison, student_sis_id: str) -> StudentReading:
    """Read an assignment that is no longer in Canvas from the section that has the student."""
    students = {roster.sis_section_id: roster.students for roster in comparison.data.rosters.values()}
    for section in assignment.sections:
        if student_sis_id in students.get(section.section_sis_id or "", {}):
            return StudentReading(section.section_sis_id, StudentFacts(eligible=False, findings=section.findings))
    return StudentReading()


def _facts(
    placement: AssignmentInSection, section: SectionRecord, comparison: CourseComparison, row: GradebookRow
) -> StudentFacts:
    assert row.sis_user_id is not None
    dcid, key = _active_dcid(placement, row.sis_user_id), placement.key
    link = comparison.data.links.get(key) if key else None
    actual = comparison.actual_of(key) if key else None
    score = actual.scores.get(dcid) if actual is not None and dcid is not None else None
    state, wanted = _canvas_work(placement, row)
    desired = None if dcid is None else wanted
    findings = score_findings(section.findings, is_in_powerschool=actual is not None)
    return StudentFacts(
        eligible=placement.desired is not None and not any(f.reason is Reason.NAME_TAKEN for f in findings),
        findings=findings,
        student_finding=_student_finding(placement, section, comparison, row),
        work=state,
        wanted=wanted,
        in_powerschool=score,
        agrees=desired is not None and agrees(desired, score),
        # PowerSchool got the score and stores it differently.
        is_stored_differently=desired is not None
        and link is not None
        and actual is not None
        and is_echo(link.echoes.get(str(dcid)), desired, score, actual.weight),
        points_possible=placement.assignment.points_possible,
    )


def _student_finding(
    placement: AssignmentInSection, section: SectionRecord, comparison: CourseComparison, row: GradebookRow
) -> Finding | None:
    assert row.sis_user_id is not None
    finding = next((s.finding for s in section.students if s.user_id == row.user_id), None)
    if finding is not None or placement.rostered is None or _active_dcid(placement, row.sis_user_id) is not None:
        return finding
    is_known = any(row.sis_user_id in roster.students for roster in comparison.data.rosters.values())
    return Finding(Reason.STUDENT_NOT_IN_SECTION if is_known else Reason.STUDENT_UNKNOWN)


def _canvas_work(placement: AssignmentInSection, row: GradebookRow) -> tuple[AssignmentState, Score | None]:
    submission = row.submissions.get(placement.assignment.id)
    if submission is None or submission.assignment_visible is False:
        return AssignmentState.NOT_ASSIGNED, None
    if not is_final(submission):
        return AssignmentState.UNFINISHED, None
    score = canvas_score(submission)
    if score is None:
        return AssignmentState.EMPTY, None
    return AssignmentState.SCORED, Score(to_powerschool_decimal(score.points), score.missing, score.exempt)


def _active_dcid(placement: AssignmentInSection, student_sis_id: str) -> int | None:
    student = None if placement.rostered is None else placement.rostered.students.get(student_sis_id)
    return student.dcid if student is not None and student.active else None
