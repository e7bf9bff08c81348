"""The weekly digest of a teacher: which of their work does not reach PowerSchool until they change something."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from shared.domain.notifications.messages import Message
from shared.domain.notifications.state import NOTICEABLE_FAILURES, DeliveryFailure
from shared.domain.passback.course_state import INTENTIONAL, AssignmentRecord, CourseRecord
from shared.domain.passback.rules.reasons import Actor, Reason
from shared.domain.wording import counted

# A finished term needs nobody any more, unless somebody asks for it.
NOT_FOR_TEACHERS = INTENTIONAL | {Reason.TERM_CLOSED}
MAX_LISTED = 20
# The waits after a failure of the mail server or of Canvas. After one more, this week's digest is given up.
RETRY_WAITS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 720))
# What concerns one message: the next teacher's may be taken. Not the mail server as a whole.
OF_ONE_MESSAGE = (DeliveryFailure.REFUSED, DeliveryFailure.RECIPIENT_REFUSED)
# Whether the message arrived is not known. A digest is sent at most once: the next one has what is still open.
UNKNOWN = (DeliveryFailure.TIMED_OUT, DeliveryFailure.INTERRUPTED)


class DigestPhase(StrEnum):
    """How far a digest is."""

    READING = "reading"
    """The teachers of courses are read."""
    SENDING = "sending"
    DONE = "done"
    LOST = "lost"
    """Given up, because the mail server took nothing."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest that was due at `due`: how far it is, and of how many teachers what became. `failed` in a row."""

    due: datetime
    phase: DigestPhase = DigestPhase.DONE
    sent: int = 0
    refused: int = 0
    without_address: int = 0
    nothing_left: int = 0
    unread: int = 0
    failed: int = 0
    last_failure: DeliveryFailure | None = None
    not_before: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Say whether there is something left to do."""
        return self.phase in (DigestPhase.READING, DigestPhase.SENDING)

    @property
    def is_failing(self) -> bool:
        """Say whether teachers are not told, and it is no passing trouble."""
        return self.phase is DigestPhase.LOST or (self.is_open and self.failed >= NOTICEABLE_FAILURES)


@dataclass(frozen=True, slots=True)
class AssignmentNeeds:
    """One assignment with the reasons that its teacher can mend. `students` are those whose scores are held back."""

    assignment_id: str
    name: str
    reasons: tuple[Reason, ...]
    students: int


@dataclass(frozen=True, slots=True)
class CourseNeeds:
    """One course with what needs its teachers."""

    course_id: str
    name: str
    assignments: tuple[AssignmentNeeds, ...]


def needs_of(record: CourseRecord | None, today: date) -> CourseNeeds | None:
    """Return what the course needs of its teachers; None if nothing, or if all its terms are over."""
    if record is None:
        return None
    terms = [roster.term for roster in record.rosters if roster.term is not None]
    if terms and all(term.last_day < today for term in terms):
        return None
    needs = tuple(filter(None, map(_needs, record.assignments)))
    return CourseNeeds(record.course_id, record.name, needs) if needs else None


def _needs(assignment: AssignmentRecord) -> AssignmentNeeds | None:
    reasons = {f.reason for section in assignment.sections for f in section.findings}
    if reasons & INTENTIONAL:
        # Not meant to be sent: what else is wrong with it does not matter.
        return None
    students = [each for section in assignment.sections for each in section.students]
    held_back = {each.user_id: each.finding.reason for each in students if _needs_teacher(each.finding.reason)}
    reasons |= set(held_back.values())
    ordered = tuple(reason for reason in Reason if reason in reasons and _needs_teacher(reason))
    return AssignmentNeeds(assignment.assignment_id, assignment.name, ordered, len(held_back)) if ordered else None


def _needs_teacher(reason: Reason) -> bool:
    return reason.who is Actor.TEACHER and reason not in NOT_FOR_TEACHERS


def teacher_message(courses: Sequence[CourseNeeds], canvas_url: str, *, with_names: bool) -> Message:
    """Return the message to a teacher of these courses, with links into Canvas."""
    count = sum(len(course.assignments) for course in courses)
    intro = (
        f"{counted(count, 'assignment')} of yours in Canvas {'is' if count == 1 else 'are'} not in PowerSchool as in "
        "Canvas, until you change what is named here. Other work needs nothing of you."
    )
    parts = [intro, *(part for course in courses for part in _course(course, canvas_url, with_names=with_names))]
    parts.append("This message comes once a week, while there is something. passback sends it for your district.")
    return Message(f"{counted(count, 'assignment')} not in PowerSchool as in Canvas", "\n\n".join(parts) + "\n")


def _course(course: CourseNeeds, canvas_url: str, *, with_names: bool) -> Iterable[str]:
    url = f"{canvas_url}/courses/{course.course_id}"
    yield f"Course {course.course_id}{_named(course.name, with_names)}: {url}"
    for assignment in course.assignments[:MAX_LISTED]:
        students = f" It concerns {counted(assignment.students, 'student')}." if assignment.students else ""
        lines = [f"- Assignment {assignment.assignment_id}{_named(assignment.name, with_names)}.{students}"]
        lines += [f"  {reason.message} {reason.remedy}" for reason in assignment.reasons]
        yield "\n".join([*lines, f"  {url}/assignments/{assignment.assignment_id}"])
    more = len(course.assignments) - MAX_LISTED
    if more > 0:
        yield f"And {more} more in this course."


def _named(name: str, with_names: bool) -> str:
    return f" ({' '.join(name.split())})" if with_names and name else ""
