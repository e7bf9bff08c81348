"""Reads a course for its explanation: from both systems now, or as the last sync stored it.

The stored state is for when Canvas or PowerSchool is unavailable, and for quick answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.canvas import GradebookRow
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State, sections_of
from shared.domain.passback.planning.diff import agrees, is_echo
from shared.domain.passback.planning.plan import ClearScoresStep, Write, WriteScoresStep
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, Score
from shared.domain.passback.rules.reasons import INFORMATIVE, REASON_OF_CAUSE, Finding, Reason
from shared.domain.passback.rules.score import canvas_score, is_final, to_powerschool_decimal
from shared.domain.passback.student_status import AssignmentState, StudentFacts, score_findings
from workers.grade_passback.apply.context import ApplyResult
from workers.grade_passback.compare import AssignmentInSection, CourseComparison
from workers.grade_passback.course_state import course_record, state_of
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
        student_finding=_live_finding(placement, section, comparison, row),
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


def _live_finding(
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
