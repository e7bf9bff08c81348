"""Builds the stored state of a course from a comparison and what was applied. No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from shared.domain.causes import Cause
from shared.domain.outcome import Failure
from shared.domain.passback.course_state import (
    AssignmentRecord,
    CourseRecord,
    CourseSection,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
)
from shared.domain.passback.planning.diff import stored_differently
from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.plan import LinkStep, WriteScoresStep
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.categories import STORED_MATCHES, CategoryAssociation, stored_match
from shared.domain.passback.rules.reasons import INFORMATIVE, Finding, Reason
from workers.grade_passback.apply.context import ApplyResult
from workers.grade_passback.compare import AssignmentInSection, CourseComparison

NEVER_SYNCED = SectionRecord(None, State.WAITING)


def course_record(comparison: CourseComparison, applied: ApplyResult, now: datetime) -> CourseRecord:
    """Return the course's state after a sync.

    The time of the last write stays where this sync wrote nothing. The counts and students of the last sync stay where
    this sync read no scores.
    """
    by_assignment: dict[str, list[AssignmentInSection]] = {}
    for placement in comparison.placements:
        by_assignment.setdefault(placement.assignment.id, []).append(placement)
    return CourseRecord(
        course_id=comparison.data.course.id,
        synced_at=now,
        name=comparison.data.course.name,
        assignments=(
            *(
                AssignmentRecord(
                    assignment_id=assignment_id,
                    name=placements[0].assignment.name,
                    sections=tuple(_section(p, comparison, applied, now) for p in placements),
                )
                for assignment_id, placements in by_assignment.items()
            ),
            *_unreadable_assignments(comparison),
            *_deleted_assignments(comparison),
        ),
        rosters=tuple(
            SectionRoster(
                section_sis_id=r.sis_section_id,
                section_dcid=r.dcid,
                student_sis_ids=tuple(sorted(id_ for id_, student in r.students.items() if student.active)),
                school_number=r.school_number,
                term=r.term,
            )
            for r in comparison.data.rosters.values()
        ),
        sections=tuple(CourseSection(s.id, s.sis_section_id, s.name) for s in comparison.data.course.sections),
        last_change=comparison.data.earlier.last_change if comparison.data.earlier else None,
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
    before = comparison.data.earlier
    found = before.section(placement.assignment.id, placement.section.sis_section_id) if before else None
    earlier = found or NEVER_SYNCED
    record = SectionRecord(
        section_sis_id=placement.section.sis_section_id,
        state=state_of(findings),
        findings=findings,
        students=(*placement.students, *_refused_students(key, comparison, applied)),
        powerschool_assignment_id=link.powerschool_assignment_id if link else None,
        powerschool_assignment_section_id=link.powerschool_assignment_section_id if link else None,
        scores_wanted=wanted,
        # An assignment that PowerSchool does not have, as where another one has its name, has no score there.
        scores_there=wanted - _unsent(key, comparison, applied) if link and not link.is_claim else 0,
        written_at=now if was_written else earlier.written_at,
    )
    if placement.scores_read:
        return record
    there = earlier.scores_there
    return replace(record, students=earlier.students, scores_wanted=earlier.scores_wanted, scores_there=there)


def _waits(findings: Iterable[Finding]) -> bool:
    """Say whether the assignment waits for its first score. Until then, missing flags are not sent."""
    return any(finding.reason is Reason.NOT_GRADED_YET for finding in findings)


def state_of(findings: Iterable[Finding]) -> State:
    """Return the state of these findings, the one that most needs attention first. Notes have none."""
    reasons = {finding.reason for finding in findings} - INFORMATIVE
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
    if key in applied.refused_names:
        found.append(applied.refused_names[key])
    if key in applied.refused:
        found.append(applied.refused[key])
    if key in applied.permanent_failures:
        found.append(Finding(Reason.DEAD_LETTER, applied.permanent_failures[key].cause))
    elif key in applied.failed:
        found.append(Finding(Reason.RETRYING, applied.failed[key].cause))
    elif applied.unavailable is not None and _unsent(key, comparison, applied, count_assignment=True):
        found.append(Finding(Reason.RETRYING, applied.unavailable.cause))
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
        StudentRecord(comparison.data.users[dcid].user_id, comparison.data.users[dcid].sis_user_id, finding)
        for dcid, finding in sorted(found.items())
        if dcid in comparison.data.users
    ]


def _unsent(
    key: AssignmentKey | None, comparison: CourseComparison, applied: ApplyResult, *, count_assignment: bool = False
) -> int:
    """Return how many of the planned scores were not written.

    With `count_assignment`, an assignment that was not written counts as one.
    """
    if key is None:
        return 0
    writes = [step for step in comparison.plan.steps_of(key) if not isinstance(step, LinkStep)]
    rows = sum(len(step.scores) for step in writes if isinstance(step, WriteScoresStep))
    pending = bool(writes) and key not in applied.written
    return max(rows - applied.written.get(key, 0), int(count_assignment and pending))


def gone_record(record: CourseRecord) -> CourseRecord:
    """Return the state of a course that Canvas has no more: everything is blocked, and nothing is due."""
    gone = (Finding(Reason.COURSE_GONE),)
    assignments = tuple(
        replace(a, sections=tuple(replace(s, state=State.BLOCKED, findings=gone) for s in a.sections))
        for a in record.assignments
    )
    return replace(record, assignments=assignments, next_due_at=None)


def _deleted_assignments(comparison: CourseComparison) -> Iterator[AssignmentRecord]:
    """Yield a record for every synced assignment that was deleted in Canvas and is still in PowerSchool.

    Passback deletes nothing in PowerSchool: a person has to. The name is the last one that was sent.
    """
    course = comparison.data.course
    in_canvas = {a.id for a in course.assignments} | {row.assignment_id for row in course.unreadable}
    in_powerschool = {(a.section_dcid, a.assignment_section_id) for a in comparison.data.actual}
    deleted: dict[str, list[Link]] = {}
    for (assignment_id, section_dcid), link in sorted(comparison.data.links.items()):
        # A pending create, or an assignment that was deleted in PowerSchool too, is not reported.
        if assignment_id not in in_canvas and (section_dcid, link.powerschool_assignment_section_id) in in_powerschool:
            deleted.setdefault(assignment_id, []).append(link)
    for assignment_id, links in deleted.items():
        sections = (
            SectionRecord(
                section_sis_id=comparison.data.rosters[link.section_dcid].sis_section_id,
                state=State.BLOCKED,
                findings=(Finding(Reason.DELETED_IN_CANVAS),),
                powerschool_assignment_id=link.powerschool_assignment_id,
                powerschool_assignment_section_id=link.powerschool_assignment_section_id,
            )
            for link in links
        )
        yield AssignmentRecord(assignment_id, links[0].name, tuple(sections))


def _unreadable_assignments(comparison: CourseComparison) -> Iterator[AssignmentRecord]:
    """Yield a record for every assignment that Canvas returned in an unreadable form, with its ids from before."""
    earlier = {a.assignment_id: a for a in (comparison.data.earlier.assignments if comparison.data.earlier else ())}
    for row in comparison.data.course.unreadable:
        if row.assignment_id is None:
            continue
        before = earlier.get(row.assignment_id)
        known = {section.section_sis_id: section for section in (before.sections if before else ())}
        sections = (
            replace(
                NEVER_SYNCED if sis_id not in known else _ids_and_time(known[sis_id]),
                section_sis_id=sis_id,
                state=State.DEAD,
                findings=(Finding(Reason.VALUE_UNREADABLE, row.what),),
            )
            for sis_id in (section.sis_section_id for section in comparison.data.course.sections)
        )
        # The name of an assignment that was never read is not known.
        yield AssignmentRecord(row.assignment_id, before.name if before else "", tuple(sections))


def _ids_and_time(record: SectionRecord) -> SectionRecord:
    return SectionRecord(
        section_sis_id=record.section_sis_id,
        state=record.state,
        powerschool_assignment_id=record.powerschool_assignment_id,
        powerschool_assignment_section_id=record.powerschool_assignment_section_id,
        written_at=record.written_at,
    )


def unreadable_failures(comparison: CourseComparison) -> list[Failure]:
    """Return a failure for each assignment that cannot be read, and one of the course for all other rows."""
    rows = comparison.data.course.unreadable
    failures = [Failure(Cause.CANVAS_UNEXPECTED, r.what, r.assignment_id) for r in rows if r.assignment_id is not None]
    others = "; ".join(row.what for row in rows if row.assignment_id is None)
    return [*failures, *([Failure(Cause.CANVAS_UNEXPECTED, others)] if others else [])]


def category_matches(comparison: CourseComparison, applied: ApplyResult) -> dict[str, CategoryAssociation]:
    """Return the new category matches by assignment group, to be stored by id: later renames then change nothing.

    Likewise those by the district's map: a later change of the map moves no work.

    Source: "by a case-insensitive name match among the teacher's active categories, which is then remembered by id".
    """
    earlier = comparison.data.associations
    matches = dict(earlier)
    for placement in comparison.placements:
        category, key = placement.category, placement.key
        link = applied.links.get(key) if key else None
        if category is None or category.by not in STORED_MATCHES or key is None or link is None:
            continue
        # PowerSchool has the assignment, in this category as far as is known.
        if not link.is_claim and applied.may_continue(key):
            group_id = placement.assignment.group_id
            matches[group_id] = stored_match(matches.get(group_id), category.category)
    return {group_id: match for group_id, match in matches.items() if match != earlier.get(group_id)}
