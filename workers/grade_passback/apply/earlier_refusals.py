"""Leaves out of a plan what PowerSchool refused at the last sync: the refusal is reported, the write not repeated."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.domain.passback.course_state import CourseRecord, sections_of
from shared.domain.passback.planning.plan import ClearScoresStep, Plan, PlanFinding, Step
from shared.domain.passback.powerschool import AssignmentKey, RosteredSection
from shared.domain.passback.rules.reasons import REASON_OF_CAUSE, Finding, Reason

NOT_CLEARED = frozenset({Reason.SCORE_NOT_CLEARED, Reason.FLAG_NOT_WITHDRAWN})


def refused_before(record: CourseRecord | None, rosters: Iterable[RosteredSection]) -> dict[AssignmentKey, Finding]:
    """Return which assignments PowerSchool refused to change at the last sync, and why.

    Such an assignment is not renamed to make way for another: each attempt would rename one twice, to no effect.
    """
    dcids = {section.sis_section_id: section.dcid for section in rosters}
    refusals = frozenset(REASON_OF_CAUSE.values())
    return {
        AssignmentKey(assignment_id, dcids[section.section_sis_id]): finding
        for assignment_id, section in sections_of(record)
        if section.section_sis_id in dcids
        for finding in section.findings
        if finding.reason in refusals
    }


def with_earlier_refusals(plan: Plan, refused: Mapping[AssignmentKey, Finding]) -> Plan:
    """Return the plan with the refusals of the assignments that wait for a name."""
    waiting = {f.key for f in plan.findings if f.finding.reason is Reason.NAME_TAKEN}
    found = [PlanFinding(key, refused[key]) for key in sorted(waiting & refused.keys())]
    return Plan(plan.steps, (*plan.findings, *found)) if found else plan


def without_refused_clears(plan: Plan, record: CourseRecord | None, rosters: Mapping[int, RosteredSection]) -> Plan:
    """Return the plan without clearing the scores that PowerSchool did not clear at the last sync; findings say so.

    A new score in Canvas ends the refusal's record, so that the next clearing is tried.
    """
    refused = {
        (assignment_id, section.section_sis_id, student.student_sis_id)
        for assignment_id, section in sections_of(record)
        for student in section.students
        if student.finding.reason in NOT_CLEARED
    }
    if not refused:
        return plan
    steps: list[Step] = []
    findings = list(plan.findings)
    for step in plan.steps:
        if not isinstance(step, ClearScoresStep):
            steps.append(step)
            continue
        section, assignment_id = rosters[step.key.section_dcid], step.key.assignment_id
        sis_ids = {student.dcid: sis_id for sis_id, student in section.students.items()}
        skipped = [d for d in step.replaces if (assignment_id, section.sis_section_id, sis_ids.get(d)) in refused]
        findings += [PlanFinding(step.key, Finding(reason_not_cleared(step, dcid)), dcid) for dcid in skipped]
        remaining = {dcid: score for dcid, score in step.replaces.items() if dcid not in skipped}
        steps += [replace(step, replaces=remaining, withdrawn=step.withdrawn & remaining.keys())] if remaining else []
    return Plan(tuple(steps), tuple(findings))


def reason_not_cleared(step: ClearScoresStep, student_dcid: int) -> Reason:
    """Return the reason for a student whose score PowerSchool did not clear."""
    return Reason.FLAG_NOT_WITHDRAWN if student_dcid in step.withdrawn else Reason.SCORE_NOT_CLEARED
