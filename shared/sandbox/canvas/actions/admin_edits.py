"""What administrators edit by hand and imports would like to change: what they edit sticks.

Source: Canvas "SIS Import Format", the columns marked as sticky; canvas-lms SIS stickiness.
"""

from typing import Any, Final

from shared.sandbox.canvas.actions.course_actions import CourseActions
from shared.sandbox.canvas.live_events.envelope import Origin
from shared.sandbox.canvas.seed import Term, changed
from shared.sandbox.canvas.state import Course, UnknownObject, User

COURSE_FIELDS: Final = frozenset({"name", "code", "workflow_state", "time_zone"})
USER_FIELDS: Final = frozenset({"name", "sortable_name", "short_name", "login_id"})


class AdminEdits(CourseActions):
    """The actions that make fields stick. Each returns what it touched."""

    def edit_term(self, sis_term_id: str, changes: dict[str, Any]) -> Term:
        """Change a term's name or dates (`start_at`, `end_at`): no event."""
        term = next((term for term in self.terms if term.sis_term_id == sis_term_id), None)
        if term is None:
            raise UnknownObject(f"no term {sis_term_id}")
        checked = changed(term, **changes)
        for name in changes:
            setattr(term, name, getattr(checked, name))
        term.stuck_sis_fields |= set(changes)
        return term

    def change_theme(self, theme: str) -> list[Course]:
        """Give the account another mobile CSS and JavaScript, which decorate every description: no event."""
        self.seed.theme = theme
        return list(self.courses.values())

    def edit_course(self, course_id: int, changes: dict[str, str]) -> Course:
        """Change a course's name, code, state or time zone: course_updated."""
        course = self.course(course_id)
        _edit(course, changes, COURSE_FIELDS)
        course.updated_at = self.clock.now()
        self.events.course(course, Origin(method="PUT", path="/settings"))
        return course

    def edit_user(self, user_id: int, changes: dict[str, str]) -> User:
        """Change a person's names or login: no event that passback subscribes to."""
        if user_id not in self.users:
            raise UnknownObject(f"no user {user_id}")
        _edit(self.users[user_id], changes, USER_FIELDS)
        return self.users[user_id]

    def suspend_user(self, user_id: int, *, sticks: bool = True) -> User:
        """Suspend a person's login; an import leaves it suspended where that sticks.

        `workflow_state` is a sticky field of a login (canvas-lms lib/sis/user_importer.rb). Whether every way to
        suspend marks it so is not public: without `sticks` the next row of an import brings the login back.
        """
        if user_id not in self.users:
            raise UnknownObject(f"no user {user_id}")
        user = self.users[user_id]
        user.workflow_state = "suspended"
        user.stuck_sis_fields |= {"workflow_state"} if sticks else set()
        return user


def _edit(record: Course | User, changes: dict[str, str], known: frozenset[str]) -> None:
    unknown = set(changes) - known
    if unknown:
        raise UnknownObject(f"no such field: {', '.join(sorted(unknown))}")
    for name, value in changes.items():
        setattr(record, name, value)
    record.stuck_sis_fields |= set(changes)
