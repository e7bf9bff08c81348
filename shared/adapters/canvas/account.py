"""Lists the courses of the account, whether or not they have synced work, for a check of the whole district."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from shared.adapters.canvas.pagination import MAX_ACCOUNT_PAGES, MAX_ACCOUNT_S, PER_PAGE, PagedApi
from shared.adapters.http.wire import Id, Timestamp, Wire

# Courses that nobody works in.
NOT_IN_USE = frozenset({"completed", "deleted"})


@dataclass(frozen=True, slots=True)
class AccountCourse:
    """A course of the account, and when it was made; None where Canvas does not say."""

    course_id: str
    created_at: datetime | None = None


class _TermWire(Wire):
    """A course's `term`, with `include[]=term`."""

    end_at: Timestamp = None


class _AccountCourseWire(Wire):
    """One of `GET /api/v1/accounts/:account_id/courses`."""

    id: Id
    workflow_state: str = ""
    created_at: Timestamp = None
    end_at: Timestamp = None
    term: _TermWire | None = None
    blueprint: bool | None = None
    template: bool | None = None

    def is_over(self, now: datetime) -> bool:
        """Say whether the course has ended: by its own date, else by its term's."""
        end_at = self.end_at or (self.term.end_at if self.term else None)
        return end_at is not None and end_at < now


class _SectionSizeWire(Wire):
    """One of `GET /api/v1/courses/:id/sections`, with `include[]=total_students`."""

    id: Id
    total_students: int | None = None


_COURSES = TypeAdapter(list[_AccountCourseWire])
_SIZES = TypeAdapter(list[_SectionSizeWire])


class CanvasAccount:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, canvas: PagedApi, account: str = "self") -> None:
        self._canvas = canvas
        self._account = account

    def courses(self, now: datetime) -> Iterator[AccountCourse]:
        """Yield the courses that have not ended; no blueprints and templates. Raises the errors of `shared.errors`.

        Source: Canvas REST API, Accounts, "List active courses in an account", `include[]=term`. It lists unpublished
        courses too. Courses that cannot be read are left out.
        """
        template, ids = "/api/v1/accounts/{account_id}/courses", {"account_id": self._account}
        pages = self._canvas.pages(
            template, ids, [("include[]", "term"), PER_PAGE], max_pages=MAX_ACCOUNT_PAGES, max_seconds=MAX_ACCOUNT_S
        )
        for page in pages:
            for course in page.rows(_COURSES)[0]:
                is_model = course.blueprint or course.template
                if course.workflow_state not in NOT_IN_USE and not is_model and not course.is_over(now):
                    yield AccountCourse(course.id, course.created_at)

    def section_sizes(self, course_id: str) -> dict[str, int]:
        """Return how many students each section of the course has, by the section's id.

        Source: Canvas REST API, Sections, "List course sections", `include[]=total_students`: active and invited ones.
        """
        template, ids = "/api/v1/courses/{course_id}/sections", {"course_id": course_id}
        pages = self._canvas.pages(template, ids, [("include[]", "total_students"), PER_PAGE])
        rows = (row for page in pages for row in page.rows(_SIZES)[0])
        return {row.id: row.total_students or 0 for row in rows}

    def close(self) -> None:
        """Close the connections."""
        self._canvas.close()
