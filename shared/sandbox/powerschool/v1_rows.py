"""The rows of `/ws/v1`: what each resource shows of a table row."""

from collections.abc import Mapping
from typing import Any

from shared.sandbox.powerschool.rows import Course, Enrollment, School, Section, Staff, Student, Term
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.v1_json import Resource, Row

SCHOOL = Resource("school", "schools", "school_boundary, full_time_equivalencies, school_fees_setup")
COURSE = Resource("course", "courses")
SECTION = Resource("section", "sections", "term")
ENROLLMENT = Resource("section_enrollment", "section_enrollments", empty_text=True)
TERM = Resource("term", "terms")
STAFF = Resource("staff", "staffs", "addresses, emails, phones, school_affiliations")
STUDENT = Resource("student", "students", "demographics, addresses, phones, school_enrollment, contact, contact_info")

# Documented letters; every other status is I, inactive.
ENROLL_STATUS = {0: "A", -1: "P", 2: "T", 3: "G", 4: "H"}


def school_row(school: School) -> Row:
    """Return a school."""
    return {
        "id": school.dcid,
        "name": school.name,
        "school_number": school.number,
        "low_grade": 6,
        "high_grade": 8,
        "alternate_school_number": 0,
    }


def course_row(course: Course) -> Row:
    """Return a course."""
    return {"id": course.dcid, "course_number": course.number, "course_name": course.name}


def school_dcid(state: PowerSchool, number: int) -> int:
    """Return SCHOOLS.DCID for a school number; 0, the district office, stays 0."""
    return next((school.dcid for school in state.schools.values() if school.number == number), 0)


def section_row(state: PowerSchool, section: Section) -> Row:
    """Return a section with its lead teacher only: co-teachers are not in v1 (documented)."""
    course = state.course_of(section)
    lead = None if section.lead is None else state.staff_of(section.lead, section.school_number)
    return {
        "id": section.dcid,
        "school_id": school_dcid(state, section.school_number),
        "course_id": course.dcid if course else None,
        "staff_id": lead.staff_dcid if lead else None,
        "term_id": state.term_of(section).dcid,
        "section_number": section.section_number,
        "expression": section.expression,
        "external_expression": f"P{section.expression}",
        "gradebooktype": "PTP",
    }


def enrollment_row(enrollment: Enrollment) -> Row:
    """Return a section enrollment."""
    return {
        "id": enrollment.dcid,
        "section_id": enrollment.section_dcid,
        "student_id": enrollment.student_dcid,
        "entry_date": enrollment.entry_date.isoformat(),
        "exit_date": enrollment.exit_date.isoformat() if enrollment.exit_date else None,
        "dropped": enrollment.dropped,
    }


def term_row(state: PowerSchool, term: Term) -> Row:
    """Return a term; its `id` is TERMS.DCID, TERMS.ID is not in v1 (documented)."""
    return {
        "id": term.dcid,
        "school_id": school_dcid(state, term.school_number),
        "start_year": term.start_year,
        "portion": term.portion,
        "start_date": term.first_day.isoformat(),
        "end_date": term.last_day.isoformat(),
        "abbreviation": term.abbreviation,
        "name": term.name,
    }


def staff_row(state: PowerSchool, staff: Staff, expansions: set[str]) -> Row:
    """Return a staff member by SCHOOLSTAFF.DCID, with the user's affiliations if they are asked for."""
    row: dict[str, Any] = {
        "id": staff.staff_dcid,
        "local_id": staff.teacher_number,
        "name": _name(staff.first_name, staff.last_name, staff.dcid),
        "users_dcid": staff.dcid,
    }
    if "emails" in expansions:
        row["emails"] = {"work_email": staff.email}
    if "school_affiliations" in expansions:
        own = [other for other in state.staff.values() if other.dcid == staff.dcid]
        row["school_affiliations"] = {"school_affiliation": [_affiliation(state, other) for other in own]}
    return row


def _affiliation(state: PowerSchool, staff: Staff) -> Row:
    return {"school_id": school_dcid(state, staff.school_number), "type": 1, "status": 1 if staff.active else 2}


def student_row(state: PowerSchool, student: Student, expansions: set[str]) -> Row:
    """Return a student by STUDENTS.DCID."""
    row: dict[str, Any] = {
        "id": student.dcid,
        "local_id": student.number,
        "name": _name(student.first_name, student.last_name, student.dcid),
    }
    if "contact_info" in expansions:
        row["contact_info"] = {"email": next(iter(student.emails), None)}
    if "school_enrollment" in expansions:
        row["school_enrollment"] = student_enrollment(state, student)
    return row


def student_enrollment(state: PowerSchool, student: Student) -> Mapping[str, Any]:
    """Return the school enrollment, which can be asked for and filtered by."""
    return {
        "enroll_status": ENROLL_STATUS.get(student.enroll_status, "I"),
        "enroll_status_code": student.enroll_status,
        "school_number": student.school_number,
        "school_id": school_dcid(state, student.school_number),
    }


def _name(first: str, last: str, dcid: int) -> Row:
    return {"first_name": first, "last_name": last or f"No. {dcid}"}
