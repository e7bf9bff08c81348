"""What a comparison of a course proves: every value on both sides, and what was not compared and why. No I/O."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shared.domain.passback.agreement import (
    ComparedValue,
    NotCompared,
    Result,
    compared_values,
    not_compared_reasons,
)
from shared.domain.passback.planning.links import match_assignments
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, RosteredSection
from shared.domain.passback.rules.reasons import Reason
from workers.grade_passback.compare import AssignmentInSection, CourseComparison


@dataclass(frozen=True, slots=True)
class CourseAgreement:
    """What was compared. `powerschool_only` counts the sections' assignments to which passback has no link."""

    values: tuple[ComparedValue, ...]
    not_compared: tuple[NotCompared, ...]
    powerschool_only: int
    sections: Mapping[int, RosteredSection]

    @property
    def due(self) -> frozenset[ComparedValue]:
        """Return what a sync makes equal."""
        return frozenset(value for value in self.values if value.result is Result.DIFFERS)

    @property
    def unequal(self) -> frozenset[ComparedValue]:
        """Return everything that differs."""
        return frozenset(value for value in self.values if not value.is_equal)


def agreement_of(comparison: CourseComparison, today: date) -> CourseAgreement:
    """Return what the comparison shows. `today` is the course's own calendar day."""
    data = comparison.data
    actual = _actual_by_key(comparison)
    values: list[ComparedValue] = []
    not_compared: list[NotCompared] = []
    for placement in comparison.placements:
        key, desired = placement.key, placement.desired
        if key is None or desired is None:
            not_compared.append(_blocked(placement))
            continue
        link = comparison.links_seen.get(key)
        is_closed = _is_closed(placement, today, data.policy.grace_days)
        values += compared_values(desired, actual.get(key), link, comparison.plan, is_closed=is_closed)
        if reasons := not_compared_reasons(desired, actual.get(key), comparison.plan):
            not_compared.append(NotCompared(*key, reasons))
        not_compared += _blocked_scores(placement, comparison)
    in_canvas = {a.id for a in data.course.assignments} | {row.assignment_id for row in data.course.unreadable}
    not_compared += [
        NotCompared(row.assignment_id, None, (Reason.VALUE_UNREADABLE,))
        for row in data.course.unreadable
        if row.assignment_id is not None
    ]
    linked = {link.powerschool_assignment_section_id: key for key, link in data.links.items()}
    there = {each.assignment_section_id for each in data.actual}
    not_compared += [
        NotCompared(*key, (Reason.DELETED_IN_CANVAS,))
        for section_id, key in linked.items()
        if section_id in there and key.assignment_id not in in_canvas
    ]
    matched = {each.assignment_section_id for each in actual.values()}
    unlinked = sum(each.assignment_section_id not in linked.keys() | matched for each in data.actual)
    return CourseAgreement(tuple(values), tuple(not_compared), unlinked, data.rosters)


def _actual_by_key(comparison: CourseComparison) -> Mapping[AssignmentKey, ActualAssignment]:
    """Return the PowerSchool assignment of each desired one that has one, as the plan matches them."""
    data = comparison.data
    desired = [p.desired for p in comparison.placements if p.desired is not None]
    return match_assignments(desired, data.actual, data.links, data.plugin_ids).matched


def _blocked(placement: AssignmentInSection) -> NotCompared:
    section = None if placement.rostered is None else placement.rostered.dcid
    return NotCompared(placement.assignment.id, section, tuple(dict.fromkeys(f.reason for f in placement.findings)))


def _blocked_scores(placement: AssignmentInSection, comparison: CourseComparison) -> Iterator[NotCompared]:
    """Yield the scores that the rules keep back, by reason: of students whom PowerSchool does not have there."""
    assert placement.key is not None
    unreadable = (
        f.finding.reason
        for f in comparison.plan.findings_of(placement.key)
        if f.student_dcid is not None and f.finding.reason is Reason.VALUE_UNREADABLE
    )
    found = Counter([*(student.finding.reason for student in placement.students), *unreadable])
    for reason, count in sorted(found.items()):
        yield NotCompared(*placement.key, (reason,), count)


def _is_closed(placement: AssignmentInSection, today: date, grace_days: int) -> bool:
    assert placement.rostered is not None
    return today > placement.rostered.term.last_day + timedelta(days=grace_days)
