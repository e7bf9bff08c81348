"""Who is in a section: PowerSchool's enrollments as a roster."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.domain.enrollment_periods import EnrollmentPeriod, EnrollmentStatus, enrollment_status
from shared.domain.passback.powerschool import RosteredStudent, Term
from shared.domain.provisioning.rows.sis_ids import SisIdTemplate

ENROLLED = 0
"""STUDENTS.ENROLL_STATUS of those who are in school."""
PRE_REGISTERED = -1
"""STUDENTS.ENROLL_STATUS of those who are registered and not in school yet; they may be scheduled already."""


def can_be_in_class(enroll_status: int) -> bool:
    """Say whether a student's classes count: where dates say that somebody is in one, being pre-registered does not."""
    return enroll_status in (ENROLLED, PRE_REGISTERED)


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One row of CC with its student. `in_school` is what `can_be_in_class` says."""

    student_dcid: int
    student_number: str
    period: EnrollmentPeriod
    in_school: bool

    def sis_id(self, template: SisIdTemplate) -> str:
        """Return the student's SIS id."""
        return template.render({"student_number": self.student_number, "student_dcid": str(self.student_dcid)})


def merged(
    enrollments: Iterable[Enrollment], term: Term, today: date, template: SisIdTemplate
) -> dict[str, RosteredStudent]:
    """Return the students of a section by SIS id, each once, active if `enrollment_status` says so.

    Of several students with one SIS id the active one counts.
    """
    rows: dict[int, list[Enrollment]] = {}
    for row in enrollments:
        rows.setdefault(row.student_dcid, []).append(row)
    roster: dict[str, RosteredStudent] = {}
    for dcid, own in rows.items():
        periods = [row.period for row in own]
        status = enrollment_status(periods, term, today, in_school=own[0].in_school)
        student = RosteredStudent(dcid, active=status is EnrollmentStatus.CURRENT)
        sis_id = own[0].sis_id(template)
        if student.active or sis_id not in roster:
            roster[sis_id] = student
    return roster
