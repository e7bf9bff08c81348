"""Reads a course and its scores from Canvas: the port `CanvasReader`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter

from shared.adapters.canvas import wire
from shared.adapters.canvas.pagination import (
    MAX_ACCOUNT_PAGES,
    MAX_ACCOUNT_S,
    PER_PAGE,
    PagedApi,
    PageSizes,
    lacks_scope,
)
from shared.adapters.canvas.wire import (
    DECODER,
    AssignmentWire,
    CourseWire,
    GroupWire,
    SubmissionRow,
    one_row_per_student,
    read_rows,
)
from shared.adapters.http.client import Params, RemoteApi
from shared.adapters.http.response import ApiResponse, UnreadableRow
from shared.adapters.redis.cache import JsonCache
from shared.domain.passback.canvas import Assignment, AssignmentGroup, Course, GradebookRow, Section, Unreadable
from shared.errors import AccessDenied, CourseGone, GradebookIncomplete, NotFound, RequestRejected
from shared.ports.passback import CachePolicy

T = TypeVar("T")

# How old cached sections and assignment groups may be. Whatever reports a change, or does not fit them, refreshes them
# sooner. See decision 15.
STRUCTURE_MAX_AGE = timedelta(minutes=10)
# A time zone decides on which day work is due; it is hardly ever changed.
COURSE_MAX_AGE = timedelta(hours=1)


# What a sync asks for. A scoped key needs a scope for each.
SYNC_REQUESTS = (
    "/api/sis/accounts/{account_id}/assignments",
    "/api/v1/courses/{course_id}",
    "/api/v1/courses/{course_id}/assignments",
    "/api/v1/courses/{course_id}/assignment_groups",
    "/api/v1/courses/{course_id}/sections",
    "/api/v1/courses/{course_id}/students/submissions",
    "/api/v1/courses/{course_id}/enrollments",
)


@dataclass(frozen=True, slots=True)
class CourseStructure:
    """The part of a course that seldom changes."""

    sis_course_id: str | None
    sections: tuple[Section, ...]
    groups: tuple[AssignmentGroup, ...]


_STRUCTURE = TypeAdapter(CourseStructure)
_TEST_STUDENTS = TypeAdapter(dict[str, bool])


class CanvasClient:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, canvas: PagedApi, cache: JsonCache, account: str = "self") -> None:
        self._canvas = canvas
        self._cache = cache
        self._page_sizes = PageSizes(cache)
        self._account = account

    @property
    def remote(self) -> RemoteApi:
        """Canvas as a system that answers or does not."""
        return self._canvas.remote

    def course(self, course_id: str, reading: CachePolicy = CachePolicy.BYPASS) -> Course:
        """Return the course with sections, assignments, overrides and groups, but without scores.

        Only the groups say whether moderated grades are released, so that a course with any is always read whole.
        Source: Canvas REST API, Courses, Sections, Assignments, Assignment Groups.
        """
        with self._as_gone(course_id):
            return self._course(course_id, reading)

    def _course(self, course_id: str, reading: CachePolicy) -> Course:
        assignments, odd = self._assignments(course_id)
        moderated = any(assignment.moderated_grading for assignment in assignments)
        course, published = self._names(course_id, reading), dict[str, bool | None]()
        cached = None
        if reading is CachePolicy.USE and not moderated:
            cached = self._cache.get("canvas-frame", course_id)
        if cached is not None:
            structure = _STRUCTURE.validate_python(cached)
        else:
            groups, odd_groups = self._groups(course_id, with_grades_published=moderated)
            structure, odd_sections = self._structure(course_id, groups)
            published = {each.id: each.grades_published for group in groups for each in group.assignments}
            odd = (*odd, *odd_groups, *odd_sections)
            # What could not be read may be readable at the next sync.
            if reading is not CachePolicy.BYPASS and not odd_groups and not odd_sections:
                document = _STRUCTURE.dump_python(structure, mode="json")
                self._cache.put("canvas-frame", course_id, document, STRUCTURE_MAX_AGE)
        return Course(
            id=course_id,
            sis_course_id=structure.sis_course_id,
            sections=structure.sections,
            assignments=tuple(_assignment(assignment, published) for assignment in assignments),
            groups={group.id: group for group in structure.groups},
            name=course.name,
            is_cached=cached is not None,
            unreadable=odd,
            time_zone=_zone(course.time_zone),
        )

    def gradebook(self, course_id: str, assignment_ids: Collection[str]) -> tuple[GradebookRow, ...]:
        """Return one row per student, with the submissions of these assignments; no student twice.

        Canvas lists an enrollment per row, so a student of two sections comes twice, perhaps on two pages. Test
        students are left out. Raises `GradebookIncomplete` where assignments are too heavy by themselves.
        Source: Canvas REST API, Submissions, "List submissions for multiple assignments".
        """
        with self._as_gone(course_id):
            rows, unread = self._page_sizes.cells(
                course_id, sorted(assignment_ids), lambda batch, students: list(self._rows(course_id, batch, students))
            )
        without_sis_id = {row.user_id for row in rows if not row.sis_user_id}
        test_students = self._test_students(course_id, without_sis_id) if without_sis_id else frozenset()
        students = one_row_per_student(row for row in rows if row.user_id not in test_students)
        if unread:
            raise GradebookIncomplete(students, unread)
        return students

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        """Yield the ids of published courses with synced work that have not ended by then; some repeatedly.

        A course ends by its own date or its term's; without either, it goes on.
        Source: Canvas SIS Integration API, `GET /api/sis/accounts/:account_id/assignments`. It documents an account's
        id only; that `self` is the token's root account, as elsewhere, is in canvas-lms sis_api_controller.rb.
        """
        template, ids = "/api/sis/accounts/{account_id}/assignments", {"account_id": self._account}
        params = [("ends_after", ended_after.isoformat())]

        def read(rows: int) -> Iterator[str]:
            for page in self._canvas.pages(
                template, ids, [*params, _per_page(rows)], max_pages=MAX_ACCOUNT_PAGES, max_seconds=MAX_ACCOUNT_S
            ):
                assignments, _ = page.rows(wire.IN_COURSES)
                yield from (assignment.course_id for assignment in assignments)

        yield from self._page_sizes.pages_of(f"account-{self._account}", read)

    def check_token(self) -> ApiResponse:
        """Return Canvas's response if it knows the token.

        Raises `AccessDenied` if it does not, and if a scoped key may not read its own user.

        Source: Canvas REST API, Users, `GET /api/v1/users/self`.
        """
        return self._canvas.get("/api/v1/users/self")

    def token_ends_at(self, token: str) -> datetime | None:
        """Return when Canvas will end this token, its own; None if it does not end, or if that is not known.

        Canvas describes a token by a hint, "a short, unique string". How it is made is not documented; Canvas shows it
        as the token's beginning. Exactly one of the tokens has to fit: with or without the number of the shard. A
        token of a developer key is not in the list.
        Source: Canvas REST API, Access Tokens, "List access tokens for a user". Raises the errors of `shared.errors`.
        """
        beginnings = (token, token.rpartition("~")[2])
        pages = self._canvas.pages("/api/v1/users/self/user_generated_tokens", {}, [PER_PAGE])
        rows = (row for page in pages for row in page.rows(wire.TOKENS)[0])
        matching = [
            row for row in rows if row.token_hint and any(text.startswith(row.token_hint) for text in beginnings)
        ]
        return matching[0].expires_at if len(matching) == 1 else None

    def root_account_uuid(self) -> str | None:
        """Return the id by which Live Events name the district; None if the token may not read the account.

        Source: Canvas REST API, Accounts, `GET /api/v1/accounts/:id`, `uuid`; `self` is the token's root account.
        """
        try:
            account = self._canvas.get("/api/v1/accounts/self").body
        except RequestRejected:
            return None
        uuid = account.get("uuid") if isinstance(account, dict) else None
        return uuid if isinstance(uuid, str) else None

    def missing_scopes(self) -> list[str]:
        """Return the requests of a sync that the key has no scope for. Canvas checks scopes before it looks for ids."""
        ids, missing = {"account_id": self._account, "course_id": "0"}, []
        for template in SYNC_REQUESTS:
            try:
                self._canvas.get(template, ids)
            except AccessDenied as error:
                missing += [template] if lacks_scope(error) else []
            except RequestRejected:
                # There is no course 0.
                continue
        return missing

    def check_course(self, course_id: str) -> None:
        """Return if Canvas has the course. Raises: CourseGone if it never had it or it was deleted.

        Source: Canvas REST API, Courses, `GET /api/v1/courses/:id`; `include[]=all_courses` also finds recently deleted
        courses, whose `workflow_state` is `deleted`. A key that may not see those gets a 404, which means as much.
        """
        template = "/api/v1/courses/{course_id}"
        try:
            response = self._canvas.get(template, {"course_id": course_id}, params=_include("all_courses"))
        except NotFound as error:
            raise CourseGone(f"{error}, course {course_id}") from None
        if isinstance(response.body, dict) and response.body.get("workflow_state") == "deleted":
            raise CourseGone(f"{response}, course {course_id} was deleted", status=response.status)

    @property
    def other_origins(self) -> frozenset[str]:
        """The schemes and hosts, not the configured ones, that Canvas has named its own pages on so far."""
        return self._canvas.other_origins

    def close(self) -> None:
        """Close the connections."""
        self._canvas.close()

    @contextmanager
    def _as_gone(self, course_id: str) -> Iterator[None]:
        """Raise `CourseGone` where a list of the course is not found because the course was deleted."""
        try:
            yield
        except CourseGone:
            raise
        except NotFound:
            self.check_course(course_id)
            raise

    def _assignments(self, course_id: str) -> tuple[list[AssignmentWire], tuple[Unreadable, ...]]:
        # Not filtered by post_to_sis: passback explains what is not sent. Base dates, not those of the service user.
        params = [*_include("overrides", "checkpoints"), ("override_assignment_dates", "false")]
        found, odd = self._all("/api/v1/courses/{course_id}/assignments", course_id, params, wire.ASSIGNMENTS)
        # One that was deleted is none, also where it cannot be read.
        odd = [each for each in odd if not (isinstance(each.row, dict) and each.row.get("workflow_state") == "deleted")]
        unreadable = tuple(Unreadable(each.id(), _description("assignment", each)) for each in odd)
        return [assignment for assignment in found if assignment.workflow_state != "deleted"], unreadable

    def _names(self, course_id: str, reading: CachePolicy) -> CourseWire:
        """Return the course's name and time zone: up to an hour old where passback syncs by itself."""
        use_cache = reading in (CachePolicy.USE, CachePolicy.REFRESH)
        cached = self._cache.get("canvas-course", course_id) if use_cache else None
        if cached is not None:
            return wire.COURSE.validate_python(cached)
        course = self._canvas.get("/api/v1/courses/{course_id}", {"course_id": course_id}).parse(wire.COURSE)
        if reading is not CachePolicy.BYPASS:
            self._cache.put("canvas-course", course_id, course.model_dump(), COURSE_MAX_AGE)
        return course

    def _structure(self, course_id: str, groups: Iterable[GroupWire]) -> tuple[CourseStructure, tuple[Unreadable, ...]]:
        """Return the structure. A course's own SIS id is read with its sections, of which each has it."""
        sections, odd = self._all("/api/v1/courses/{course_id}/sections", course_id, [], wire.SECTIONS)
        structure = CourseStructure(
            sis_course_id=next((section.sis_course_id for section in sections), None),
            sections=tuple(section.to_domain() for section in sections),
            groups=tuple(AssignmentGroup(group.id, group.name) for group in groups),
        )
        return structure, tuple(Unreadable(None, _description("section", each)) for each in odd)

    def _groups(self, course_id: str, *, with_grades_published: bool) -> tuple[list[GroupWire], tuple[Unreadable, ...]]:
        params = _include("assignments", "grades_published") if with_grades_published else []
        template = "/api/v1/courses/{course_id}/assignment_groups"
        groups, odd = self._all(template, course_id, params, wire.GROUPS)
        return groups, tuple(Unreadable(None, _description("assignment group", each)) for each in odd)

    def _rows(self, course_id: str, assignment_ids: Sequence[str], students: int) -> Iterator[SubmissionRow]:
        # Without `visibility`, work that is no longer assigned to a student looks like any other.
        params = [("student_ids[]", "all"), ("grouped", "1"), *_include("visibility")]
        params += (("assignment_ids[]", id_) for id_ in assignment_ids)
        template, ids = "/api/v1/courses/{course_id}/students/submissions", {"course_id": course_id}
        for page in self._canvas.pages(template, ids, [*params, _per_page(students)], DECODER):
            yield from read_rows(page, assignment_ids)

    def _test_students(self, course_id: str, user_ids: Collection[str]) -> frozenset[str]:
        """Return the test students among these users; none where the token may not list enrollments.

        A test student never has a SIS id, so nothing of theirs is ever sent; this only avoids a puzzling report.
        """
        known = _TEST_STUDENTS.validate_python(self._cache.get("canvas-nobody", course_id) or {})
        if not known.keys() >= set(user_ids):
            params = [("type[]", "StudentViewEnrollment")]
            try:
                found, _ = self._all("/api/v1/courses/{course_id}/enrollments", course_id, params, wire.ENROLLMENTS)
            except RequestRejected:
                return frozenset()
            test_students = {enrollment.user_id for enrollment in found}
            known = {user_id: user_id in test_students for user_id in user_ids}
            self._cache.put("canvas-nobody", course_id, {**known}, STRUCTURE_MAX_AGE)
        return frozenset(user_id for user_id in user_ids if known[user_id])

    def _all(
        self, template: str, course_id: str, params: Params, items: TypeAdapter[list[T]]
    ) -> tuple[list[T], list[UnreadableRow]]:
        """Return the rows of a list, and those that could not be read."""

        def read(rows: int) -> list[tuple[list[T], list[UnreadableRow]]]:
            pages = self._canvas.pages(template, {"course_id": course_id}, [*params, _per_page(rows)])
            return [page.rows(items) for page in pages]

        pages = self._page_sizes.rows(course_id, read)
        return [item for found, _ in pages for item in found], [each for _, odd in pages for each in odd]


def _per_page(rows: int) -> tuple[str, str]:
    return "per_page", str(rows)


def _include(*names: str) -> list[tuple[str, str]]:
    return [("include[]", name) for name in names]


def _zone(name: str) -> ZoneInfo | None:
    """Return the time zone; None for a name that is not in the database, and for none.

    Source: Canvas Courses API, `time_zone`: the course's IANA time zone name.
    """
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None


def _assignment(found: AssignmentWire, published: Mapping[str, bool | None]) -> Assignment:
    return found.to_domain(grades_published=published.get(found.id) if found.moderated_grading else None)


def _description(kind: str, odd: UnreadableRow) -> str:
    row_id = odd.id()
    return f"{kind} {'without a usable id' if row_id is None else row_id}: no usable {odd.fields}"
