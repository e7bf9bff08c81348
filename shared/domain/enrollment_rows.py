"""Enrollments: who is in which section, as what, and what becomes of those who left.

A row names its section and leaves the course empty, as Canvas allows: Canvas tells rows apart by both, so that a
section that moves to another course would otherwise have all of its students dropped and enrolled anew.
Source: Canvas "SIS Import Format", enrollments.csv; the identifying fields are those of canvas-lms
lib/sis/csv/enrollment_importer.rb.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from shared.domain.applied_rows import Applied
from shared.domain.course_shells import PlacedSection, section_source
from shared.domain.enrollment_periods import (
    EnrollmentPeriod,
    EnrollmentStatus,
    enrollment_status,
    has_impossible_dates,
)
from shared.domain.people_rows import People, is_in_school, staff_source, student_source
from shared.domain.provisioning_policy import PreRegistered, ProvisioningPolicy
from shared.domain.roster import Roster, Student
from shared.domain.roster_problems import Problem, RosterProblem
from shared.domain.sis_import import SisRow

STUDENT, TEACHER = "student", "teacher"
MOVED = "deleted_last_completed"
"""Deletes the enrollment; concludes it if it is the student's last one in the course, so that no work is lost."""


Place = tuple[int, int]
"""A student in a section: SECTIONS.DCID and STUDENTS.DCID."""


def student_rows(
    roster: Roster,
    placed: Sequence[PlacedSection],
    people: People,
    policy: ProvisioningPolicy,
    today: date,
    applied: Applied,
) -> tuple[dict[int, list[SisRow]], tuple[RosterProblem, ...]]:
    """Return the students' enrollments by SECTIONS.DCID, and what kept others out.

    Rows whose dates cannot be meant say nothing: unless another row of the student has them in the section, what was
    applied last stays.
    """
    sections = {p.section.dcid: p for p in placed}
    students = {s.dcid: s for s in reversed(roster.students)}
    periods = _periods(roster, sections, students, policy)
    stays: dict[Place, EnrollmentStatus] = {}
    doubtful: set[Place] = set()
    for (section_dcid, student_dcid), own in periods.items():
        term, student = sections[section_dcid].term, students.get(student_dcid)
        # A student without a record counts as in school, so that the enrollment is reported, not passed over.
        in_school = student is None or is_in_school(student, policy)
        possible = [period for period in own if not has_impossible_dates(period, term)]
        stay = enrollment_status(possible, term, today, in_school=in_school)
        stays[section_dcid, student_dcid] = stay
        if len(possible) < len(own) and stay is not EnrollmentStatus.CURRENT:
            doubtful.add((section_dcid, student_dcid))
    current = _current_sections(stays, sections)
    rows: dict[int, list[SisRow]] = {}
    problems = []
    for (section_dcid, student_dcid), stay in sorted(stays.items()):
        source = student_source(student_dcid)
        where = f"{section_source(section_dcid)}, {source}"
        user, placed_in = people.sis_id(source), sections[section_dcid]
        if (section_dcid, student_dcid) in doubtful:
            problems.append(RosterProblem(Problem.ENROLLMENT_DATES_IMPOSSIBLE, where))
            kept = applied.enrollment(placed_in.term.sis_id, placed_in.sis_id, user or "", STUDENT)
            if kept is not None:
                rows.setdefault(section_dcid, []).append(kept)
                continue
        if user is None and stay is EnrollmentStatus.CURRENT:
            code = Problem.STUDENT_NOT_PROVISIONED if student_dcid in students else Problem.STUDENT_UNKNOWN
            problems.append(RosterProblem(code, where))
        elif user is not None and stay is not EnrollmentStatus.NEVER:
            is_here = stay is EnrollmentStatus.CURRENT
            status = "active" if is_here else _left(placed_in, current.get(student_dcid, ()), policy)
            rows.setdefault(section_dcid, []).append(_row(placed_in, user, STUDENT, status, source))
    return rows, tuple(problems)


def _periods(
    roster: Roster,
    sections: Mapping[int, PlacedSection],
    students: Mapping[int, Student],
    policy: ProvisioningPolicy,
) -> dict[Place, list[EnrollmentPeriod]]:
    """Return the rows of each student in each section, without those of students who are to wait."""
    waits = policy.pre_registered is PreRegistered.WAIT
    periods: dict[Place, list[EnrollmentPeriod]] = {}
    for e in roster.enrollments:
        student = students.get(e.student_dcid)
        if e.section_dcid in sections and not (waits and student is not None and student.is_pre_registered):
            period = EnrollmentPeriod(e.entry_date, e.exit_date, e.is_dropped)
            periods.setdefault((e.section_dcid, e.student_dcid), []).append(period)
    return periods


def teacher_rows(placed: PlacedSection, people: People, policy: ProvisioningPolicy, today: date) -> list[SisRow]:
    """Return the lead teacher's and the co-teachers' enrollments, each person once, in the first role that they have.

    A co-teacher teaches from the first to the last day that PowerSchool says. Before the term its first day counts,
    after it its last. Source: PowerSchool, SECTIONTEACHER; those to come are in the table already.
    """
    day = min(max(today, placed.term.first_day), placed.term.last_day)
    roles: dict[str, str] = {}
    for each in placed.section.teachers:
        has_begun = each.first_day is None or each.first_day <= day
        goes_on = each.last_day is None or day <= each.last_day
        if has_begun and goes_on:
            role = policy.teacher_roles.get(each.role_id, TEACHER) if each.role_id is not None else TEACHER
            roles.setdefault(staff_source(each.users_dcid), role)
    ids = {source: people.sis_id(source) for source in roles if source in people.active}
    return [_row(placed, user, roles[source], "active", source) for source, user in ids.items() if user is not None]


def _current_sections(
    stays: Mapping[Place, EnrollmentStatus], sections: Mapping[int, PlacedSection]
) -> dict[int, list[PlacedSection]]:
    current: dict[int, list[PlacedSection]] = {}
    for (section_dcid, student_dcid), stay in stays.items():
        if stay is EnrollmentStatus.CURRENT:
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
