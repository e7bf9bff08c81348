"""Records by SIS id for the rows of SIS imports, with their sticky fields and the changes of state."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from shared.sandbox.canvas.actions.course_actions import CourseActions
from shared.sandbox.canvas.live_events.envelope import Origin
from shared.sandbox.canvas.seed import Section, Term
from shared.sandbox.canvas.state import Account, Course, Enrollment, User

Subject = Account | Term | Course | Section | User | Enrollment

NONE: Final = "non-existent"
CLASSES: Final[dict[type[Subject], str]] = {
    Account: "Account",
    Term: "EnrollmentTerm",
    Course: "Course",
    Section: "CourseSection",
    User: "Pseudonym",
    Enrollment: "Enrollment",
}
_ALIVE: Final = frozenset({"active", "available", "unpublished"})


class RowProblem(Exception):
    """A row cannot be applied; the text is Canvas's message about it."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A record that appeared, or whose state changed."""

    subject: Subject
    before: str
    after: str


def statistics(changes: Iterable[StateChange]) -> dict[str, Any]:
    """Return `data.statistics`: how many records of each class came, went, ended or came back."""
    recorded = list(changes)
    found: dict[str, Any] = {"total_state_changes": len(recorded)}
    for kind, name in CLASSES.items():
        counts = Counter(_event(change) for change in recorded if isinstance(change.subject, kind))
        shown = ["created", "restored", "deleted"]
        shown += ["concluded"] if kind in (Course, Enrollment) else []
        shown += ["deactivated"] if kind is Enrollment else []
        found[name] = {word: counts[word] for word in shown}
    return found


def _event(change: StateChange) -> str:
    if change.after in _ALIVE:
        return "created" if change.before == NONE else "restored"
    return {"deleted": "deleted", "completed": "concluded", "inactive": "deactivated"}.get(change.after, "")


@dataclass
class Directory:
    """The records by what imports call them. Logins are compared without case, and only of those who still have one."""

    canvas: CourseActions

    def __post_init__(self) -> None:
        canvas = self.canvas
        self.terms = {term.sis_term_id: term for term in canvas.terms if term.sis_term_id}
        self.courses = {course.sis_course_id: course for course in canvas.courses.values() if course.sis_course_id}
        self.sections: dict[str, tuple[Course, Section]] = {}
        self.enrollments: dict[tuple[int, int, str], Enrollment] = {}
        for course in canvas.courses.values():
            self.sections |= {s.sis_section_id: (course, s) for s in course.sections.values() if s.sis_section_id}
            self.enrollments |= {
                (e.section_id, e.user_id, e.custom_role or e.type): e for e in course.enrollments.values()
            }
        self.users = {user.sis_user_id: user for user in canvas.users.values() if user.sis_user_id}
        self.logins = {user.login.lower(): user for user in canvas.users.values() if user.workflow_state != "deleted"}

    def enrollments_of(self, user: User) -> list[Enrollment]:
        """Return the user's enrollments that were not deleted."""
        return [e for e in self.enrollments.values() if e.user_id == user.id and e.state != "deleted"]


@dataclass
class Work:
    """What the rows of one import share. `warn` adds a message about a row that is applied nevertheless."""

    canvas: CourseActions
    override_sis_stickiness: bool
    origin: Origin
    warn: Callable[[str], None]
    changes: list[StateChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory = Directory(self.canvas)

    def assign(self, record: Account | Term | Course | Section | User, **values: Any) -> bool:
        """Set what is different and not stuck; say whether anything was. A change of state is recorded."""
        stuck: set[str] = getattr(record, "stuck_sis_fields", set())
        changed = False
        for name, value in values.items():
            before = getattr(record, name)
            if before == value or (name in stuck and not self.override_sis_stickiness):
                continue
            setattr(record, name, value)
            changed = True
            if name == "workflow_state":
                self.changes.append(StateChange(record, before, value))
        return changed

    def created(self, record: Subject, state: str) -> None:
        """Record that the import created this."""
        self.changes.append(StateChange(record, NONE, state))

    def set_state(self, enrollment: Enrollment, state: str) -> bool:
        """Give an enrollment its state; say whether it had another one."""
        if enrollment.state == state:
            return False
        self.changes.append(StateChange(enrollment, enrollment.state, state))
        enrollment.state, enrollment.updated_at = state, self.canvas.clock.now()
        return True

    def date(self, text: str, row: str) -> datetime | None:
        """Return an ISO 8601 time, UTC unless it says otherwise; None, with a warning, for any other text."""
        if not text:
            return None
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            self.warn(f"Bad date format for {row}")
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


def required(row: str, **values: str) -> None:
    """Raise `RowProblem` for the first value that is empty."""
    for name, value in values.items():
        if not value:
            raise RowProblem(f"No {name} given for {row}")


def status_of(status: str, allowed: Iterable[str], row: str) -> str:
    """Return the status in lower case. Raises `RowProblem` for one that the file does not know."""
    if status.lower() not in allowed:
        raise RowProblem(f'Improper status "{status}" for {row}')
    return status.lower()
