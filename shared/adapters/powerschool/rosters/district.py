"""Reads the sections, terms and teachers of the whole district, without students, for a check of the whole district.

The queries are those of provisioning, which a district may have without it: the plugin asks for their columns anyway.
"""

from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.powerschool.provisioning.rows import SECTIONS, STAFF, TERMS, member_of, section_of
from shared.adapters.powerschool.rosters.reader import template_values
from shared.domain.passback.powerschool import Term
from shared.domain.passback.readiness.district import DistrictRead, DistrictSection, DistrictTerm, UnreadableRow
from shared.domain.provisioning.policy import SisIdTemplate, is_selected
from shared.domain.provisioning.roster import ClassSection, StaffMember
from shared.domain.provisioning.rows.sis_rows import normalize_whitespace

ROWS_PER_PAGE = 10_000


class DistrictReader:
    """Thread-safe. Raises the errors of `shared.errors`, such as `QueryUnavailable`.

    The selection is what the district teaches in Canvas: patterns of schools, courses and sections, as provisioning
    takes them.
    """

    def __init__(
        self,
        queries: PowerQueries,
        section_id: SisIdTemplate,
        staff_id: SisIdTemplate,
        selection: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    ) -> None:
        self._queries = queries
        self._section_id = section_id
        self._staff_id = staff_id
        self._schools, self._courses, self._sections = selection

    def read(self) -> DistrictRead:
        """Return the district, with the rows that cannot be read."""
        read_terms = self._queries.read(TERMS, lambda rows: rows[0], rows_per_page=ROWS_PER_PAGE)
        read_sections = self._queries.read(SECTIONS, section_of, rows_per_page=ROWS_PER_PAGE)
        read_staff = self._queries.read(STAFF, member_of, rows_per_page=ROWS_PER_PAGE)
        terms, sections, staff = read_terms.values, read_sections.values, read_staff.values
        dates = {(t.id, t.school_number): Term(t.first_day, t.last_day, t.year_id) for t in terms}
        return DistrictRead(
            terms=tuple(
                DistrictTerm(t.id, t.school_number, t.abbreviation or t.name, dates[t.id, t.school_number])
                for t in terms
                if is_selected(self._schools, str(t.school_number))
            ),
            sections=tuple(
                self._section(section, dates[section.term_id, section.school_number])
                for section in sections
                if (section.term_id, section.school_number) in dates and self._is_taught(section)
            ),
            teachers={member.users_dcid: self._sis_id(member) for member in staff},
            unreadable=tuple(
                UnreadableRow(row.source, row.fields, row.ids.get("school_number"))
                for row in (*read_terms.odd, *read_sections.odd, *read_staff.odd)
            ),
        )

    def _is_taught(self, section: ClassSection) -> bool:
        course = normalize_whitespace(section.course_number)
        name = f"{course}.{normalize_whitespace(section.section_number)}"
        return (
            is_selected(self._schools, str(section.school_number))
            and is_selected(self._courses, course)
            and is_selected(self._sections, str(section.dcid), name)
        )

    def _section(self, section: ClassSection, term: Term) -> DistrictSection:
        lead = next((teacher.users_dcid for teacher in section.teachers if teacher.is_lead), None)
        return DistrictSection(self._section_id.render(template_values(section)), section.school_number, term, lead)

    def _sis_id(self, member: StaffMember) -> str:
        values = {"teacher_number": member.teacher_number.strip(), "users_dcid": str(member.users_dcid)}
        return "" if self._staff_id.missing(values) else self._staff_id.render(values)
