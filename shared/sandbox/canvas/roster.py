"""What a sandbox Canvas holds, entity by entity, by SIS ids: for tests, and to compare with PowerSchool."""

from typing import Any, Final

from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.sis_import.people_rows import TYPES
from shared.sandbox.canvas.state import Course
from shared.sandbox.canvas.values import rest_time

ROLES: Final = {enrollment_type: role for role, enrollment_type in TYPES.items()}

Row = dict[str, Any]


def roster_json(canvas: CanvasSandbox) -> dict[str, list[Row]]:
    """Return everything that has a SIS id, deleted records included, in the columns of the CSV files and sorted.

    `status` is the state that Canvas keeps: of courses `unpublished`, `available`, `completed` or `deleted`.
    """
    courses = [course for course in canvas.courses.values() if course.sis_course_id]
    everything = {
        "accounts": [
            {"account_id": a.sis_account_id, "name": a.name, "status": a.workflow_state}
            for a in canvas.accounts.values()
        ],
        "terms": _terms(canvas),
        "courses": [_course(course) for course in courses],
        "sections": [row for course in canvas.courses.values() for row in _sections(course)],
        "users": _users(canvas),
        "enrollments": [row for course in canvas.courses.values() for row in _enrollments(canvas, course)],
    }
    return {
        name: sorted(rows, key=lambda row: [str(value) for value in row.values()]) for name, rows in everything.items()
    }


def _dates(record: Any) -> Row:
    return {"start_date": rest_time(record.start_at), "end_date": rest_time(record.end_at)}


def _terms(canvas: CanvasSandbox) -> list[Row]:
    return [
        {"term_id": term.sis_term_id, "name": term.name, **_dates(term), "status": term.workflow_state}
        for term in canvas.terms
        if term.sis_term_id
    ]


def _course(course: Course) -> Row:
    return {
        "course_id": course.sis_course_id,
        "short_name": course.code,
        "long_name": course.name,
        "account_id": course.account_sis_id,
        "term_id": course.term.sis_term_id,
        **_dates(course),
        "status": course.workflow_state,
    }


def _sections(course: Course) -> list[Row]:
    return [
        {
            "section_id": section.sis_section_id,
            "course_id": course.sis_course_id,
            "name": section.name,
            **_dates(section),
            "status": section.workflow_state,
        }
        for section in course.sections.values()
        if section.sis_section_id
    ]


def _users(canvas: CanvasSandbox) -> list[Row]:
    return [
        {
            "user_id": user.sis_user_id,
            "login_id": user.login,
            "full_name": user.name,
            "sortable_name": user.sortable_name,
            "email": user.email,
            "declared_user_type": user.declared_user_type,
            "status": user.workflow_state,
        }
        for user in canvas.users.values()
        if user.sis_user_id
    ]


def _enrollments(canvas: CanvasSandbox, course: Course) -> list[Row]:
    return [
        {
            "course_id": course.sis_course_id,
            "section_id": course.sections[enrollment.section_id].sis_section_id,
            "user_id": canvas.users[enrollment.user_id].sis_user_id,
            "role": enrollment.custom_role or ROLES.get(enrollment.type, enrollment.type),
            "status": enrollment.state,
        }
        for enrollment in course.enrollments.values()
        if canvas.users[enrollment.user_id].sis_user_id
    ]
