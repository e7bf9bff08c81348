"""Which cleared scores are not cleared again: a refusal is remembered in the record and told, not repeated."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.domain.passback.course_state import CourseRecord, sections_of
from shared.domain.passback.planning.plan import ClearScoresStep, Plan, PlanFinding, Step
from shared.domain.passback.powerschool import RosteredSection
from shared.domain.passback.rules.reasons import Finding, Reason

NOT_CLEARED = frozenset({Reason.SCORE_NOT_CLEARED, Reason.FLAG_NOT_WITHDRAWN})

# Assignment, SIS id of the section, SIS id of the student.
_Key = tuple[str, str, str]


def without_refused_clears(plan: Plan, record: CourseRecord | None, rosters: Iterable[RosteredSection]) -> Plan:
    """Return the plan without clearing what PowerSchool refused to clear at the last sync; findings say so.

    A new score in Canvas ends the refusal's record, so that the next clearing is tried.
    """
    refused = set(_refused(record))
    if not refused:
        return plan
    sections = {section.dcid: section for section in rosters}
    steps: list[Step] = []
    findings = list(plan.findings)
    for step in plan.steps:
        if not isinstance(step, ClearScoresStep):
            steps.append(step)
            continue
        kept = _remaining(step, sections[step.key.section_dcid], refused)
        findings += [PlanFinding(step.key, Finding(reason_not_cleared(step, dcid)), dcid) for dcid in kept]
        rest = {dcid: score for dcid, score in step.replaces.items() if dcid not in kept}
        steps += [replace(step, replaces=rest, withdrawn=step.withdrawn & rest.keys())] if rest else []
    return Plan(tuple(steps), tuple(findings))


def reason_not_cleared(step: ClearScoresStep, student_dcid: int) -> Reason:
    """Return what to tell of a student whose score PowerSchool did not empty."""
    return Reason.FLAG_NOT_WITHDRAWN if student_dcid in step.withdrawn else Reason.SCORE_NOT_CLEARED


def _remaining(step: ClearScoresStep, section: RosteredSection, refused: set[_Key]) -> tuple[int, ...]:
    sis_ids: Mapping[int, str] = {student.dcid: sis_id for sis_id, student in section.students.items()}
    places = {dcid: (step.key.assignment_id, section.sis_section_id, sis_ids.get(dcid, "")) for dcid in step.replaces}
    return tuple(dcid for dcid, place in places.items() if place in refused)


def _refused(record: CourseRecord | None) -> Iterable[_Key]:
    return (
        (assignment_id, section.section_sis_id or "", student.student_sis_id or "")
        for assignment_id, section in sections_of(record)
        for student in section.students
        if student.finding.reason in NOT_CLEARED
    )
