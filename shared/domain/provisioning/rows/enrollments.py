"""Enrollments: who is in which section, as what, and what becomes of those who left.

A row names its section and leaves the course empty, as Canvas allows: Canvas tells rows apart by both, so that a
section that moves to another course would otherwise have all of its students dropped and enrolled anew.
Source: Canvas "SIS Import Format", enrollments.csv; the identifying fields are those of canvas-lms
lib/sis/csv/enrollment_importer.rb.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from shared.domain.enrollment_periods import (
    EnrollmentPeriod,
    EnrollmentStatus,
    enrollment_status,
    has_impossible_dates,
)
from shared.domain.provisioning.policy import PreRegistered, ProvisioningPolicy
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import ClassEnrollment, Roster
from shared.domain.provisioning.rows.courses import PlacedSection
from shared.domain.provisioning.rows.sis_rows import Entity, LastImport, SisRow, value
from shared.domain.provisioning.rows.users import UserDirectory, is_in_school, staff_source, student_source

STUDENT, TEACHER = "student", "teacher"
MOVED = "deleted_last_completed"
"""Deletes the enrollment; concludes it if it is the student's last one in the course, so that no work is lost."""


class StudentRows:
    """The students' enrollments by section, and the problems of others. Rows are made section by section, on demand.

    Rows of PowerSchool with impossible dates are ignored: unless another row of the student has them in the section,
    what was applied last stays. A district has hundreds of thousands of enrollments: only a status is held of each
    until its row is made.
    """

    def __init__(
        self,
        roster: Roster,
        placed: Sequence[PlacedSection],
        people: UserDirectory,
        policy: ProvisioningPolicy,
        today: date,
        applied: LastImport,
    ) -> None:
        self._sections = {p.section.dcid: p for p in placed}
        self._students = {s.dcid: s for s in reversed(roster.students)}
        self._people, self._policy, self._today, self._applied = people, policy, today, applied
        self._with_impossible_dates: set[tuple[int, int]] = set()
        self._statuses = {
            dcid: self._statuses_in(self._sections[dcid], rows) for dcid, rows in self._enrollments(roster).items()
        }
        self._current = self._current_sections()
        found = (problem for dcid in sorted(self._statuses) for _, problem in self._rows_with_problems(dcid))
        self.problems = tuple(problem for problem in found if problem is not None)

    def rows_of(self, section_dcid: int) -> list[SisRow]:
        """Return a section's rows."""
        return [row for row, _ in self._rows_with_problems(section_dcid) if row is not None]

    def user_ids(self) -> set[str]:
        """Return the SIS ids of everybody who has a row."""
        rows = (row for section_dcid in self._statuses for row in self.rows_of(section_dcid))
        return {value(Entity.ENROLLMENTS, row, "user_id") for row in rows}

    def _enrollments(self, roster: Roster) -> dict[int, list[ClassEnrollment]]:
        """Return the rows of CC by section, without those of students who are to wait."""
        waits = self._policy.pre_registered is PreRegistered.WAIT
        found: dict[int, list[ClassEnrollment]] = {}
        for e in roster.enrollments:
            student = self._students.get(e.student_dcid) if waits else None
            if e.section_dcid in self._sections and not (student is not None and student.is_pre_registered):
                found.setdefault(e.section_dcid, []).append(e)
        return found

    def _statuses_in(
        self, placed: PlacedSection, enrollments: Iterable[ClassEnrollment]
    ) -> dict[int, EnrollmentStatus]:
        """Return the status of each student in the section, by STUDENTS.DCID in their order."""
        periods: dict[int, list[EnrollmentPeriod]] = {}
        for e in enrollments:
            periods.setdefault(e.student_dcid, []).append(EnrollmentPeriod(e.entry_date, e.exit_date, e.is_dropped))
        statuses = {}
        for dcid, student_periods in sorted(periods.items()):
            student = self._students.get(dcid)
            # A student without a record counts as in school, so that the enrollment is reported, not passed over.
            in_school = student is None or is_in_school(student, self._policy)
            possible = [period for period in student_periods if not has_impossible_dates(period, placed.term)]
            statuses[dcid] = enrollment_status(possible, placed.term, self._today, in_school=in_school)
            if len(possible) < len(student_periods) and statuses[dcid] is not EnrollmentStatus.CURRENT:
                self._with_impossible_dates.add((placed.section.dcid, dcid))
        return statuses

    def _current_sections(self) -> dict[int, list[PlacedSection]]:
        """Return where the students are who left another section."""
        departed = {
            dcid
            for statuses in self._statuses.values()
            for dcid, status in statuses.items()
            if status is EnrollmentStatus.ENDED
        }
        current: dict[int, list[PlacedSection]] = {}
        for section_dcid, statuses in self._statuses.items():
            for dcid in departed & statuses.keys():
                if statuses[dcid] is EnrollmentStatus.CURRENT:
                    current.setdefault(dcid, []).append(self._sections[section_dcid])
        return current

    def _rows_with_problems(self, section_dcid: int) -> Iterator[tuple[SisRow | None, RosterProblem | None]]:
        """Yield the row of each student in the section, and what is wrong with it."""
        placed = self._sections[section_dcid]
        for student_dcid, status in self._statuses.get(section_dcid, {}).items():
            source = student_source(student_dcid)
            user = self._people.sis_id(source)
            if (section_dcid, student_dcid) in self._with_impossible_dates:
                applied = self._applied.enrollment(placed.term.sis_id, placed.sis_id, user or "", STUDENT)
                problem = RosterProblem(RosterProblemCode.ENROLLMENT_DATES_IMPOSSIBLE, f"{placed.source}, {source}")
                yield applied, problem
                if applied is not None:
                    continue
            if user is None and status is EnrollmentStatus.CURRENT:
                is_known = student_dcid in self._students
                code = RosterProblemCode.STUDENT_NOT_PROVISIONED if is_known else RosterProblemCode.STUDENT_UNKNOWN
                yield None, RosterProblem(code, f"{placed.source}, {source}")
            elif user is not None and status is not EnrollmentStatus.NEVER:
                is_here = status is EnrollmentStatus.CURRENT
                ended = "" if is_here else _ended(placed, self._current.get(student_dcid, ()), self._policy)
                yield _row(placed, user, STUDENT, "active" if is_here else ended, source), None


def teacher_rows(placed: PlacedSection, people: UserDirectory, policy: ProvisioningPolicy, today: date) -> list[SisRow]:
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


def _ended(old: PlacedSection, current: Iterable[PlacedSection], policy: ProvisioningPolicy) -> str:
    """Return the status of a student who left: moved to a section of the same class, or dropped."""
    return MOVED if any(_is_same_class(old, new) for new in current) else policy.dropped_status.value


def _is_same_class(old: PlacedSection, new: PlacedSection) -> bool:
    same_course = (old.section.school_number, old.course_number) == (new.section.school_number, new.course_number)
    return old.course_sis_id == new.course_sis_id or (same_course and old.term.overlaps(new.term))


def _row(placed: PlacedSection, user: str, role: str, status: str, source: str) -> SisRow:
    return SisRow(("", placed.sis_id, user, role, status), placed.section.school_number, f"{placed.source}, {source}")
