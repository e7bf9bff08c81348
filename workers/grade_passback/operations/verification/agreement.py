"""What a comparison of a course proves: every value on both sides, and what was not compared and why. No I/O.

As CSV it has one canonical form, so that its SHA-256 is the same wherever it is checked: UTF-8, a line feed after each
line, the columns in the first line, the other lines in the order of their bytes (`LC_ALL=C sort`). One file has ids and
results, the other one the values as well.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shared.domain.passback.agreement import (
    SCORE,
    ComparedValue,
    NotCompared,
    Result,
    compared_values,
    not_compared_reasons,
)
from shared.domain.passback.planning.links import match_assignments
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, RosteredSection, WrittenField
from shared.domain.passback.rules.reasons import Reason
from workers.grade_passback.compare import AssignmentInSection, CourseComparison
from workers.grade_passback.operations.history import safe_cell

COLUMNS = (
    "course_id", "assignment_id", "section_dcid", "section_sis_id", "powerschool_assignment_section_id", "student_dcid",
    "student_sis_id", "what", "result", "why",
)  # fmt: skip
VALUE_COLUMNS = ("canvas", "powerschool")
SALT = "salt"
DIGEST_CHARS = 16


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


def rows_csv(course_id: str, agreement: CourseAgreement) -> bytes:
    """Return a line for each value that was compared: ids and the result, no value."""
    return _file(COLUMNS, (_ids(course_id, value, agreement) for value in agreement.values))


def scores_csv(course_id: str, agreement: CourseAgreement, salt: str) -> bytes:
    """Return the same lines with the values of both sides, and a line with the `salt`.

    The digest of this file is stored. Without the salt, somebody who has the digest could find out the scores of a
    small course by trying.
    """
    salted: list[object] = [course_id, *[""] * (len(COLUMNS) - 4), SALT, "", "", salt, ""]
    rows = (
        [*_ids(course_id, value, agreement), _value(value.what, value.canvas), _value(value.what, value.powerschool)]
        for value in agreement.values
    )
    return _file((*COLUMNS, *VALUE_COLUMNS), iter([salted, *rows]))


def _file(columns: tuple[str, ...], rows: Iterator[list[object]]) -> bytes:
    lines = sorted(map(_line, rows))
    return b"".join([_line(list(columns)), *lines])


def _line(cells: list[object]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def _ids(course_id: str, value: ComparedValue, agreement: CourseAgreement) -> list[object]:
    section, dcid = agreement.sections.get(value.key.section_dcid), value.student_dcid
    students = section.students.items() if section else ()
    sis_id = next((sis_id for sis_id, student in students if student.dcid == dcid), "")
    section_sis_id = section.sis_section_id if section else ""
    return [
        course_id, value.key.assignment_id, value.key.section_dcid, safe_cell(section_sis_id),
        value.assignment_section_id or "", dcid or "", safe_cell(sis_id), str(value.what), str(value.result),
        str(value.why),
    ]  # fmt: skip


def _value(what: str, text: str) -> object:
    """Return a value; of a description, which may be long, its digest. A negative score is no formula."""
    if what == SCORE or not text:
        return text
    if what != WrittenField.DESCRIPTION:
        return safe_cell(text)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]}"
