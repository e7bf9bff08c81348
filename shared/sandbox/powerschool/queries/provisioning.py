"""The plugin's provisioning queries: whole rosters.

They answer as the SQL in `deploy/powerschool-plugin/queries_root` says.
"""

from collections.abc import Callable, Iterable

from shared.sandbox.powerschool.queries.gradebook import (
    INDEX_COLUMNS,
    Arguments,
    PowerQuery,
    Row,
    near_sections,
    near_years,
)
from shared.sandbox.powerschool.rows import Section, Staff
from shared.sandbox.powerschool.state import PowerSchool

CURRENT, GONE = 1, 2
"""SCHOOLSTAFF.STATUS."""


def section_teacher_id(section: Section, number: int) -> int:
    """Return SECTIONTEACHER.ID of the section's teacher of that number."""
    return section.dcid * 100 + number


def _schools(state: PowerSchool) -> Iterable[Row]:
    for school in sorted(state.schools.values(), key=lambda school: school.dcid):
        yield {"school_number": school.number, "school_dcid": school.dcid, "school_name": school.name}


def _terms(state: PowerSchool) -> Iterable[Row]:
    years = near_years(state)
    for term in sorted(state.terms.values(), key=lambda term: term.dcid):
        if term.year_id in years:
            yield {
                "term_id": term.id,
                "term_dcid": term.dcid,
                "school_number": term.school_number,
                "year_id": term.year_id,
                "term_name": term.name,
                "abbreviation": term.abbreviation,
                "first_day": term.first_day,
                "last_day": term.last_day,
            }


def _courses(state: PowerSchool) -> Iterable[Row]:
    used = {section.course_number for section in near_sections(state)}
    for course in sorted(state.courses.values(), key=lambda course: course.dcid):
        if course.number in used:
            yield {
                "course_dcid": course.dcid,
                "course_number": course.number,
                "course_name": course.name,
                "school_number": course.school_number,
            }


def _sections(state: PowerSchool) -> Iterable[Row]:
    """Return each section, left-joined with its co-teachers who have not left."""
    for section in near_sections(state):
        row = {
            "section_dcid": section.dcid,
            "section_id": section.id,
            "school_number": section.school_number,
            "term_id": section.term_id,
            "course_number": section.course_number,
            "section_number": section.section_number,
            "lead_users_dcid": section.lead,
        }
        yield from [{**row, **each} for each in _co_teachers(state, section)] or [row]


def _co_teachers(state: PowerSchool, section: Section) -> Iterable[Row]:
    day = min(state.today(), state.term_of(section).last_day)
    for number, teacher in enumerate(section.teachers):
        is_other = teacher.users_dcid != section.lead
        if is_other and (teacher.end_date is None or teacher.end_date >= day):
            row_id = section_teacher_id(section, number)
            yield {
                "co_users_dcid": teacher.users_dcid,
                "section_teacher_id": row_id,
                "co_role_id": teacher.role_id,
                "co_first_day": teacher.start_date,
                "co_last_day": teacher.end_date,
            }


def _staff(state: PowerSchool) -> Iterable[Row]:
    leads = {section.lead for section in near_sections(state)}
    shown = {member.dcid for member in state.staff.values() if member.active or member.dcid in leads}
    for member in sorted(state.staff.values(), key=lambda member: (member.dcid, member.staff_id)):
        if member.dcid in shown:
            yield _staff_row(member)


def _staff_row(member: Staff) -> Row:
    return {
        "users_dcid": member.dcid,
        "staff_id": member.staff_id,
        "teacher_number": member.teacher_number,
        "first_name": member.first_name,
        "last_name": member.last_name or f"No. {member.dcid}",
        "email": member.email,
        "school_number": member.school_number,
        "status": CURRENT if member.active else GONE,
    }


def _students(state: PowerSchool) -> Iterable[Row]:
    """Return each student, left-joined with the e-mail addresses."""
    enrolled = {row.student_dcid for section in near_sections(state) for row in state.rosters[section.dcid]}
    for student in sorted(state.students.values(), key=lambda student: student.dcid):
        if student.enroll_status != 0 and student.dcid not in enrolled:
            continue
        row = {
            "student_dcid": student.dcid,
            "student_number": student.number,
            "first_name": student.first_name,
            "last_name": student.last_name or f"No. {student.dcid}",
            "school_number": student.school_number,
            "enroll_status": student.enroll_status,
        }
        if student.preferred_first_name or student.preferred_last_name:
            # As a query answers to which the district added these columns; nulls are left out of a row.
            row |= {
                "preferred_first_name": student.preferred_first_name,
                "preferred_last_name": student.preferred_last_name,
            }
        if not student.emails:
            yield row
        for priority, email in enumerate(student.emails, 1):
            is_primary = email == student.email
            email_id = student.dcid * 10 + priority
            yield {**row, "email_id": email_id, "email": email, "is_primary": is_primary, "priority": priority}


def _enrollments(state: PowerSchool) -> Iterable[Row]:
    rows = (row for section in near_sections(state) for row in state.rosters[section.dcid])
    for row in sorted(rows, key=lambda row: row.dcid):
        if row.student_dcid in state.students:
            yield {
                "enrollment_dcid": row.dcid,
                "section_dcid": row.section_dcid,
                "student_dcid": row.student_dcid,
                "entry_date": row.entry_date,
                "exit_date": row.exit_date,
                "is_dropped": row.dropped,
            }


def _query(
    name: str,
    core_table: str,
    columns: dict[str, str],
    rows: Callable[[PowerSchool], Iterable[Row]],
    *key: str,
) -> PowerQuery:
    def without_arguments(state: PowerSchool, _arguments: Arguments) -> Iterable[Row]:
        return rows(state)

    return PowerQuery(f"org.passback.sync.provisioning.{name}", core_table, (), columns, without_arguments, key)


PROVISIONING_QUERIES = {
    query.name: query
    for query in (
        _query(
            "schools",
            "schools",
            {"school_number": "schools.school_number", "school_dcid": "schools.dcid", "school_name": "schools.name"},
            _schools,
            "school_dcid",
        ),
        _query(
            "terms",
            "terms",
            {
                "term_id": "terms.id",
                "term_dcid": "terms.dcid",
                "school_number": "terms.schoolid",
                "year_id": "terms.yearid",
                "term_name": "terms.name",
                "abbreviation": "terms.abbreviation",
                "first_day": "terms.firstday",
                "last_day": "terms.lastday",
            },
            _terms,
            "term_dcid",
        ),
        _query(
            "courses",
            "courses",
            {
                "course_dcid": "courses.dcid",
                "course_number": "courses.course_number",
                "course_name": "courses.course_name",
                "school_number": "courses.schoolid",
            },
            _courses,
            "course_dcid",
        ),
        _query(
            "sections",
            "sections",
            {
                **INDEX_COLUMNS,
                "lead_users_dcid": "schoolstaff.users_dcid",
                "co_users_dcid": "schoolstaff.users_dcid",
                "section_teacher_id": "sectionteacher.id",
                "co_role_id": "sectionteacher.roleid",
                "co_first_day": "sectionteacher.start_date",
                "co_last_day": "sectionteacher.end_date",
            },
            _sections,
            "section_dcid",
            "section_teacher_id",
        ),
        _query(
            "staff",
            "users",
            {
                "users_dcid": "users.dcid",
                "teacher_number": "users.teachernumber",
                "first_name": "users.first_name",
                "last_name": "users.last_name",
                "email": "users.email_addr",
                "staff_id": "schoolstaff.id",
                "school_number": "schoolstaff.schoolid",
                "status": "schoolstaff.status",
            },
            _staff,
            "users_dcid",
            "staff_id",
        ),
        _query(
            "students",
            "students",
            {
                "student_dcid": "students.dcid",
                "student_number": "students.student_number",
                "first_name": "students.first_name",
                "last_name": "students.last_name",
                "school_number": "students.schoolid",
                "enroll_status": "students.enroll_status",
                "email_id": "personemailaddressassoc.emailaddressid",
                "email": "emailaddress.emailaddress",
                "is_primary": "personemailaddressassoc.isprimaryemailaddress",
                "priority": "personemailaddressassoc.emailaddresspriorityorder",
            },
            _students,
            "student_dcid",
            "email_id",
        ),
        _query(
            "enrollments",
            "cc",
            {
                "enrollment_dcid": "cc.dcid",
                "section_dcid": "sections.dcid",
                "student_dcid": "students.dcid",
                "entry_date": "cc.dateenrolled",
                "exit_date": "cc.dateleft",
                "is_dropped": "cc.sectionid",
            },
            _enrollments,
            "enrollment_dcid",
        ),
    )
}
