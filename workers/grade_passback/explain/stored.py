"""Reads a course as the last sync stored it: for when Canvas or PowerSchool is unavailable, and for quick answers."""

from collections.abc import Mapping

from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.reasons import INFORMATIVE, REASON_OF_CAUSE, Finding, Reason
from shared.domain.passback.student_status import AssignmentState, StudentFacts, score_findings
from workers.grade_passback.explain.response import (
    CourseReading,
    ExplainQuery,
    Json,
    StudentReading,
    score_json,
    selected_state,
)

# Only a write reveals these reasons; every other reason is found by reading.
REVEALED_BY_WRITING = frozenset(
    {*REASON_OF_CAUSE.values(), Reason.SCORE_NOT_CLEARED, Reason.FLAG_NOT_WITHDRAWN, Reason.RETRYING}
)
# With these, the rules did send the assignment; only the write failed, or is still to come.
WRITE_ONLY_REASONS = REVEALED_BY_WRITING | INFORMATIVE | {Reason.DEAD_LETTER, Reason.NOT_GRADED_YET}

LastWrites = Mapping[AssignmentKey, AuditEntry]
"""The last write of one student's score in each assignment section, without the scores of others."""


def stored_reading(
    record: CourseRecord, query: ExplainQuery, dead_letters: Mapping[str | None, str], writes: LastWrites
) -> CourseReading:
    """Return the stored state; a score in PowerSchool is the one that was written last."""
    state = selected_state(record, query, dead_letters)
    dcids = {roster.section_sis_id: roster.section_dcid for roster in record.rosters}
    powerschool: dict[tuple[str, str | None], Json] = {}
    for assignment in state.assignments:
        for section in assignment.sections:
            if section.powerschool_assignment_section_id is None:
                continue
            found: Json = {
                "assignment_id": section.powerschool_assignment_id,
                "assignment_section_id": section.powerschool_assignment_section_id,
                "scores": section.scores_there,
            }
            if query.student_sis_id is not None:
                write = _last_write(assignment, section, dcids, writes)
                found["score"] = score_json(write.scores[0].after if write else None)
            powerschool[assignment.assignment_id, section.section_sis_id] = found
    if query.student_sis_id is None:
        return CourseReading(state, powerschool, {})
    students = {a.assignment_id: _student(a, record, writes, query.student_sis_id) for a in state.assignments}
    return CourseReading(state, powerschool, students)


def _student(
    assignment: AssignmentRecord, record: CourseRecord, writes: LastWrites, student_sis_id: str
) -> StudentReading:
    """Read the section that the student is in, else one that reported the student."""
    dcids = {r.section_sis_id: r.section_dcid for r in record.rosters if student_sis_id in r.student_sis_ids}
    sections = [s for s in assignment.sections if s.section_sis_id in dcids] or [
        s for s in assignment.sections if _student_finding(s, student_sis_id)
    ]
    if not sections:
        return StudentReading()
    section = sections[0]
    write = _last_write(assignment, section, dcids, writes)
    findings = score_findings(section.findings, is_in_powerschool=section.powerschool_assignment_section_id is not None)
    facts = StudentFacts(
        eligible=all(finding.reason in WRITE_ONLY_REASONS for finding in findings),
        findings=findings,
        student_finding=_student_finding(section, student_sis_id),
        work=AssignmentState.NOT_READ,
        in_powerschool=write.scores[0].after if write else None,
        points_possible=write.points_possible if write else None,
    )
    return StudentReading(section.section_sis_id, facts, write)


def _last_write(
    assignment: AssignmentRecord, section: SectionRecord, dcids: Mapping[str, int], writes: LastWrites
) -> AuditEntry | None:
    return writes.get(AssignmentKey(assignment.assignment_id, dcids.get(section.section_sis_id or "", -1)))


def _student_finding(section: SectionRecord, student_sis_id: str) -> Finding | None:
    return next((s.finding for s in section.students if s.student_sis_id == student_sis_id), None)
