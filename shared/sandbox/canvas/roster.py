"""What a sandbox Canvas holds, entity by entity, by SIS ids: for tests, and to compare with PowerSchool."""

from collections.abc import Iterable
from typing import Any, Final

from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.sis_import.people_rows import TYPES
from shared.sandbox.canvas.values import rest_time

ROLES: Final = {enrollment_type: role for role, enrollment_type in TYPES.items()}
COLUMNS: Final = {
    "accounts": {"account_id": "sis_account_id", "name": "name"},
    "terms": {"term_id": "sis_term_id", "name": "name"},
    "courses": {
        "course_id": "sis_course_id", "short_name": "code", "long_name": "name", "account_id": "account_sis_id",
    },
    "sections": {"section_id": "sis_section_id", "name": "name"},
    "users": {
        "user_id": "sis_user_id", "login_id": "login", "full_name": "name", "sortable_name": "sortable_name",
        "email": "email", "declared_user_type": "declared_user_type",
    },
}  # fmt: skip
"""The columns of the CSV files, and the fields of the records that hold them. The first is the SIS id."""

Row = dict[str, Any]


def roster_json(canvas: CanvasSandbox) -> dict[str, list[Row]]:
    """Return everything that has a SIS id, deleted records included, in the columns of the CSV files and sorted.

    `status` is the state that Canvas keeps: of courses `unpublished`, `available`, `completed` or `deleted`.
    """
    courses = list(canvas.courses.values())
    everything = {
        "accounts": [_row("accounts", account) for account in canvas.accounts.values()],
        "terms": [_row("terms", term) | _dates(term) for term in canvas.terms],
        "courses": [_row("courses", each) | {"term_id": each.term.sis_term_id} | _dates(each) for each in courses],
        "sections": [
            _row("sections", section) | {"course_id": course.sis_course_id} | _dates(section)
            for course in courses
            for section in course.sections.values()
        ],
        "users": [_row("users", user) for user in canvas.users.values()],
    }
    return {name: _sorted(row for row in rows if next(iter(row.values()))) for name, rows in everything.items()} | {
        "enrollments": _sorted(_enrollments(canvas))
    }


def _row(kind: str, record: Any) -> Row:
    return {column: getattr(record, name) for column, name in COLUMNS[kind].items()} | {"status": record.workflow_state}


def _dates(record: Any) -> Row:
    return {"start_date": rest_time(record.start_at), "end_date": rest_time(record.end_at)}


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


def _enrollments(canvas: CanvasSandbox) -> list[Row]:
    return [
        {
            "course_id": course.sis_course_id,
            "section_id": course.sections[enrollment.section_id].sis_section_id,
            "user_id": canvas.users[enrollment.user_id].sis_user_id,
            "role": enrollment.custom_role or ROLES.get(enrollment.type, enrollment.type),
            "status": enrollment.state,
        }
        for course in canvas.courses.values()
        for enrollment in course.enrollments.values()
        if canvas.users[enrollment.user_id].sis_user_id
    ]
