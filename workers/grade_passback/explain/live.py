"""Reads a course from both systems now, into the state that a sync would store."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State, sections_of
from shared.domain.passback.planning.plan import ClearScoresStep, Write, WriteScoresStep
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey
from shared.domain.passback.rules.reasons import INFORMATIVE, Finding, Reason
from workers.grade_passback.apply.context import ApplyResult
from workers.grade_passback.compare import CourseComparison
from workers.grade_passback.course_state import course_record, state_of
from workers.grade_passback.explain.response import CourseReading, ExplainQuery, Json, score_json, selected_state
from workers.grade_passback.explain.stored import REVEALED_BY_WRITING, LastWrites
from workers.grade_passback.explain.student import live_student


def live_reading(
    comparison: CourseComparison,
    query: ExplainQuery,
    dead_letters: Mapping[str | None, str],
    writes: LastWrites,
    now: datetime,
) -> CourseReading:
    """Return the state of a sync that wrote nothing, joined with what is still to be written and what failed before."""
    record = course_record(comparison, ApplyResult(links=dict(comparison.links_seen)), now)
    joined = tuple(
        _with_pending_writes(a, comparison, comparison.data.earlier, dead_letters) for a in record.assignments
    )
    # Scores that Canvas did not return now are retried only as long as there is no dead letter.
    state = selected_state(replace(record, assignments=joined), query, dead_letters)
    dcids = {roster.sis_section_id: roster.dcid for roster in comparison.data.rosters.values()}
    powerschool = {
        (assignment_id, section.section_sis_id): _powerschool(actual, comparison, query.student_sis_id)
        for assignment_id, section in sections_of(state)
        if (dcid := dcids.get(section.section_sis_id or "")) is not None
        and (actual := comparison.actual_of(AssignmentKey(assignment_id, dcid))) is not None
    }
    if query.student_sis_id is None:
        return CourseReading(state, powerschool, {})
    students = {a.assignment_id: live_student(a, comparison, query.student_sis_id, writes) for a in state.assignments}
    return CourseReading(state, powerschool, students)


def _with_pending_writes(
    assignment: AssignmentRecord,
    comparison: CourseComparison,
    earlier: CourseRecord | None,
    dead_letters: Mapping[str | None, str],
) -> AssignmentRecord:
    """Join the state by the rules with the pending writes, the last sync's failures and the dead letters."""
    assignment_id = assignment.assignment_id
    dead_cause = dead_letters.get(assignment_id, dead_letters.get(None))
    sections = tuple(
        _section_now(
            assignment_id,
            section,
            earlier.section(assignment_id, section.section_sis_id) if earlier else None,
            comparison,
            dead_cause,
        )
        for section in assignment.sections
    )
    return replace(assignment, sections=sections)


def _section_now(
    assignment_id: str,
    section: SectionRecord,
    earlier: SectionRecord | None,
    comparison: CourseComparison,
    dead_cause: str | None,
) -> SectionRecord:
    planned = _planned(assignment_id, section, comparison)
    informative = tuple(finding for finding in section.findings if finding.reason in INFORMATIVE)
    if len(informative) < len(section.findings) or not planned:
        return section
    refused = tuple(
        student
        for student in (earlier.students if earlier else ())
        if student.finding.reason in REVEALED_BY_WRITING and student.student_sis_id in planned
    )
    section = replace(section, students=(*section.students, *refused))
    findings: tuple[Finding, ...]
    if dead_cause is not None:
        findings = (Finding(Reason.DEAD_LETTER, dead_cause),)
    else:
        # Reading finds every other reason again if it still holds; one of the last sync may be remedied by now.
        findings = tuple(f for f in (earlier.findings if earlier else ()) if f.reason in REVEALED_BY_WRITING)
    if not findings and planned == {student.student_sis_id for student in refused}:
        # All that could be written is; PowerSchool refused the rest at the last sync, student by student.
        return section
    return replace(section, findings=findings + informative, state=state_of(findings) if findings else State.WAITING)


def _planned(assignment_id: str, section: SectionRecord, comparison: CourseComparison) -> set[str | None]:
    """Return for whom something is still to be written, by SIS id; None stands for the assignment itself."""
    planned: set[str | None] = set()
    for write in comparison.plan.writes:
        if (write.key.assignment_id, comparison.data.rosters[write.key.section_dcid].sis_section_id) == (
            assignment_id,
            section.section_sis_id,
        ):
            planned |= {comparison.data.users[student_dcid].sis_user_id for student_dcid in _students(write)} or {None}
    return planned


def _students(write: Write) -> Iterable[int]:
    match write:
        case WriteScoresStep(scores=scores):
            return scores.keys()
        case ClearScoresStep(replaces=replaces):
            return replaces.keys()
        case _:
            return ()


def _powerschool(actual: ActualAssignment, comparison: CourseComparison, student_sis_id: str | None) -> Json:
    found: Json = {
        "assignment_id": actual.assignment_id,
        "assignment_section_id": actual.assignment_section_id,
        "due_date": actual.due_date.isoformat(),
        "points": str(actual.points),
        "scores": len(actual.scores),
    }
    if student_sis_id is not None:
        student = comparison.data.rosters[actual.section_dcid].students.get(student_sis_id)
        found["score"] = score_json(actual.scores.get(student.dcid) if student else None)
    return found
