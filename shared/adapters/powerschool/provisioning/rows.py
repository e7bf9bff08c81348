"""Rows of the plugin's provisioning queries, and the values they come to. Query rows are text throughout."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator

from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.rosters.enrollments import ENROLLED, PRE_REGISTERED
from shared.adapters.powerschool.wire import Day, EnrollmentDay, MaybeId, WholeText, Wire
from shared.domain.plugin_queries import PROVISIONING_PREFIX
from shared.domain.provisioning.roster import (
    CatalogCourse,
    ClassEnrollment,
    ClassSection,
    School,
    SchoolTerm,
    StaffMember,
    Student,
    TeachingAssignment,
)

CURRENT = 1
"""SCHOOLSTAFF.STATUS of those who work there; 0 and 2 do not (v1 reference, `school_affiliation.status`)."""


def _zero_if_blank(value: object) -> object:
    return 0 if value in (None, "") else value


Number = Annotated[int, BeforeValidator(_zero_if_blank)]


class SchoolRow(Wire):
    """A row of `org.passback.sync.provisioning.schools`."""

    school_number: int
    school_dcid: int
    school_name: WholeText = ""

    def school(self) -> School:
        """Return the school."""
        return School(self.school_number, self.school_dcid, self.school_name)


class TermRow(Wire):
    """A row of `org.passback.sync.provisioning.terms`."""

    term_id: int
    term_dcid: int
    school_number: int
    year_id: int
    term_name: WholeText = ""
    abbreviation: WholeText = ""
    first_day: Day
    last_day: Day

    def term(self) -> SchoolTerm:
        """Return the term."""
        return SchoolTerm(
            id=self.term_id,
            dcid=self.term_dcid,
            school_number=self.school_number,
            year_id=self.year_id,
            name=self.term_name,
            abbreviation=self.abbreviation,
            first_day=self.first_day,
            last_day=self.last_day,
        )


class CourseRow(Wire):
    """A row of `org.passback.sync.provisioning.courses`."""

    course_dcid: int
    course_number: WholeText
    course_name: WholeText = ""
    school_number: Number = 0

    def course(self) -> CatalogCourse:
        """Return the course."""
        return CatalogCourse(self.course_number, self.course_name, self.school_number)


class FeedSectionRow(Wire):
    """A row of `org.passback.sync.provisioning.sections`: a section, with one of its co-teachers if it has any."""

    section_dcid: int
    section_id: int
    school_number: int
    term_id: int
    course_number: WholeText = ""
    section_number: WholeText = ""
    lead_users_dcid: MaybeId = None
    co_users_dcid: MaybeId = None
    section_teacher_id: MaybeId = None
    co_role_id: MaybeId = None
    co_first_day: EnrollmentDay = None
    co_last_day: EnrollmentDay = None


class StaffRow(Wire):
    """A row of `org.passback.sync.provisioning.staff`: a person at one school."""

    users_dcid: int
    staff_id: int
    teacher_number: WholeText = ""
    first_name: WholeText = ""
    last_name: WholeText = ""
    email: WholeText = ""
    school_number: Number = 0
    status: Number = 0


class FeedStudentRow(Wire):
    """A row of `org.passback.sync.provisioning.students`: a student, with one of their e-mail addresses if any.

    A district may add columns for preferred names to the query: PowerSchool has no column for them that every
    district uses. Where the legal name has fields of its own (StudentCoreFields), STUDENTS has the preferred one.
    """

    student_dcid: int
    student_number: WholeText = ""
    first_name: WholeText = ""
    last_name: WholeText = ""
    school_number: Number = 0
    enroll_status: int
    email_id: MaybeId = None
    email: WholeText = ""
    is_primary: Number = 0
    priority: MaybeId = None
    preferred_first_name: WholeText = ""
    preferred_last_name: WholeText = ""

    def precedence(self) -> tuple[bool, int, int]:
        """Return where the address stands among the student's: the smallest is the one to use."""
        return self.is_primary != 1, 1 << 30 if self.priority is None else self.priority, self.email_id or 0


class EnrollmentRow(Wire):
    """A row of `org.passback.sync.provisioning.enrollments`."""

    enrollment_dcid: int
    section_dcid: int
    student_dcid: int
    entry_date: EnrollmentDay = None
    exit_date: EnrollmentDay = None
    is_dropped: bool = False

    def enrollment(self) -> ClassEnrollment:
        """Return the enrollment."""
        return ClassEnrollment(
            section_dcid=self.section_dcid,
            student_dcid=self.student_dcid,
            entry_date=self.entry_date,
            exit_date=self.exit_date,
            is_dropped=self.is_dropped,
        )


def teaching(rows: Iterable[FeedSectionRow]) -> tuple[TeachingAssignment, ...]:
    """Return who teaches the section of these rows, the lead teacher first. A USERS.DCID of 0 is nobody's."""
    rows = tuple(rows)
    lead = rows[0].lead_users_dcid
    leads = [TeachingAssignment(lead, is_lead=True)] if lead else []
    others = (_co_teaching(row, user) for row in rows if (user := row.co_users_dcid) and user != lead)
    return (*leads, *dict.fromkeys(others))


def _co_teaching(row: FeedSectionRow, users_dcid: int) -> TeachingAssignment:
    return TeachingAssignment(
        users_dcid, is_lead=False, role_id=row.co_role_id, first_day=row.co_first_day, last_day=row.co_last_day
    )


def section_of(rows: list[FeedSectionRow]) -> ClassSection:
    """Return the section of these rows, the lead teacher first."""
    row = rows[0]
    return ClassSection(
        dcid=row.section_dcid,
        id=row.section_id,
        school_number=row.school_number,
        term_id=row.term_id,
        course_number=row.course_number,
        section_number=row.section_number,
        teachers=teaching(rows),
    )


def member_of(rows: list[StaffRow]) -> StaffMember:
    """Return the person with the schools that they work at; who works at none keeps those of the past."""
    row = rows[0]
    current = [each.school_number for each in rows if each.status == CURRENT]
    schools = current or [each.school_number for each in rows]
    return StaffMember(
        users_dcid=row.users_dcid,
        teacher_number=row.teacher_number,
        first_name=row.first_name,
        last_name=row.last_name,
        email=row.email.strip() or None,
        school_numbers=tuple(sorted(set(schools))),
        is_active=bool(current),
    )


def student_of(rows: list[FeedStudentRow]) -> Student:
    """Return the student with the primary e-mail address, else the first by its priority."""
    row = rows[0]
    addresses = [each for each in rows if each.email.strip()]
    chosen = min(addresses, key=FeedStudentRow.precedence, default=None)
    return Student(
        dcid=row.student_dcid,
        number=row.student_number,
        first_name=row.first_name,
        last_name=row.last_name,
        email=chosen.email.strip() if chosen else None,
        school_number=row.school_number,
        is_active=row.enroll_status == ENROLLED,
        is_pre_registered=row.enroll_status == PRE_REGISTERED,
        preferred_first_name=row.preferred_first_name,
        preferred_last_name=row.preferred_last_name,
    )


SCHOOLS = QueryList(f"{PROVISIONING_PREFIX}schools", SchoolRow, ("school_dcid",), "SCHOOLS.DCID")
TERMS = QueryList(f"{PROVISIONING_PREFIX}terms", TermRow, ("term_dcid",), "TERMS.DCID")
COURSES = QueryList(f"{PROVISIONING_PREFIX}courses", CourseRow, ("course_dcid",), "COURSES.DCID")
SECTIONS = QueryList(
    f"{PROVISIONING_PREFIX}sections", FeedSectionRow, ("section_dcid", "section_teacher_id"), "SECTIONS.DCID"
)
STAFF = QueryList(f"{PROVISIONING_PREFIX}staff", StaffRow, ("users_dcid", "staff_id"), "USERS.DCID")
STUDENTS = QueryList(f"{PROVISIONING_PREFIX}students", FeedStudentRow, ("student_dcid", "email_id"), "STUDENTS.DCID")
ENROLLMENTS = QueryList(f"{PROVISIONING_PREFIX}enrollments", EnrollmentRow, ("enrollment_dcid",), "CC.DCID")
LISTS: tuple[QueryList[Any], ...] = (SCHOOLS, TERMS, COURSES, SECTIONS, STAFF, STUDENTS, ENROLLMENTS)
