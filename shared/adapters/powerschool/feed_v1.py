"""Whole rosters by the v1 API and two tables, for a PowerSchool without the plugin's provisioning queries.

Two requests for every section, so that it is slow; and it cannot tell everything:

- Co-teachers are not in v1. `Roster.has_co_teachers` says so, lest they be taken for gone.
- Student numbers and teacher numbers have lost their leading zeros (a template of a fixed width puts them back).
- Whose a course is, v1 does not say: one that several schools list counts as the district's.
- Staff of the district office alone are in no school's list.

TERMS.ID and SECTIONS.ID are not in v1 at all: they are read from the tables, whose columns the plugin is granted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta

from shared.adapters.powerschool.enrollment import ENROLLED
from shared.adapters.powerschool.feed_rows import StaffRow, staff_of, teaching
from shared.adapters.powerschool.feed_v1_lists import V1Lists
from shared.adapters.powerschool.feed_v1_wire import (
    CourseV1,
    EnrollmentV1,
    SchoolV1,
    SectionColumns,
    SectionRecord,
    SectionV1,
    StaffV1,
    StudentV1,
    TermColumns,
    TermRecord,
)
from shared.adapters.powerschool.roster_v1 import FIRST_YEAR
from shared.domain.roster import (
    DISTRICT_SCHOOL_NUMBER,
    CatalogCourse,
    ClassEnrollment,
    ClassSection,
    Roster,
    School,
    SchoolTerm,
    Student,
)
from shared.errors import RosterTruncated

NEAR = timedelta(days=60)
STAFF_EXPANSIONS = "emails,school_affiliations"
STUDENT_EXPANSIONS = "contact_info,school_enrollment"


class V1Feed:
    """The other way to read whole rosters."""

    def __init__(self, lists: V1Lists, today: Callable[[], date]) -> None:
        self._lists = lists
        self._today = today

    def read(self) -> Roster:
        """Return all rosters. Raises: RosterTruncated; Refused where the tables may not be read either."""
        schools = sorted(self._lists.rows("district", "school", SchoolV1), key=lambda school: school.school_number)
        terms = self._terms()
        sections = self._sections(schools, {term.yearid for term in terms})
        columns = self._columns(terms)
        if lacking := [section.id for section in sections if section.id not in columns]:
            raise RosterTruncated(f"GET /ws/schema/table/sections: not the row of {len(lacking)} sections")
        staff = self._staff(schools, sections)
        enrollments = self._enrollments(sections)
        return Roster(
            schools=tuple(School(school.school_number, school.id, school.name) for school in schools),
            terms=tuple(_term(term) for term in terms),
            courses=self._courses(schools, sections, columns),
            sections=tuple(_section(columns[section.id], staff.get(section.staff_id or 0)) for section in sections),
            staff=staff_of(_staff_rows(schools, staff.values())),
            students=self._students({stay.student_id for _, stay in enrollments}),
            enrollments=tuple(_enrollment(dcid, stay) for dcid, stay in enrollments),
            has_co_teachers=False,
        )

    def _terms(self) -> list[TermColumns]:
        """Return the terms of the school years of which a term is no further than `NEAR` from today."""
        today = self._today()
        years = range(today.year - FIRST_YEAR - 1, today.year - FIRST_YEAR + 2)
        terms = [term for year in years for term in self._terms_of(year)]
        near = {term.yearid for term in terms if term.firstday - NEAR <= today <= term.lastday + NEAR}
        return sorted((term for term in terms if term.yearid in near), key=lambda term: term.dcid)

    def _terms_of(self, year: int) -> list[TermColumns]:
        records = self._lists.table("terms", TermRecord, TermColumns.model_fields, f"yearid=={year}")
        return [record.tables.terms for record in records]

    def _sections(self, schools: Sequence[SchoolV1], years: set[int]) -> list[SectionV1]:
        found = [
            section
            for school in schools
            for year in sorted(years)
            for section in self._lists.rows(
                "school/{id}", "section", SectionV1, school.id, where=f"term.start_year=={year + FIRST_YEAR}"
            )
        ]
        return sorted(found, key=lambda section: section.id)

    def _columns(self, terms: Iterable[TermColumns]) -> dict[int, SectionColumns]:
        """Return the sections' rows by SECTIONS.DCID. A term id repeats per school: one request for all of them."""
        records = (
            record
            for term_id in sorted({term.id for term in terms})
            for record in self._lists.table(
                "sections", SectionRecord, SectionColumns.model_fields, f"termid=={term_id}"
            )
        )
        return {record.tables.sections.dcid: record.tables.sections for record in records}

    def _courses(
        self, schools: Sequence[SchoolV1], sections: Sequence[SectionV1], columns: Mapping[int, SectionColumns]
    ) -> tuple[CatalogCourse, ...]:
        """Return the sections' courses, under the number that SECTIONS has: v1 may have made another of it."""
        numbers = {section.course_id: columns[section.id].course_number for section in sections if section.course_id}
        names, listing = dict[int, str](), defaultdict[int, list[int]](list)
        for school in schools:
            for course in self._lists.rows("school/{id}", "course", CourseV1, school.id):
                names[course.id] = course.course_name
                listing[course.id].append(school.school_number)
        for dcid in numbers.keys() - names.keys():
            unlisted = self._lists.one("course", dcid, CourseV1)
            if unlisted is not None:
                names[dcid] = unlisted.course_name
        return tuple(
            CatalogCourse(numbers[dcid], names[dcid], _only(listing[dcid])) for dcid in sorted(numbers.keys() & names)
        )

    def _staff(self, schools: Sequence[SchoolV1], sections: Sequence[SectionV1]) -> dict[int, StaffV1]:
        """Return the staff by SCHOOLSTAFF.DCID. Lists hold the active ones; lead teachers that are missing are asked.

        One whose affiliations are not told works at the school that lists them.
        """
        found = {
            member.id: member.at(school.id)
            for school in schools
            for member in self._lists.rows("school/{id}", "staff", StaffV1, school.id, expansions=STAFF_EXPANSIONS)
        }
        for dcid in sorted({section.staff_id for section in sections if section.staff_id} - found.keys()):
            member = self._lists.one("staff", dcid, StaffV1, STAFF_EXPANSIONS)
            if member is not None:
                found[dcid] = member
        return found

    def _enrollments(self, sections: Sequence[SectionV1]) -> list[tuple[int, EnrollmentV1]]:
        found = [
            (section.id, stay)
            for section in sections
            for stay in self._lists.rows("section/{id}", "section_enrollment", EnrollmentV1, section.id)
        ]
        return sorted(found, key=lambda row: row[1].id)

    def _students(self, enrolled: set[int]) -> tuple[Student, ...]:
        """Return the students in school, and singly those who are not but have an enrollment."""
        in_school = self._lists.rows(
            "district",
            "student",
            StudentV1,
            where="school_enrollment.enroll_status==A",
            expansions=STUDENT_EXPANSIONS,
        )
        missing = sorted(enrolled - {student.id for student in in_school})
        others = (self._lists.one("student", dcid, StudentV1, STUDENT_EXPANSIONS) for dcid in missing)
        students = [*in_school, *(student for student in others if student is not None)]
        return tuple(_student(student) for student in sorted(students, key=lambda student: student.id))


def _only(school_numbers: Sequence[int]) -> int:
    return school_numbers[0] if len(school_numbers) == 1 else DISTRICT_SCHOOL_NUMBER


def _term(row: TermColumns) -> SchoolTerm:
    return SchoolTerm(
        id=row.id,
        dcid=row.dcid,
        school_number=row.schoolid,
        year_id=row.yearid,
        name=row.name,
        abbreviation=row.abbreviation,
        first_day=row.firstday,
        last_day=row.lastday,
    )


def _section(row: SectionColumns, lead: StaffV1 | None) -> ClassSection:
    return ClassSection(
        dcid=row.dcid,
        id=row.id,
        school_number=row.schoolid,
        term_id=row.termid,
        course_number=row.course_number,
        section_number=row.section_number,
        teachers=teaching(lead.users_dcid if lead else None, ()),
    )


def _staff_rows(schools: Sequence[SchoolV1], staff: Iterable[StaffV1]) -> list[StaffRow]:
    """Return a row for each school that a person works or worked at; a school that is not known keeps nobody."""
    numbers = {school.id: school.school_number for school in schools} | {0: DISTRICT_SCHOOL_NUMBER}
    rows = (
        StaffRow(
            users_dcid=member.users_dcid,
            staff_id=member.id,
            teacher_number=member.local_id,
            first_name=member.name.first_name,
            last_name=member.name.last_name,
            email=member.emails.work_email,
            school_number=numbers.get(place.school_id, DISTRICT_SCHOOL_NUMBER),
            status=place.status,
        )
        for member in staff
        for place in member.school_affiliations.school_affiliation
    )
    return sorted(rows, key=lambda row: row.users_dcid)


def _student(row: StudentV1) -> Student:
    return Student(
        dcid=row.id,
        number=row.local_id,
        first_name=row.name.first_name,
        last_name=row.name.last_name,
        email=row.contact_info.email.strip() or None,
        school_number=row.school_enrollment.school_number,
        is_active=row.school_enrollment.enroll_status_code == ENROLLED,
    )


def _enrollment(section_dcid: int, stay: EnrollmentV1) -> ClassEnrollment:
    return ClassEnrollment(
        section_dcid=section_dcid,
        student_dcid=stay.student_id,
        entry_date=stay.entry_date or date.min,
        exit_date=stay.exit_date,
        is_dropped=stay.dropped,
    )
