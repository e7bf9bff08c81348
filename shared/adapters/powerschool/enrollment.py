"""Who is in a section: PowerSchool's enrollments as a roster."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.domain.powerschool import RosteredStudent, Term
from shared.domain.sis_templates import SisIdTemplate

ENROLLED = 0
"""STUDENTS.ENROLL_STATUS of those who are in school."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One stay of a student in a section. `exit_date` is the first day on which the student is no longer in it."""

    student_dcid: int
    student_number: str
    entry_date: date | None
    exit_date: date | None
    in_school: bool
    dropped: bool = False

    def is_active(self, day: date) -> bool:
        """Say whether the student is in the section on `day`."""
        entered = self.entry_date is None or self.entry_date <= day
        stayed = self.exit_date is None or day < self.exit_date
        return self.in_school and not self.dropped and entered and stayed

    def sis_id(self, template: SisIdTemplate) -> str:
        """Return the student's SIS id."""
        return template.render({"student_number": self.student_number, "student_dcid": str(self.student_dcid)})


def merged(
    enrollments: Iterable[Enrollment], term: Term, today: date, template: SisIdTemplate
) -> dict[str, RosteredStudent]:
    """Return the students by SIS id, each active if one of their stays is.

    After the term its last day counts, since late grades are for those who were there to the end.
    """
    day = min(today, term.last_day)
    roster: dict[str, RosteredStudent] = {}
    for stay in enrollments:
        sis_id = stay.sis_id(template)
        earlier = roster.get(sis_id)
        active = stay.is_active(day) or (earlier is not None and earlier.active)
        roster[sis_id] = RosteredStudent(stay.student_dcid, active)
    return roster
