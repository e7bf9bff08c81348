"""Answers from memory alone, as of the last sync: for when Canvas or PowerSchool is away, and for quick looks."""

from collections.abc import Mapping
from dataclasses import replace

from shared.domain.passback.audit import AuditEntry, ScoreValue, scores_of_student
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State, StudentRecord
from shared.domain.passback.rules.reasons import NOTES, Finding, Reason
from shared.domain.passback.student_status import (
    NOT_IN_COURSE,
    AssignmentState,
    StudentFacts,
    of_scores,
    student_status,
)
from workers.grade_passback.apply.result import REVEALED_BY_WRITING
from workers.grade_passback.explain.response import (
    ExplainError,
    ExplainQuery,
    Json,
    PlacedExplanation,
    StoredCourseData,
    explanation_json,
    reason,
    score_json,
)

# With these, the rules did send the assignment; only the writing did not go through, or not yet.
OF_WRITING = REVEALED_BY_WRITING | NOTES | {Reason.DEAD_LETTER, Reason.NOT_GRADED_YET}

LastWrites = Mapping[tuple[str, int], AuditEntry]


class StoredExplain:
    """Answers questions from the record, the audit and the dead letters."""

    def __init__(self, memory: StoredCourseData) -> None:
        self._memory = memory

    def answer(self, question: ExplainQuery, trouble: ExplainError | None = None) -> Json:
        """Return the answer as of the last sync; a course that was never synced has no assignments."""
        record = self._memory.records.course(question.course_id)
        assignments = [] if record is None else self._assignments(question, record)
        as_of = record.synced_at if record else None
        return explanation_json(question, self._memory, record, assignments, as_of=as_of, trouble=trouble, live=False)

    def _assignments(self, question: ExplainQuery, record: CourseRecord) -> list[Json]:
        dead = self._memory.dead(question.course_id)
        writes = self._memory.last_writes(question)
        return [
            _assignment(with_letters(assignment, dead), record, writes, question.student_sis_id)
            for assignment in record.assignments
            if question.assignment_id in (None, assignment.assignment_id)
        ]


def with_letters(assignment: AssignmentRecord, dead: Mapping[str | None, str]) -> AssignmentRecord:
    """Say of what was retrying and is given up since that it is a dead letter."""
    cause = dead.get(assignment.assignment_id, dead.get(None))
    if cause is None:
        return assignment
    findings = (Finding(Reason.DEAD_LETTER, cause),)
    sections = tuple(
        replace(section, state=State.DEAD, findings=findings) if section.state is State.RETRYING else section
        for section in assignment.sections
    )
    return replace(assignment, sections=sections)


def _assignment(
    assignment: AssignmentRecord, record: CourseRecord, writes: LastWrites, student_sis_id: str | None
) -> Json:
    dcids = {roster.section_sis_id: roster.section_dcid for roster in record.rosters}
    answer: Json = {
        "assignment_id": assignment.assignment_id,
        "name": assignment.name,
        "sections": [
            _section(s, writes.get((assignment.assignment_id, dcids.get(s.section_sis_id or "", -1))), student_sis_id)
            for s in assignment.sections
        ],
    }
    if student_sis_id is not None:
        answer["student"] = _student(assignment, record, writes, student_sis_id).as_json(student_sis_id)
    return answer


def _section(section: SectionRecord, write: AuditEntry | None, student_sis_id: str | None) -> Json:
    return {
        "section_sis_id": section.section_sis_id,
        "state": section.state,
        "reasons": [reason(finding) for finding in section.findings],
        "students": [student_json(s) for s in section.students if student_sis_id in (None, s.student_sis_id)],
        "scores_wanted": section.scores_wanted,
        "written_at": section.written_at.isoformat() if section.written_at else None,
        "powerschool": _powerschool(section, write, student_sis_id),
    }


def _powerschool(section: SectionRecord, write: AuditEntry | None, student_sis_id: str | None) -> Json | None:
    if section.powerschool_assignment_section_id is None:
        return None
    held: Json = {
        "assignment_id": section.powerschool_assignment_id,
        "assignment_section_id": section.powerschool_assignment_section_id,
        "scores": section.scores_there,
    }
    if student_sis_id is not None:
        held["score"] = score_json(_after(write, student_sis_id))
    return held


def student_json(student: StudentRecord) -> Json:
    """Return why a student's score is not sent."""
    return {"user_id": student.user_id, "student_sis_id": student.student_sis_id, **reason(student.finding)}


def _student(
    assignment: AssignmentRecord, record: CourseRecord, writes: LastWrites, student_sis_id: str
) -> PlacedExplanation:
    """Answer from the section that the student is in, else from one that reported the student, else from none."""
    dcids = {r.section_sis_id: r.section_dcid for r in record.rosters if student_sis_id in r.student_sis_ids}
    placed = [s for s in assignment.sections if s.section_sis_id in dcids] or [
        s for s in assignment.sections if _scores_of(s, student_sis_id)
    ]
    for section in placed:
        write = writes.get((assignment.assignment_id, dcids.get(section.section_sis_id or "", -1)))
        facts = _facts(section, write, student_sis_id)
        return PlacedExplanation(student_status(facts), section.section_sis_id, write)
    return PlacedExplanation(NOT_IN_COURSE)


def _facts(section: SectionRecord, write: AuditEntry | None, student_sis_id: str) -> StudentFacts:
    is_there = section.powerschool_assignment_section_id is not None
    findings = of_scores(section.findings, is_there=is_there)
    return StudentFacts(
        eligible=all(finding.reason in OF_WRITING for finding in findings),
        findings=findings,
        own=_scores_of(section, student_sis_id),
        work=AssignmentState.NOT_READ,
        there=_after(write, student_sis_id),
        points_possible=write.points_possible if write else None,
    )


def _scores_of(section: SectionRecord, student_sis_id: str) -> Finding | None:
    return next((s.finding for s in section.students if s.student_sis_id == student_sis_id), None)


def _after(write: AuditEntry | None, student_sis_id: str) -> ScoreValue | None:
    if write is None:
        return None
    return next((score.after for score in scores_of_student(write, student_sis_id)), None)
