"""Rosters by the plugin's PowerQueries: two requests for all sections of a course."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.powerschool.rosters.enrollments import Enrollment, can_be_in_class, merged
from shared.adapters.powerschool.rosters.reader import SectionAddress
from shared.adapters.powerschool.wire import Day, EnrollmentDay, MaybeId, WholeText, Wire
from shared.domain.enrollment_periods import EnrollmentPeriod
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Term
from shared.domain.provisioning.rows.sis_ids import SisIdTemplate

SECTIONS_QUERY = "org.passback.sync.roster.sections"
STUDENTS_QUERY = "org.passback.sync.roster.students"


class QuerySectionRow(Wire):
    """A row of `org.passback.sync.roster.sections`."""

    section_dcid: int
    school_number: int
    year_id: int
    first_day: Day
    last_day: Day
    teacher_users_dcid: MaybeId = None

    @property
    def term(self) -> Term:
        """The section's term."""
        return Term(self.first_day, self.last_day, self.year_id)


class QueryStudentRow(Wire):
    """A row of `org.passback.sync.roster.students`: one enrollment, of which a student may have several."""

    enrollment_dcid: int
    section_dcid: int
    student_dcid: int
    student_number: WholeText
    entry_date: EnrollmentDay = None
    exit_date: EnrollmentDay = None
    is_dropped: bool = False
    enroll_status: int

    @property
    def enrollment(self) -> Enrollment:
        """The row's enrollment."""
        return Enrollment(
            student_dcid=self.student_dcid,
            student_number=self.student_number,
            period=EnrollmentPeriod(self.entry_date, self.exit_date, self.is_dropped),
            in_school=can_be_in_class(self.enroll_status),
        )


SECTIONS = QueryList(SECTIONS_QUERY, QuerySectionRow, ("section_dcid",), "SECTIONS.DCID")
STUDENTS = QueryList(STUDENTS_QUERY, QueryStudentRow, ("enrollment_dcid",), "CC.DCID")


class QueriedRoster:
    """A `RosterSource`."""

    def __init__(self, queries: PowerQueries, template: SisIdTemplate) -> None:
        self._queries = queries
        self._template = template

    def read(self, addresses: Sequence[SectionAddress], today: date) -> list[RosteredSection]:
        """Return the existing ones of these sections.

        A row that cannot be read is left out and logged. Raises: QueryUnavailable, IncompleteRead.
        """
        args = {"section_dcids": [address.dcid for address in addresses]}
        sections = self._queries.rows(SECTIONS, args)
        students = self._queries.rows(STUDENTS, args)
        rosters = self._rosters({row.section_dcid: row.term for row in sections}, students, today)
        sis_ids = {address.dcid: address.sis_id for address in addresses}
        asked = (row for row in sections if row.section_dcid in sis_ids)
        return [_section(row, sis_ids[row.section_dcid], rosters[row.section_dcid]) for row in asked]

    def _rosters(
        self, terms: Mapping[int, Term], rows: Sequence[QueryStudentRow], today: date
    ) -> dict[int, dict[str, RosteredStudent]]:
        enrollments = defaultdict[int, list[Enrollment]](list)
        for row in rows:
            enrollments[row.section_dcid].append(row.enrollment)
        return {dcid: merged(enrollments[dcid], terms[dcid], today, self._template) for dcid in terms}


def _section(row: QuerySectionRow, sis_id: str, students: Mapping[str, RosteredStudent]) -> RosteredSection:
    return RosteredSection(
        sis_section_id=sis_id,
        dcid=row.section_dcid,
        school_number=row.school_number,
        teacher_users_dcid=row.teacher_users_dcid,
        term=row.term,
        students=students,
    )
