"""The students of a section by SIS id, and which of them are in school."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.domain.enrollment_periods import EnrollmentPeriod, EnrollmentStatus, enrollment_status
from shared.domain.passback.powerschool import RosteredStudent, Term
from shared.domain.provisioning.policy import SisIdTemplate

ONLY_DCID = "{section_dcid}"
ENROLLED = 0
"""STUDENTS.ENROLL_STATUS of those who are in school."""
PRE_REGISTERED = -1
"""STUDENTS.ENROLL_STATUS of those who are registered and not in school yet; they may be scheduled already."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One row of CC with its student.

    `in_school` says whether the student's classes count: being pre-registered does not keep anybody out of a class.
    """

    student_dcid: int
    student_number: str
    period: EnrollmentPeriod
    in_school: bool


def students_by_sis_id(
    enrollments: Iterable[Enrollment], term: Term, today: date, template: SisIdTemplate
) -> dict[str, RosteredStudent]:
    """Return the students of a section by SIS id, each once, active if `enrollment_status` says so.

    Of several students with one SIS id the active one counts.
    """
    by_student: dict[int, list[Enrollment]] = {}
    for row in enrollments:
        by_student.setdefault(row.student_dcid, []).append(row)
    roster: dict[str, RosteredStudent] = {}
    for dcid, rows in by_student.items():
        status = enrollment_status([row.period for row in rows], term, today, in_school=rows[0].in_school)
        student = RosteredStudent(dcid, active=status is EnrollmentStatus.CURRENT)
        sis_id = template.render({"student_number": rows[0].student_number, "student_dcid": str(dcid)})
        if student.active or sis_id not in roster:
            roster[sis_id] = student
    return roster
