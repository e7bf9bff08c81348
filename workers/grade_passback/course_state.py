"""From what was found and done to what is remembered: the state of every assignment with its reasons."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from shared.domain.passback.course_state import (
    AssignmentRecord,
    CourseRecord,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
)
from shared.domain.passback.planning.plan import LinkStep, WriteScoresStep
from shared.domain.passback.planning.stored_forms import finding as stored_differently
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.reasons import NOTES, Finding, Reason
from workers.grade_passback.apply.result import ApplyResult
from workers.grade_passback.course_reader import AssignmentInSection, CourseComparison
from workers.grade_passback.deleted_assignments import deleted_in_canvas
from workers.grade_passback.unreadable_rows import unreadable_assignments

# What is remembered of a section that was never synced.
NOTHING = SectionRecord(None, State.WAITING)


def course_record(comparison: CourseComparison, applied: ApplyResult, now: datetime) -> CourseRecord:
    """Return the course's record after a run.

    What this run did not write keeps the time of its last write; what it read no scores of, what was told of them.
    """
    placements: dict[str, list[AssignmentInSection]] = {}
    for placement in comparison.placements:
        placements.setdefault(placement.assignment.id, []).append(placement)
    return CourseRecord(
        course_id=comparison.course.id,
        synced_at=now,
        name=comparison.course.name,
        assignments=(
            *(
                AssignmentRecord(
                    assignment_id=assignment_id,
                    name=own[0].assignment.name,
                    sections=tuple(_section(p, comparison, applied, now) for p in own),
                )
                for assignment_id, own in placements.items()
            ),
            *unreadable_assignments(comparison),
            *deleted_in_canvas(comparison),
        ),
        rosters=tuple(
            SectionRoster(r.sis_section_id, r.dcid, tuple(sorted(s for s, each in r.students.items() if each.active)))
            for r in comparison.rosters.values()
        ),
    )


def _section(
    placement: AssignmentInSection,
    comparison: CourseComparison,
    applied: ApplyResult,
    now: datetime,
) -> SectionRecord:
    key = placement.key
    findings = _findings(placement, comparison, applied)
    link = applied.links.get(key) if key else None
    wanted = len(placement.desired.scores) if placement.desired and not _waits(findings) else 0
    was_written = key is not None and (key in applied.written or key in applied.written_before)
    before = comparison.earlier
    found = before.section(placement.assignment.id, placement.section.sis_section_id) if before else None
    earlier = found or NOTHING
    record = SectionRecord(
        section_sis_id=placement.section.sis_section_id,
        state=state_of(findings),
        findings=findings,
        students=(*placement.students, *_refused_students(key, comparison, applied)),
        powerschool_assignment_id=link.powerschool_assignment_id if link else None,
        powerschool_assignment_section_id=link.powerschool_assignment_section_id if link else None,
        scores_wanted=wanted,
        scores_there=wanted - _unsent(key, comparison, applied),
        written_at=now if was_written else earlier.written_at,
    )
    if placement.scores_read:
        return record
    there = earlier.scores_there
    return replace(record, students=earlier.students, scores_wanted=earlier.scores_wanted, scores_there=there)


def _waits(findings: Iterable[Finding]) -> bool:
    """Say whether nothing is sent before the first score: missing work is not wanted until then."""
    return any(finding.reason is Reason.NOT_GRADED_YET for finding in findings)


def state_of(findings: Iterable[Finding]) -> State:
    """Return the state that these findings come to: the one that most needs attention. Notes come to none."""
    reasons = {finding.reason for finding in findings} - NOTES
    if not reasons:
        return State.SYNCED
    if Reason.DEAD_LETTER in reasons:
        return State.DEAD
    if Reason.RETRYING in reasons:
        return State.RETRYING
    return State.WAITING if reasons == {Reason.NOT_GRADED_YET} else State.BLOCKED


def _findings(
    placement: AssignmentInSection, comparison: CourseComparison, applied: ApplyResult
) -> tuple[Finding, ...]:
    key = placement.key
    if key is None:
        return placement.findings
    planned = [f.finding for f in comparison.plan.findings_of(key) if f.student_dcid is None]
    found = [*placement.findings, *planned]
    if key in applied.kept_names:
        found.append(applied.kept_names[key])
    if key in applied.refused:
        found.append(applied.refused[key])
    if key in applied.dead:
        found.append(Finding(Reason.DEAD_LETTER, applied.dead[key].cause))
    elif key in applied.failed:
        found.append(Finding(Reason.RETRYING, applied.failed[key].cause))
    elif applied.unwell is not None and _unsent(key, comparison, applied, whole=True):
        found.append(Finding(Reason.RETRYING, applied.unwell.cause))
    if key in applied.links:
        found += stored_differently(applied.links[key].echoes)
    return tuple(found)


def _refused_students(
    key: AssignmentKey | None, comparison: CourseComparison, applied: ApplyResult
) -> list[StudentRecord]:
    if key is None:
        return []
    planned = {f.student_dcid: f.finding for f in comparison.plan.findings_of(key) if f.student_dcid is not None}
    found = {**planned, **applied.refused_students.get(key, {})}
    return [
        StudentRecord(comparison.users[dcid].user_id, comparison.users[dcid].sis_user_id, finding)
        for dcid, finding in sorted(found.items())
        if dcid in comparison.users
    ]


def _unsent(
    key: AssignmentKey | None, comparison: CourseComparison, applied: ApplyResult, *, whole: bool = False
) -> int:
    """Return how many of the planned scores were not written; with `whole`, count an unwritten assignment as one."""
    if key is None:
        return 0
    writes = [step for step in comparison.plan.steps_of(key) if not isinstance(step, LinkStep)]
    rows = sum(len(step.scores) for step in writes if isinstance(step, WriteScoresStep))
    pending = bool(writes) and key not in applied.written
    return max(rows - applied.written.get(key, 0), int(whole and pending))
