"""One tree of errors with two branches.

    PassbackError
    +-- TransientError                may pass by itself: spends an attempt
    |   +-- ServiceUnavailable        the whole system is throttled or unavailable: waits, spends no attempt
    |   +-- LeaseLost                 another worker has the course: stop writing
    |   +-- CourseBusy                the course is being synced: its links cannot be changed now
    |   +-- RunChanged                a provisioning run was changed since it was read: read it again
    |   +-- GradebookIncomplete       Canvas did not return single assignments, whatever the size of the page
    |   +-- IncompleteRead            PowerSchool returned fewer roster rows than it counts: read again later
    +-- PermanentError                will not pass by itself
        +-- RequestRejected           the remote system understood and refused (4xx), with its text
        |   +-- NotFound              what was addressed does not exist
        |   |   +-- CourseGone        Canvas has no such course, or not any more
        |   |   +-- PersonUnknown     Canvas has nobody of this id
        |   |   +-- NotInCourse       the course has no such assignment or person
        |   +-- AccessDenied          credentials, scopes or grants
        |       +-- QueryUnavailable  PowerSchool does not run a query of the plugin
        +-- UnexpectedResponse        a response that its reference does not describe
            +-- ResponseTooLarge      it is longer than the limit

Adapters translate once, at the edge. Messages name the call by its path template and the status
(`PUT /ws/xte/score: 409`), with ids only: never names, scores, e-mails or tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.domain.causes import Cause
from shared.domain.passback.canvas import GradebookRow


class PassbackError(Exception):
    """The root of the tree."""


class TransientError(PassbackError):
    """May pass by itself. `cause` is a code for settling and counting, such as `powerschool_timeout`.

    `outcome_unknown` says that a write was sent, and that nobody knows whether it was carried out.
    """

    def __init__(self, message: str, *, cause: str, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.outcome_unknown = outcome_unknown


class ServiceUnavailable(TransientError):
    """A system is throttled, in maintenance or unreachable: wait `delay`, spend no attempt."""

    def __init__(self, message: str, *, cause: str, delay: timedelta, outcome_unknown: bool = False) -> None:
        super().__init__(message, cause=cause, outcome_unknown=outcome_unknown)
        self.delay = delay


class LeaseLost(TransientError):
    """This worker's lease of the course ended: it must not write."""

    def __init__(self, course_id: str) -> None:
        super().__init__(f"lease of course {course_id} lost", cause=Cause.LEASE_LOST)


class CourseBusy(TransientError):
    """A sync of the course runs: its links are not changed meanwhile."""

    def __init__(self, course_id: str) -> None:
        super().__init__(f"course {course_id} is being synced: try again in a moment", cause=Cause.COURSE_BUSY)


class RunChanged(TransientError):
    """The stored provisioning run is not the one that was read: nothing is saved over it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} has changed since it was read", cause=Cause.RUN_CHANGED)


class GradebookIncomplete(TransientError):
    """Canvas did not return the scores of some assignments; `rows` has those of all others.

    `unread` holds the failures by assignment id.
    """

    def __init__(self, rows: Sequence[GradebookRow], unread: Mapping[str, TransientError]) -> None:
        first = next(iter(unread.values()))
        super().__init__(str(first), cause=first.cause)
        self.rows = rows
        self.unread = unread


class IncompleteRead(TransientError):
    """PowerSchool returned fewer rows than it counts. An incomplete roster must never be used."""

    def __init__(self, message: str) -> None:
        super().__init__(message, cause=Cause.ROSTER_TRUNCATED)


class PermanentError(PassbackError):
    """Will not pass by itself. `cause` is a code, such as `powerschool_409`."""

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message, cause)
        self.message = message
        self.cause = cause

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """What a refusal says about one row: its text without personal data, and the ids it names, where it names any."""

    field: str
    assignment_section_id: int | None = None
    student_dcid: int | None = None


class RequestRejected(PermanentError):
    """The remote system understood the request and refused it.

    `message` is safe to log. `error_text` is what the system said, redacted; `rows` its
    `errors[]`.
    """

    def __init__(
        self, message: str, *, cause: str, status: int, error_text: str = "", rows: Sequence[RejectedRow] = ()
    ) -> None:
        super().__init__(message, cause=cause)
        self.status = status
        self.error_text = error_text
        self.rows = tuple(rows)


class NotFound(RequestRejected):
    """What was addressed does not exist (any more)."""


class CourseGone(NotFound):
    """Canvas has no course of this id, or not any more: it said so twice, or that the course was deleted."""

    def __init__(self, message: str, *, status: int = 404) -> None:
        super().__init__(message, cause=Cause.CANVAS_COURSE_GONE, status=status)


class PersonUnknown(NotFound):
    """Canvas has nobody of this id or SIS id."""

    def __init__(self, message: str) -> None:
        super().__init__(message, cause=Cause.CANVAS_404, status=404)


class NotInCourse(NotFound):
    """The course has no such assignment or person; the message says so in a sentence without a full stop."""

    def __init__(self, message: str) -> None:
        super().__init__(message, cause=Cause.CANVAS_404, status=404)


class AccessDenied(RequestRejected):
    """Credentials, scopes or grants are not enough. Retrying does not help; a person must act."""


class QueryUnavailable(AccessDenied):
    """PowerSchool does not run a named query of the plugin. `cause` is one of `QUERY_FAULTS`, `query` its full name."""

    def __init__(self, message: str, *, cause: str, status: int, query: str, error_text: str = "") -> None:
        super().__init__(message, cause=cause, status=status, error_text=error_text)
        self.query = query


class UnexpectedResponse(PermanentError):
    """The system returned something that its reference does not describe."""


class ResponseTooLarge(UnexpectedResponse):
    """The response is longer than the limit for its kind; a smaller page may be short enough."""
