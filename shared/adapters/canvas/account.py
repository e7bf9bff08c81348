"""Reads the account for pages, messages and checks of the district: its courses, and people.

Names and addresses are private: nothing of them is cached, stored or logged.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from shared.adapters.canvas import wire
from shared.adapters.canvas.pagination import MAX_ACCOUNT_PAGES, MAX_ACCOUNT_S, PER_PAGE, PagedApi
from shared.adapters.canvas.wire import PersonWire
from shared.adapters.http.wire import Id, Timestamp, Wire
from shared.domain.passback.canvas import Person
from shared.errors import NotFound, PersonUnknown

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


STATES = [("state[]", state) for state in ("active", "invited", "completed", "inactive")]
STUDENTS = [("type[]", "StudentEnrollment"), *STATES]
# Observers and test students are left out.
TAKES_PART = [
    *(("type[]", f"{role}Enrollment") for role in ("Teacher", "Ta", "Designer", "Student")),
    *STATES,
]
TEACHERS_WITH_ADDRESS = [("enrollment_type[]", "teacher"), ("enrollment_state[]", "active"), ("include[]", "email")]
# A search by name returns this many people at most. Canvas refuses a shorter name.
MAX_FOUND = 50
MIN_NAME_CHARS = 3


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

    def students(self, course_id: str, section_ids: Collection[str] | None = None) -> tuple[Person, ...]:
        """Return the students of the course in the order of their names, those who left it too.

        With `section_ids`, only those of these Canvas sections.
        Source: Canvas REST API, Enrollments, "List enrollments". Raises the errors of `shared.errors`.
        """
        return self._enrolled(course_id, STUDENTS, section_ids)

    def members(self, course_id: str, section_ids: Collection[str] | None = None) -> tuple[Person, ...]:
        """Return the teachers and other staff of the course as well: whoever may have graded. As `students`."""
        return self._enrolled(course_id, TAKES_PART, section_ids)

    def _enrolled(
        self, course_id: str, which: list[tuple[str, str]], section_ids: Collection[str] | None
    ) -> tuple[Person, ...]:
        template, ids = "/api/v1/courses/{course_id}/enrollments", {"course_id": course_id}
        found = {
            row.user_id: _person(row.user, row.sis_user_id)
            for page in self._canvas.pages(template, ids, [*which, PER_PAGE])
            for row in page.rows(wire.STUDENT_ENROLLMENTS)[0]
            if section_ids is None or row.course_section_id in section_ids
        }
        return _by_name(found.values())

    def teachers(self, course_id: str) -> dict[str, str]:
        """Return the e-mail address of each active teacher of the course by user id; empty where Canvas gives none.

        Source: Canvas REST API, Courses, "List users in course", `include[]=email`. Raises the errors of
        `shared.errors`.
        """
        template, ids = "/api/v1/courses/{course_id}/users", {"course_id": course_id}
        pages = self._canvas.pages(template, ids, [*TEACHERS_WITH_ADDRESS, PER_PAGE])
        return {row.id: row.email for page in pages for row in page.rows(wire.TEACHERS)[0]}

    def find(self, name: str) -> tuple[Person, ...]:
        """Return at most `MAX_FOUND` people of the account whose name contains this one.

        Source: Canvas REST API, Users, "List users in account". Raises the errors of `shared.errors`.
        """
        template, ids = "/api/v1/accounts/{account_id}/users", {"account_id": self._account}
        params = [("search_term", name), ("per_page", str(MAX_FOUND))]
        rows, _ = self._canvas.get(template, ids, params=params).rows(wire.PEOPLE)
        return _by_name(_person(row, row.sis_user_id) for row in rows)

    def courses_of(self, user_id: str = "", *, sis_id: str = "") -> frozenset[str]:
        """Return the ids of the courses in which the person teaches or learns, or did so: by Canvas's id or the SIS id.

        Raises: PersonUnknown for an id that nobody has.
        Source: Canvas REST API, Enrollments, `GET /api/v1/users/:user_id/enrollments`.
        """
        template, ids = "/api/v1/users/{user_id}/enrollments", {"user_id": user_id or f"sis_user_id:{sis_id}"}
        pages = self._canvas.pages(template, ids, [*TAKES_PART, PER_PAGE])
        try:
            return frozenset(row.course_id for page in pages for row in page.rows(wire.IN_COURSES)[0])
        except NotFound as error:
            raise PersonUnknown(str(error)) from None


def _person(user: PersonWire, sis_user_id: str | None) -> Person:
    return Person(user.id, user.sortable_name or user.name, sis_user_id or user.sis_user_id)


def _by_name(people: Iterable[Person]) -> tuple[Person, ...]:
    return tuple(sorted(people, key=lambda person: (person.name.casefold(), person.user_id)))
