"""Rows of users.csv and enrollments.csv, applied to the sandbox's records.

Source: canvas-lms lib/sis/{user,enrollment}_importer.rb.
"""

from typing import Any, Final

from shared.sandbox.canvas.seed import Section
from shared.sandbox.canvas.sis_import.files import Line
from shared.sandbox.canvas.sis_import.records import RowProblem, Work, required, status_of
from shared.sandbox.canvas.sis_import.structure_rows import default_section
from shared.sandbox.canvas.state import SERVICE_USER_ID, Course, Enrollment, User

TYPES: Final = {
    "student": "StudentEnrollment",
    "teacher": "TeacherEnrollment",
    "ta": "TaEnrollment",
    "observer": "ObserverEnrollment",
    "designer": "DesignerEnrollment",
}
STATUSES: Final = ("active", "deleted", "completed", "inactive", "deleted_last_completed")


def apply_user(work: Work, row: Line) -> None:
    """Create, change, suspend or delete a user; who has no SIS id yet is found by the login."""
    sis_id, login = row["user_id"], row["login_id"]
    required("a user", user_id=sis_id)
    required(f"user {sis_id}", login_id=login, status=row["status"])
    if row["status"].lower() not in ("active", "suspended", "deleted"):
        raise RowProblem(f"Improper status for user {sis_id}")
    status = row["status"].lower()
    user = _claimed(work, sis_id, login, status)
    name = _name(row, user)
    if user is None:
        user = User(work.canvas.new_id(), sis_id, name, workflow_state=status)
        work.canvas.users[user.id] = user
        work.created(user, status)
    elif status == "deleted" and user.workflow_state == "deleted":
        return
    work.directory.logins.pop(user.login.lower(), None)
    work.directory.users.pop(user.sis_user_id or "", None)
    values: dict[str, Any] = {"name": name, "login_id": login, "workflow_state": status}
    values |= {"sortable_name": _sortable_name(row), "sis_user_id": sis_id}
    given = {field: row[field] for field in ("short_name", "email", "integration_id") if row[field]}
    if row["declared_user_type"]:
        given["declared_user_type"] = "" if row["declared_user_type"] == "<delete>" else row["declared_user_type"]
    work.assign(user, **(values | given))
    work.directory.users[sis_id] = user
    if status == "deleted":
        # It was the last login: all enrollments go with it, in bulk.
        for enrollment in work.directory.enrollments_of(user):
            work.set_state(enrollment, "deleted")
    else:
        work.directory.logins[user.login.lower()] = user


def _claimed(work: Work, sis_id: str, login: str, status: str) -> User | None:
    """Return the user whom a row is about. Raises `RowProblem` for a login that belongs to somebody else."""
    by_login = work.directory.logins.get(login.lower())
    user = work.directory.users.get(sis_id) or by_login
    holder = None
    if user and user.sis_user_id and user.sis_user_id != sis_id:
        holder = user
    elif by_login and by_login is not user and status != "deleted":
        holder = by_login
    if holder is not None:
        whose = f"SIS ID {holder.sis_user_id}" if holder.sis_user_id else f"Canvas ID {holder.id}"
        raise RowProblem(
            f"An existing Canvas user with the {whose} has already claimed {sis_id}'s user_id requested login "
            "information, skipping"
        )
    return user


def _name(row: Line, user: User | None) -> str:
    both = f"{row['first_name']} {row['last_name']}".strip()
    found = row["full_name"] or both or (user.name if user else "")
    return found or row["sortable_name"] or row["short_name"] or row["login_id"]


def _sortable_name(row: Line) -> str | None:
    parts = [part for part in (row["last_name"], row["first_name"]) if part]
    return row["sortable_name"] or (None if row["full_name"] else ", ".join(parts) or None)


def apply_enrollment(work: Work, row: Line) -> None:
    """Create or change the enrollment of a user in a section and a role, Canvas's or the account's own."""
    if not row["course_id"] and not row["section_id"]:
        raise RowProblem("No course_id or section_id given for an enrollment")
    if not row["user_id"]:
        raise RowProblem("No user_id given for an enrollment")
    status = status_of(row["status"], STATUSES, "an enrollment")
    course, section = _place(work, row)
    user = work.directory.users.get(row["user_id"])
    if user is None:
        # The wording of newer versions is not public; older ones said "User … didn't exist for user enrollment".
        raise RowProblem(f"User {row['user_id']} didn't exist for user enrollment")
    custom = row["role"] if row["role"] in work.canvas.seed.custom_roles else ""
    kind = work.canvas.seed.custom_roles.get(custom) or TYPES.get(row["role"].lower())
    if kind is None:
        raise RowProblem(f'Improper role "{row["role"]}" for an enrollment')
    enrollment = work.directory.enrollments.get((section.id, user.id, custom or kind))
    state = _state(work, course, user, enrollment, kind, status, row)
    # Dates apply only as a pair.
    both = row["start_date"] and row["end_date"]
    dates = [work.date(row[name], "an enrollment") if both else None for name in ("start_date", "end_date")]
    if enrollment is None:
        _enroll(work, course, section, user, kind, custom, state, dates)
        return
    enrollment.from_sis = True
    has_new_dates = [enrollment.start_at, enrollment.end_at] != dates
    enrollment.start_at, enrollment.end_at = dates
    has_new_state = work.set_state(enrollment, state)
    if has_new_state or has_new_dates:
        work.canvas.events.enrollment("enrollment_updated", course, enrollment, work.origin)
    if has_new_state:
        work.canvas.events.enrollment_state(course, enrollment, work.origin)


def _place(work: Work, row: Line) -> tuple[Course, Section]:
    """Return the course and section of an enrollment; either may be left out."""
    course_id, section_id = row["course_id"], row["section_id"]
    course = work.directory.courses.get(course_id)
    home, section = work.directory.sections.get(section_id, (None, None))
    if course is None and section is None:
        named = {"Course ID": course_id, "Section ID": section_id, "User ID": row["user_id"]}
        listed = ", ".join(f"{name}: {value}" for name, value in named.items() if value)
        raise RowProblem(f"Neither course nor section existed for user enrollment ({listed})")
    if section_id and section is None:
        raise RowProblem(f"An enrollment referenced a non-existent section {section_id}")
    if course_id and course is None:
        raise RowProblem(f"An enrollment referenced a non-existent course {course_id}")
    if section is None or home is None:
        assert course is not None
        return course, default_section(work, course)
    if course is not None and course.id not in (home.id, section.nonxlist_course_id):
        raise RowProblem(
            f"An enrollment listed a section ({section_id}) and a course ({course_id}) that are unrelated "
            f"for user ({row['user_id']})"
        )
    return home, section


def _state(
    work: Work, course: Course, user: User, enrollment: Enrollment | None, kind: str, status: str, row: Line
) -> str:
    """Return the state that a row asks for. A deleted user is not enrolled; the row gets a warning."""
    if status == "active":
        if user.workflow_state == "deleted":
            work.warn(f"Attempted enrolling of deleted user {user.sis_user_id} in course {row['course_id']}")
            return "deleted"
        return "active"
    if status != "deleted_last_completed":
        return status
    others = (e for e in course.enrollments.values() if e is not enrollment and e.user_id == user.id and e.type == kind)
    return "deleted" if any(other.state in ("active", "invited") for other in others) else "completed"


def _enroll(
    work: Work, course: Course, section: Section, user: User, kind: str, custom: str, state: str, dates: list[Any]
) -> None:
    enrollment = work.canvas.add_enrollment(course, section.id, user.id, kind, state)
    enrollment.custom_role = custom
    enrollment.start_at, enrollment.end_at = dates
    work.directory.enrollments[section.id, user.id, custom or kind] = enrollment
    work.created(enrollment, state)
    if kind == "TeacherEnrollment" and course.teacher_user_id == SERVICE_USER_ID:
        course.teacher_user_id = user.id
    work.canvas.events.enrollment("enrollment_created", course, enrollment, work.origin)
    work.canvas.events.enrollment_state(course, enrollment, work.origin, "enrollment_state_created")
