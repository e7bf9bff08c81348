"""The use case: why is it not there? A fresh look at both sides, joined with what passback remembers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from shared.clock import Clock
from shared.domain.passback.audit import AuditEntry, ScoreValue
from shared.domain.passback.course_state import (
    AssignmentRecord,
    AssignmentSectionKey,
    SectionRecord,
    State,
    StudentRecord,
    sections_by_key,
)
from shared.domain.passback.planning.plan import ClearScoresStep, Write, WriteScoresStep
from shared.domain.passback.powerschool import ActualAssignment
from shared.domain.passback.rules.reasons import NOTES, Finding, Reason
from shared.errors import PassbackError, PermanentError, TransientError
from workers.grade_passback.apply.result import REVEALED_BY_WRITING, ApplyResult
from workers.grade_passback.course_reader import CourseComparer, CourseComparison
from workers.grade_passback.course_state import course_record, state_of
from workers.grade_passback.explain.response import (
    ExplainError,
    ExplainQuery,
    Json,
    StoredCourseData,
    explanation_json,
    reason,
    score_json,
)
from workers.grade_passback.explain.stored import StoredExplain, student_json, with_letters
from workers.grade_passback.explain.student import student_now


class Explain:
    """Answers questions. Reads only."""

    def __init__(
        self,
        comparer: Callable[[], CourseComparer],
        stored_explain: StoredExplain,
        memory: StoredCourseData,
        clock: Clock,
    ) -> None:
        self._comparer = comparer
        self._recall = stored_explain
        self._memory = memory
        self._clock = clock

    def answer(self, question: ExplainQuery) -> Json:
        """Return the answer in the shape of `explain --json`; from memory, and saying so, where a system is away."""
        try:
            comparison = self._comparer().compare(question.course_id, asked_for_by_person=False, whole=True)
        except PassbackError as error:
            return self._recall.answer(question, _error(error))
        return self._live(question, comparison)

    def _live(self, question: ExplainQuery, comparison: CourseComparison) -> Json:
        remembered, now = comparison.earlier, self._clock.now()
        before = sections_by_key(remembered)
        record = course_record(comparison, ApplyResult(links=dict(comparison.links_seen)), now)
        dead = self._memory.dead(question.course_id)
        writes = self._memory.last_writes(question)
        assignments = [
            _assignment(_joined(assignment, comparison, before, dead), comparison, question, writes)
            for assignment in record.assignments
            if question.assignment_id in (None, assignment.assignment_id)
        ]
        return explanation_json(question, self._memory, remembered, assignments, as_of=now, live=True)


def _error(error: PassbackError) -> ExplainError:
    cause = error.cause if isinstance(error, TransientError | PermanentError) else "error"
    return ExplainError(cause, str(error))


def _joined(
    assignment: AssignmentRecord,
    comparison: CourseComparison,
    before: Mapping[AssignmentSectionKey, SectionRecord],
    dead: Mapping[str | None, str],
) -> AssignmentRecord:
    """Join what the rules say now with what is still to be done and what went wrong on the way."""
    own = assignment.assignment_id
    cause = dead.get(own, dead.get(None))
    sections = tuple(
        _section_now(own, section, before.get((own, section.section_sis_id)), comparison, cause)
        for section in assignment.sections
    )
    # Scores that Canvas did not give just now are retried only as long as there is no letter.
    return with_letters(replace(assignment, sections=sections), dead)


def _section_now(
    assignment_id: str,
    section: SectionRecord,
    before: SectionRecord | None,
    comparison: CourseComparison,
    dead: str | None,
) -> SectionRecord:
    planned = _planned(assignment_id, section, comparison)
    notes = tuple(finding for finding in section.findings if finding.reason in NOTES)
    if len(notes) < len(section.findings) or not planned:
        return section
    refused = tuple(s for s in (before.students if before else ()) if _is_refused(s, planned))
    section = replace(section, students=(*section.students, *refused))
    if dead is not None:
        found: tuple[Finding, ...] = (Finding(Reason.DEAD_LETTER, dead),)
    else:
        # What looking finds was found just now; a reason of the last sync that looking finds may be remedied by now.
        found = tuple(f for f in (before.findings if before else ()) if f.reason in REVEALED_BY_WRITING)
    if not found and planned == {s.student_sis_id for s in refused}:
        # All that could be written is; PowerSchool refused the rest at the last sync, student by student.
        return section
    return replace(section, findings=found + notes, state=state_of(found) if found else State.WAITING)


def _planned(assignment_id: str, section: SectionRecord, comparison: CourseComparison) -> set[str | None]:
    """Return for whom something is still to be written, by SIS id; None stands for the assignment itself."""
    planned: set[str | None] = set()
    for write in comparison.plan.writes:
        if (write.assignment_id, comparison.rosters[write.section_dcid].sis_section_id) != (
            assignment_id,
            section.section_sis_id,
        ):
            continue
        planned |= {comparison.users[student_dcid].sis_user_id for student_dcid in _students(write)} or {None}
    return planned


def _students(write: Write) -> Iterable[int]:
    match write:
        case WriteScoresStep(rows=rows):
            return [row.student_dcid for row in rows]
        case ClearScoresStep(replaces=replaces):
            return replaces.keys()
        case _:
            return ()


def _is_refused(student: StudentRecord, planned: set[str | None]) -> bool:
    return student.finding.reason in REVEALED_BY_WRITING and student.student_sis_id in planned


def _assignment(
    assignment: AssignmentRecord,
    comparison: CourseComparison,
    question: ExplainQuery,
    writes: Mapping[tuple[str, int], AuditEntry],
) -> Json:
    answer: Json = {
        "assignment_id": assignment.assignment_id,
        "name": assignment.name,
        "sections": [
            _section(assignment.assignment_id, section, comparison, question) for section in assignment.sections
        ],
    }
    if question.student_sis_id is not None:
        placed = student_now(assignment, comparison, question.student_sis_id, writes)
        answer["student"] = placed.as_json(question.student_sis_id)
    return answer


def _section(assignment_id: str, section: SectionRecord, comparison: CourseComparison, question: ExplainQuery) -> Json:
    dcids = {roster.sis_section_id: roster.dcid for roster in comparison.rosters.values()}
    dcid = dcids.get(section.section_sis_id or "")
    actual = None if dcid is None else comparison.actual_of((assignment_id, dcid))
    wanted = question.student_sis_id
    return {
        "section_sis_id": section.section_sis_id,
        "state": section.state,
        "reasons": [reason(finding) for finding in section.findings],
        "students": [student_json(s) for s in section.students if wanted in (None, s.student_sis_id)],
        "scores_wanted": section.scores_wanted,
        "written_at": section.written_at.isoformat() if section.written_at else None,
        "powerschool": None if actual is None else _powerschool(actual, comparison, wanted),
    }


def _powerschool(actual: ActualAssignment, comparison: CourseComparison, student_sis_id: str | None) -> Json:
    held: Json = {
        "assignment_id": actual.assignment_id,
        "assignment_section_id": actual.assignment_section_id,
        "due_date": actual.due_date.isoformat(),
        "points": str(actual.points),
        "scores": len(actual.scores),
    }
    if student_sis_id is not None:
        student = comparison.rosters[actual.section_dcid].students.get(student_sis_id)
        score = actual.scores.get(student.dcid) if student else None
        held["score"] = score_json(ScoreValue.of(score) if score else None)
    return held
