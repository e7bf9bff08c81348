"""The plugin's provisioning queries: whole rosters.

They answer as the SQL in `deploy/powerschool-plugin/queries_root` says.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace

from shared.sandbox.powerschool.queries.gradebook import (
    INDEX_COLUMNS,
    Joined,
    PowerQuery,
    near_sections,
    near_years,
)
from shared.sandbox.powerschool.rows import Section
from shared.sandbox.powerschool.state import PowerSchool


def section_teacher_id(section: Section, number: int) -> int:
    """Return SECTIONTEACHER.ID of the section's teacher of that number."""
    return section.dcid * 100 + number


def _schools(state: PowerSchool) -> Iterable[Joined]:
    return ({"school": school} for school in sorted(state.schools.values(), key=lambda school: school.dcid))


def _terms(state: PowerSchool) -> Iterable[Joined]:
    years, terms = near_years(state), sorted(state.terms.values(), key=lambda term: term.dcid)
    return ({"term": term} for term in terms if term.year_id in years)


def _courses(state: PowerSchool) -> Iterable[Joined]:
    used = {section.course_number for section in near_sections(state)}
    courses = sorted(state.courses.values(), key=lambda course: course.dcid)
    return ({"course": course} for course in courses if course.number in used)


def _sections(state: PowerSchool) -> Iterable[Joined]:
    """Return each section, left-joined with its co-teachers who have not left."""
    for section in near_sections(state):
        day = min(state.today(), state.term_of(section).last_day)
        others = [
            {"section": section, "co": teacher, "row": SimpleNamespace(id=section_teacher_id(section, number))}
            for number, teacher in enumerate(section.teachers)
            if teacher.users_dcid != section.lead and (teacher.end_date is None or teacher.end_date >= day)
        ]
        yield from others or [{"section": section}]


def _staff(state: PowerSchool) -> Iterable[Joined]:
    leads = {section.lead for section in near_sections(state)}
    shown = {member.dcid for member in state.staff.values() if member.active or member.dcid in leads}
    for member in sorted(state.staff.values(), key=lambda member: (member.dcid, member.staff_id)):
        if member.dcid in shown:
            yield {"staff": member}


def _students(state: PowerSchool) -> Iterable[Joined]:
    """Return each student, left-joined with the e-mail addresses."""
    enrolled = {row.student_dcid for section in near_sections(state) for row in state.rosters[section.dcid]}
    for student in sorted(state.students.values(), key=lambda student: student.dcid):
        if student.enroll_status != 0 and student.dcid not in enrolled:
            continue
        if not student.emails:
            yield {"student": student}
        for number, address in enumerate(student.emails, 1):
            email = SimpleNamespace(
                id=student.dcid * 10 + number, address=address, is_primary=address == student.email, priority=number
            )
            yield {"student": student, "email": email}


def _enrollments(state: PowerSchool) -> Iterable[Joined]:
    rows = (row for section in near_sections(state) for row in state.rosters[section.dcid])
    for row in sorted(rows, key=lambda row: row.dcid):
        if row.student_dcid in state.students:
            yield {"enrollment": row}


def _query(
    name: str,
    core_table: str,
    columns: dict[str, tuple[str, str, str]],
    joined: Callable[[PowerSchool], Iterable[Joined]],
    *key: str,
) -> PowerQuery:
    full_name = f"org.passback.sync.provisioning.{name}"
    return PowerQuery(full_name, core_table, columns, lambda state, _arguments: joined(state), key)


PROVISIONING_QUERIES = {
    query.name: query
    for query in (
        _query(
            "schools",
            "schools",
            {
                "school_number": ("schools.school_number", "school", "number"),
                "school_dcid": ("schools.dcid", "school", "dcid"),
                "school_name": ("schools.name", "school", "name"),
            },
            _schools,
            "school_dcid",
        ),
        _query(
            "terms",
            "terms",
            {
                "term_id": ("terms.id", "term", "id"),
                "term_dcid": ("terms.dcid", "term", "dcid"),
                "school_number": ("terms.schoolid", "term", "school_number"),
                "year_id": ("terms.yearid", "term", "year_id"),
                "term_name": ("terms.name", "term", "name"),
                "abbreviation": ("terms.abbreviation", "term", "abbreviation"),
                "first_day": ("terms.firstday", "term", "first_day"),
                "last_day": ("terms.lastday", "term", "last_day"),
            },
            _terms,
            "term_dcid",
        ),
        _query(
            "courses",
            "courses",
            {
                "course_dcid": ("courses.dcid", "course", "dcid"),
                "course_number": ("courses.course_number", "course", "number"),
                "course_name": ("courses.course_name", "course", "name"),
                "school_number": ("courses.schoolid", "course", "school_number"),
            },
            _courses,
            "course_dcid",
        ),
        _query(
            "sections",
            "sections",
            INDEX_COLUMNS
            | {
                "lead_users_dcid": ("schoolstaff.users_dcid", "section", "lead"),
                "co_users_dcid": ("schoolstaff.users_dcid", "co", "users_dcid"),
                "section_teacher_id": ("sectionteacher.id", "row", "id"),
                "co_role_id": ("sectionteacher.roleid", "co", "role_id"),
                "co_first_day": ("sectionteacher.start_date", "co", "start_date"),
                "co_last_day": ("sectionteacher.end_date", "co", "end_date"),
            },
            _sections,
            "section_dcid",
            "section_teacher_id",
        ),
        _query(
            "staff",
            "users",
            {
                "users_dcid": ("users.dcid", "staff", "dcid"),
                "teacher_number": ("users.teachernumber", "staff", "teacher_number"),
                "first_name": ("users.first_name", "staff", "first_name"),
                "last_name": ("users.last_name", "staff", "shown_last_name"),
                "email": ("users.email_addr", "staff", "email"),
                "staff_id": ("schoolstaff.id", "staff", "staff_id"),
                "school_number": ("schoolstaff.schoolid", "staff", "school_number"),
                "status": ("schoolstaff.status", "staff", "status"),
            },
            _staff,
            "users_dcid",
            "staff_id",
        ),
        _query(
            "students",
            "students",
            {
                "student_dcid": ("students.dcid", "student", "dcid"),
                "student_number": ("students.student_number", "student", "number"),
                "first_name": ("students.first_name", "student", "first_name"),
                "last_name": ("students.last_name", "student", "shown_last_name"),
                "school_number": ("students.schoolid", "student", "school_number"),
                "enroll_status": ("students.enroll_status", "student", "enroll_status"),
                "email_id": ("personemailaddressassoc.emailaddressid", "email", "id"),
                "email": ("emailaddress.emailaddress", "email", "address"),
                "is_primary": ("personemailaddressassoc.isprimaryemailaddress", "email", "is_primary"),
                "priority": ("personemailaddressassoc.emailaddresspriorityorder", "email", "priority"),
            },
            _students,
            "student_dcid",
            "email_id",
        ),
        _query(
            "enrollments",
            "cc",
            {
                "enrollment_dcid": ("cc.dcid", "enrollment", "dcid"),
                "section_dcid": ("sections.dcid", "enrollment", "section_dcid"),
                "student_dcid": ("students.dcid", "enrollment", "student_dcid"),
                "entry_date": ("cc.dateenrolled", "enrollment", "entry_date"),
                "exit_date": ("cc.dateleft", "enrollment", "exit_date"),
                "is_dropped": ("cc.sectionid", "enrollment", "dropped"),
            },
            _enrollments,
            "enrollment_dcid",
        ),
    )
}
