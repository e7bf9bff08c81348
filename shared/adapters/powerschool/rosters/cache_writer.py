"""Passback's own index of sections, from the rosters that provisioning read: the same values, at no request more."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date

from shared.adapters.powerschool.rosters.cache import SectionCache
from shared.adapters.powerschool.rosters.enrollments import Enrollment, merged
from shared.domain.enrollment_periods import EnrollmentPeriod
from shared.domain.passback.powerschool import RosteredSection, Term
from shared.domain.provisioning.roster import ClassEnrollment, ClassSection, Roster, SchoolTerm, Student
from shared.domain.provisioning.rows.sis_ids import SisIdTemplate


class RosterIndexer:
    """Turns whole rosters into what `Roster.sections` answers, and remembers it in the same place."""

    def __init__(
        self,
        memory: SectionCache,
        sections: SisIdTemplate,
        students: SisIdTemplate,
        today: Callable[[], date],
        last_change: Callable[[], str],
    ) -> None:
        self._memory = memory
        self._section_template = sections
        self._student_template = students
        self._today = today
        self._last_change = last_change

    def moment(self) -> str:
        """Return what a reading that begins now belongs to."""
        return self._last_change()

    def store_roster(self, roster: Roster, moment: str) -> int:
        """Keep every section of the roster, and the index of their SIS ids; return how many there are.

        Nothing is forgotten by it: a section that the roster lacks is read from PowerSchool when it is needed.
        """
        dcids: dict[str, int] = {}

        def noted() -> Iterator[RosteredSection]:
            for section in self.sections_of(roster):
                dcids[section.sis_section_id] = section.dcid
                yield section

        self._memory.remember(noted(), moment)
        self._memory.store_index(dcids, moment)
        return len(dcids)

    def sections_of(self, roster: Roster) -> Iterator[RosteredSection]:
        """Yield the sections whose term is known, with their students by SIS id, one after the other."""
        today = self._today()
        terms = {(term.id, term.school_number): _term(term) for term in roster.terms}
        students = {student.dcid: student for student in roster.students}
        rows = defaultdict[int, list[ClassEnrollment]](list)
        for row in roster.enrollments:
            if row.student_dcid in students:
                rows[row.section_dcid].append(row)
        for section in roster.sections:
            term = terms.get((section.term_id, section.school_number))
            if term is not None:
                own = [_enrollment(row, students[row.student_dcid]) for row in rows[section.dcid]]
                yield self._section(section, term, own, today)

    def _section(self, section: ClassSection, term: Term, periods: list[Enrollment], today: date) -> RosteredSection:
        return RosteredSection(
            sis_section_id=self._section_template.render(_values(section)),
            dcid=section.dcid,
            school_number=section.school_number,
            teacher_users_dcid=next((each.users_dcid for each in section.teachers if each.is_lead), None),
            term=term,
            students=merged(periods, term, today, self._student_template),
        )


def _values(section: ClassSection) -> Mapping[str, str]:
    """Return what a section's SIS id may be made of."""
    return {
        "section_dcid": str(section.dcid),
        "section_id": str(section.id),
        "school_number": str(section.school_number),
        "term_id": str(section.term_id),
        "course_number": section.course_number,
        "section_number": section.section_number,
    }


def _term(term: SchoolTerm) -> Term:
    return Term(term.first_day, term.last_day, term.year_id)


def _enrollment(row: ClassEnrollment, student: Student) -> Enrollment:
    period = EnrollmentPeriod(row.entry_date, row.exit_date, row.is_dropped)
    in_school = student.is_active or student.is_pre_registered
    return Enrollment(row.student_dcid, student.number, period, in_school=in_school)
