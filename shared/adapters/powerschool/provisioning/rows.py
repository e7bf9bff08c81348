"""Rows of the plugin's provisioning queries, and the records made of them. Query rows are text throughout."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from shared.adapters.http.wire import AnyText, Date, EnrollmentDate, IntOrZero, OptionalId, Wire
from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.rosters.reader import ENROLLED, PRE_REGISTERED
from shared.domain.plugin import PROVISIONING_PREFIX
from shared.domain.provisioning.roster import (
    ClassSection,
    StaffMember,
    Student,
    TeachingAssignment,
)

CURRENT = 1
"""SCHOOLSTAFF.STATUS of those who work there; 0 and 2 do not (v1 reference, `school_affiliation.status`)."""


class SchoolRow(Wire):
    """A row of `org.passback.sync.provisioning.schools`, with the fields of `School`."""

    number: int = Field(validation_alias="school_number")
    dcid: int = Field(validation_alias="school_dcid")
    name: AnyText = Field("", validation_alias="school_name")


class TermRow(Wire):
    """A row of `org.passback.sync.provisioning.terms`, with the fields of `SchoolTerm`."""

    id: int = Field(validation_alias="term_id")
    dcid: int = Field(validation_alias="term_dcid")
    school_number: int
    year_id: int
    name: AnyText = Field("", validation_alias="term_name")
    abbreviation: AnyText = ""
    first_day: Date
    last_day: Date


class CourseRow(Wire):
    """A row of `org.passback.sync.provisioning.courses`, with the fields of `CatalogCourse`."""

    number: AnyText = Field(validation_alias="course_number")
    name: AnyText = Field("", validation_alias="course_name")
    school_number: IntOrZero = 0


class FeedSectionRow(Wire):
    """A row of `org.passback.sync.provisioning.sections`: a section, with one of its co-teachers if it has any."""

    section_dcid: int
    section_id: int
    school_number: int
    term_id: int
    course_number: AnyText = ""
    section_number: AnyText = ""
    lead_users_dcid: OptionalId = None
    co_users_dcid: OptionalId = None
    section_teacher_id: OptionalId = None
    co_role_id: OptionalId = None
    co_first_day: EnrollmentDate = None
    co_last_day: EnrollmentDate = None


class StaffRow(Wire):
    """A row of `org.passback.sync.provisioning.staff`: a person at one school."""

    users_dcid: int
    staff_id: int
    teacher_number: AnyText = ""
    first_name: AnyText = ""
    last_name: AnyText = ""
    email: AnyText = ""
    school_number: IntOrZero = 0
    status: IntOrZero = 0


class FeedStudentRow(Wire):
    """A row of `org.passback.sync.provisioning.students`: a student, with one of their e-mail addresses if any.

    A district may add columns for preferred names to the query: PowerSchool has no column for them that every
    district uses. Where the legal name has fields of its own (StudentCoreFields), STUDENTS has the preferred one.
    """

    student_dcid: int
    student_number: AnyText = ""
    first_name: AnyText = ""
    last_name: AnyText = ""
    school_number: IntOrZero = 0
    enroll_status: int
    email_id: OptionalId = None
    email: AnyText = ""
    is_primary: IntOrZero = 0
    priority: OptionalId = None
    preferred_first_name: AnyText = ""
    preferred_last_name: AnyText = ""

    def priority_of_email(self) -> tuple[bool, int, int]:
        """Return the rank of the address among the student's: the smallest is used."""
        return self.is_primary != 1, 1 << 30 if self.priority is None else self.priority, self.email_id or 0


class EnrollmentRow(Wire):
    """A row of `org.passback.sync.provisioning.enrollments`, with the fields of `ClassEnrollment`."""

    section_dcid: int
    student_dcid: int
    entry_date: EnrollmentDate = None
    exit_date: EnrollmentDate = None
    is_dropped: bool = False


def teaching(rows: Sequence[FeedSectionRow]) -> tuple[TeachingAssignment, ...]:
    """Return the teachers of the section of these rows, the lead teacher first. A USERS.DCID of 0 is no user."""
    lead = rows[0].lead_users_dcid
    leads = [TeachingAssignment(lead, is_lead=True)] if lead else []
    others = (
        TeachingAssignment(user, False, row.co_role_id, row.co_first_day, row.co_last_day)
        for row in rows
        if (user := row.co_users_dcid) and user != lead
    )
    return (*leads, *dict.fromkeys(others))


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
    """Return the person with the schools that they work at; with those of the past where there are no current ones."""
    row = rows[0]
    current = [row.school_number for row in rows if row.status == CURRENT]
    schools = current or [row.school_number for row in rows]
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
    addresses = [row for row in rows if row.email.strip()]
    address = min(addresses, key=FeedStudentRow.priority_of_email, default=None)
    return Student(
        dcid=row.student_dcid,
        number=row.student_number,
        first_name=row.first_name,
        last_name=row.last_name,
        email=address.email.strip() if address else None,
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
