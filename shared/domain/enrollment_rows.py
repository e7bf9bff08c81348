"""Enrollments: who is in which section, as what, and what becomes of those who left.

A row names its section and leaves the course empty, as Canvas allows: Canvas tells rows apart by both, so that a
section that moves to another course would otherwise have all of its students dropped and enrolled anew.
Source: Canvas "SIS Import Format", enrollments.csv; the identifying fields are those of canvas-lms
lib/sis/csv/enrollment_importer.rb.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import IntEnum

from shared.domain.course_shells import PlacedSection, section_source
from shared.domain.people_rows import People, staff_source, student_source
from shared.domain.provisioning_policy import ProvisioningPolicy
from shared.domain.roster import ClassEnrollment, Roster
from shared.domain.roster_problems import Problem, RosterProblem
from shared.domain.sis_import import SisRow
from shared.domain.term_rows import CanvasTerm

MOVED = "deleted_last_completed"
"""Deletes the enrollment; concludes it if it is the student's last one in the course, so that no work is lost."""


class Stay(IntEnum):
    """What a row of CC comes to on a day. Of several rows of a student in a section, the greatest counts."""

    NEVER = 0
    OVER = 1
    HERE = 2


def stay_of(enrollment: ClassEnrollment, term: CanvasTerm, today: date, *, in_school: bool) -> Stay:
    """Return whether the student is in the section today.

    Before the term its first day counts, so that classes are filled before they begin; after it its last day. Whoever
    leaves on the last day or later stayed to the end, and what becomes of them after it does not change the past. A
    stay that ended on the day it began was none.
    """
    day = min(max(today, term.first_day), term.last_day)
    exit_date = enrollment.exit_date
    if enrollment.entry_date > day or (exit_date is not None and exit_date <= enrollment.entry_date):
        return Stay.NEVER
    has_left = exit_date is not None and exit_date <= day and exit_date < term.last_day
    gone_from_school = not in_school and today <= term.last_day
    return Stay.OVER if enrollment.is_dropped or has_left or gone_from_school else Stay.HERE


def student_rows(
    roster: Roster, placed: Sequence[PlacedSection], people: People, policy: ProvisioningPolicy, today: date
) -> tuple[dict[int, list[SisRow]], tuple[RosterProblem, ...]]:
    """Return the students' enrollments by SECTIONS.DCID, and what kept others out."""
    sections = {p.section.dcid: p for p in placed}
    in_school = {s.dcid: s.is_active for s in reversed(roster.students)}
    stays: dict[tuple[int, int], Stay] = {}
    for e in roster.enrollments:
        if e.section_dcid in sections:
            # A student without a record counts as in school, so that the enrollment is reported, not passed over.
            present = in_school.get(e.student_dcid, True)
            stay = stay_of(e, sections[e.section_dcid].term, today, in_school=present)
            at = (e.section_dcid, e.student_dcid)
            stays[at] = max(stay, stays.get(at, Stay.NEVER))
    current = _current_sections(stays, sections)
    rows: dict[int, list[SisRow]] = {}
    problems = []
    for (section_dcid, student_dcid), stay in sorted(stays.items()):
        source = student_source(student_dcid)
        user = people.sis_id(source)
        if user is None and stay is Stay.HERE:
            code = Problem.STUDENT_NOT_PROVISIONED if student_dcid in in_school else Problem.STUDENT_UNKNOWN
            problems.append(RosterProblem(code, f"{section_source(section_dcid)}, {source}"))
        elif user is not None and stay is not Stay.NEVER:
            placed_in = sections[section_dcid]
            status = "active" if stay is Stay.HERE else _left(placed_in, current.get(student_dcid, ()), policy)
            rows.setdefault(section_dcid, []).append(_row(placed_in, user, "student", status, source))
    return rows, tuple(problems)


def teacher_rows(placed: PlacedSection, people: People) -> list[SisRow]:
    """Return the lead teacher's and the co-teachers' enrollments: in Canvas all of them are teachers."""
    sources = dict.fromkeys(staff_source(t.users_dcid) for t in placed.section.teachers)
    ids = {source: people.sis_id(source) for source in sources if source in people.active}
    return [_row(placed, user, "teacher", "active", source) for source, user in ids.items() if user is not None]


def _current_sections(
    stays: Mapping[tuple[int, int], Stay], sections: Mapping[int, PlacedSection]
) -> dict[int, list[PlacedSection]]:
    current: dict[int, list[PlacedSection]] = {}
    for (section_dcid, student_dcid), stay in stays.items():
        if stay is Stay.HERE:
            current.setdefault(student_dcid, []).append(sections[section_dcid])
    return current


def _left(old: PlacedSection, current: Iterable[PlacedSection], policy: ProvisioningPolicy) -> str:
    """Return the status of somebody who left: moved to a section of the same class, or dropped."""
    return MOVED if any(_is_same_class(old, new) for new in current) else policy.dropped_status.value


def _is_same_class(old: PlacedSection, new: PlacedSection) -> bool:
    same_course = (old.section.school_number, old.course_number) == (new.section.school_number, new.course_number)
    return old.course_sis_id == new.course_sis_id or (same_course and old.term.overlaps(new.term))


def _row(placed: PlacedSection, user: str, role: str, status: str, source: str) -> SisRow:
    return SisRow(("", placed.sis_id, user, role, status), placed.section.school_number, f"{placed.source}, {source}")
