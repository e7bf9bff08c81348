"""Reads a course and its scores from Canvas: the port `CanvasReader`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter

from shared.adapters.canvas import row_by_row, submission_rows, wire
from shared.adapters.canvas.course_cache import CourseCache, CourseIdentity, CourseStructure
from shared.adapters.canvas.page_sizes import PageSizes
from shared.adapters.canvas.pagination import OF_AN_ACCOUNT, PagedApi
from shared.adapters.canvas.submission_rows import PartRow, SubmissionRow
from shared.adapters.canvas.wire import GroupWire, RestAssignment
from shared.adapters.http.client import Params
from shared.adapters.http.response import ApiResponse, UnreadableRow
from shared.domain.passback.canvas import Assignment, Course, GradebookRow, Submission, Unreadable
from shared.domain.passback.rules.score import is_reckonable
from shared.errors import CourseGone, GradebookIncomplete, NotFound, RequestRejected
from shared.ports.passback import CachePolicy

T = TypeVar("T")


class CanvasClient:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, canvas: PagedApi, memory: CourseCache, page_sizes: PageSizes, account: str = "self") -> None:
        self._canvas = canvas
        self._memory = memory
        self._page_sizes = page_sizes
        self._account = account

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
        kept = self._memory.frame(course_id) if reading is CachePolicy.USE and not moderated else None
        if kept is not None:
            return _course(course_id, kept, assignments, {}, self._identity(course_id, reading), odd, remembered=True)
        groups, odd_groups = self._groups(course_id, with_grades_published=moderated)
        frame, odd_sections = self._structure(course_id, groups)
        odd = (*odd, *odd_groups, *odd_sections)
        # What could not be read may be readable at the next sync.
        if reading is not CachePolicy.BYPASS and not odd_groups and not odd_sections:
            self._memory.save_structure(course_id, frame)
        return _course(course_id, frame, assignments, _published(groups), self._identity(course_id, reading), odd)

    def gradebook(self, course_id: str, assignment_ids: Collection[str]) -> tuple[GradebookRow, ...]:
        """Return one row per student, with the submissions of these assignments; nobody twice.

        Canvas lists an enrollment per row, so a student of two sections comes twice, perhaps on two pages. Test
        students are left out. Raises `GradebookIncomplete` where assignments are too heavy by themselves.
        Source: Canvas REST API, Submissions, "List submissions for multiple assignments".
        """
        with self._as_gone(course_id):
            found = self._page_sizes.cells(
                course_id, sorted(assignment_ids), lambda some, students: list(self._rows(course_id, some, students))
            )
        nobody = {row.user_id for row in found.rows if not row.sis_user_id}
        test_students = self._test_students(course_id, nobody) if nobody else frozenset()
        rows = _one_row_per_student(row for row in found.rows if row.user_id not in test_students)
        if found.unread:
            raise GradebookIncomplete(rows, found.unread)
        return rows

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        """Yield the ids of published courses with synced work that have not ended by then; some repeatedly.

        A course ends by its own date or its term's; without either, it goes on.
        Source: Canvas SIS Integration API, `GET /api/sis/accounts/:account_id/assignments`. It documents an account's
        id only; that `self` is the token's root account, as elsewhere, is in canvas-lms sis_api_controller.rb.
        """
        template, ids = "/api/sis/accounts/{account_id}/assignments", {"account_id": self._account}
        params = [("ends_after", ended_after.isoformat())]

        def read(rows: int) -> Iterator[str]:
            for page in self._canvas.pages(template, ids, [*params, _per_page(rows)], bounds=OF_AN_ACCOUNT):
                found, _ = page.rows(wire.SIS_ASSIGNMENTS)
                yield from (assignment.course_id for assignment in found)

        yield from self._page_sizes.pages_of(f"account-{self._account}", read)

    def check_token(self) -> ApiResponse:
        """Return Canvas's answer if it knows the token.

        Raises `AccessDenied` if it does not, and if a scoped key may not read its own user.

        Source: Canvas REST API, Users, `GET /api/v1/users/self`.
        """
        return self._canvas.get("/api/v1/users/self")

    def check_course(self, course_id: str) -> None:
        """Return if Canvas has the course. Raises: CourseGone if it never had it or it was deleted.

        Source: Canvas REST API, Courses, `GET /api/v1/courses/:id`; `include[]=all_courses` also finds recently deleted
        courses, whose `workflow_state` is `deleted`. A key that may not see those gets a 404, which means as much.
        """
        template = "/api/v1/courses/{course_id}"
        try:
            answer = self._canvas.get(template, {"course_id": course_id}, _include("all_courses"))
        except NotFound as error:
            raise CourseGone(f"{error}, course {course_id}") from None
        if isinstance(answer.body, dict) and answer.body.get("workflow_state") == "deleted":
            raise CourseGone(f"{answer}, course {course_id} was deleted", status=answer.status)

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

    def _assignments(self, course_id: str) -> tuple[list[RestAssignment], tuple[Unreadable, ...]]:
        # Not filtered by post_to_sis: what is not sent is to be explained. Base dates, not the service user's own.
        params = [*_include("overrides", "checkpoints"), ("override_assignment_dates", "false")]
        found, odd = self._all("/api/v1/courses/{course_id}/assignments", course_id, params, wire.ASSIGNMENTS)
        unreadable = (
            Unreadable(each.id(), _report_unread("assignment", each)) for each in odd if not _is_deleted(each)
        )
        return [assignment for assignment in found if assignment.workflow_state != "deleted"], tuple(unreadable)

    def _identity(self, course_id: str, reading: CachePolicy) -> CourseIdentity:
        """Return the course's name and time zone: up to an hour old where passback syncs by itself."""
        kept = None if reading in (CachePolicy.BYPASS, CachePolicy.REFRESH_ALL) else self._memory.identity(course_id)
        if kept is None:
            course = self._canvas.get("/api/v1/courses/{course_id}", {"course_id": course_id}).parse(wire.COURSE)
            kept = CourseIdentity(course.name or "", course.time_zone or "")
            if reading is not CachePolicy.BYPASS:
                self._memory.save_identity(course_id, kept)
        return kept

    def _structure(self, course_id: str, groups: Iterable[GroupWire]) -> tuple[CourseStructure, tuple[Unreadable, ...]]:
        """Return the frame. A course's own SIS id is read with its sections, of which each has it."""
        sections, odd = self._all("/api/v1/courses/{course_id}/sections", course_id, [], wire.SECTIONS)
        frame = CourseStructure(
            sis_course_id=next((section.sis_course_id for section in sections), None),
            sections=tuple(section.to_domain() for section in sections),
            groups=tuple(group.to_domain() for group in groups),
        )
        return frame, tuple(Unreadable(None, _report_unread("section", each)) for each in odd)

    def _groups(self, course_id: str, *, with_grades_published: bool) -> tuple[list[GroupWire], tuple[Unreadable, ...]]:
        params = _include("assignments", "grades_published") if with_grades_published else []
        template = "/api/v1/courses/{course_id}/assignment_groups"
        groups, odd = self._all(template, course_id, params, wire.GROUPS)
        return groups, tuple(Unreadable(None, _report_unread("assignment group", each)) for each in odd)

    def _rows(self, course_id: str, assignment_ids: Sequence[str], students: int) -> Iterator[SubmissionRow]:
        params = [("student_ids[]", "all"), ("grouped", "1"), *(("assignment_ids[]", one) for one in assignment_ids)]
        template, ids = "/api/v1/courses/{course_id}/students/submissions", {"course_id": course_id}
        for page in self._canvas.pages(template, ids, [*params, _per_page(students)], submission_rows.DECODER):
            fast: list[SubmissionRow] | None = page.decoded  # type: ignore[assignment]  # the decoder says what it makes
            yield from row_by_row.read(page, assignment_ids) if fast is None else fast

    def _test_students(self, course_id: str, nobody: Collection[str]) -> frozenset[str]:
        """Return the test students among these users; none where the token may not list enrollments.

        A test student never has a SIS id, so nothing of theirs is ever sent; this only spares a puzzling report.
        """
        known = self._memory.are_test_students(course_id)
        if not known.keys() >= set(nobody):
            params = [("type[]", "StudentViewEnrollment")]
            try:
                found, _ = self._all("/api/v1/courses/{course_id}/enrollments", course_id, params, wire.ENROLLMENTS)
            except RequestRejected:
                return frozenset()
            test_students = {enrollment.user_id for enrollment in found}
            known = {user_id: user_id in test_students for user_id in nobody}
            self._memory.save_test_students(course_id, known)
        return frozenset(user_id for user_id in nobody if known[user_id])

    def _all(
        self, template: str, course_id: str, params: Params, items: TypeAdapter[list[T]]
    ) -> tuple[list[T], list[UnreadableRow]]:
        """Return the list's rows, and those that could not be read."""

        def read(rows: int) -> list[tuple[list[T], list[UnreadableRow]]]:
            pages = self._canvas.pages(template, {"course_id": course_id}, [*params, _per_page(rows)])
            return [page.rows(items) for page in pages]

        pages = self._page_sizes.rows(course_id, read)
        return [item for found, _ in pages for item in found], [each for _, odd in pages for each in odd]


def _per_page(rows: int) -> tuple[str, str]:
    return "per_page", str(rows)


def _include(*names: str) -> list[tuple[str, str]]:
    return [("include[]", name) for name in names]


def _course(
    course_id: str,
    frame: CourseStructure,
    assignments: Sequence[RestAssignment],
    published: Mapping[str, bool | None],
    identity: CourseIdentity,
    unreadable: tuple[Unreadable, ...],
    *,
    remembered: bool = False,
) -> Course:
    return Course(
        id=course_id,
        sis_course_id=frame.sis_course_id,
        sections=frame.sections,
        assignments=tuple(_assignment(each, published) for each in assignments),
        groups={group.id: group for group in frame.groups},
        name=identity.name,
        remembered=remembered,
        unreadable=unreadable,
        time_zone=_zone(identity.time_zone),
    )


def _zone(name: str) -> ZoneInfo | None:
    """Return the time zone; None for a name that is not in the database, and for none.

    Source: Canvas Courses API, `time_zone`: the course's IANA time zone name.
    """
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None


def _published(groups: Iterable[GroupWire]) -> dict[str, bool | None]:
    return {each.id: each.grades_published for group in groups for each in group.assignments}


def _assignment(found: RestAssignment, published: Mapping[str, bool | None]) -> Assignment:
    return found.to_domain(grades_published=published.get(found.id) if found.moderated_grading else None)


def _report_unread(kind: str, odd: UnreadableRow) -> str:
    row_id = odd.id()
    return f"{kind} {'without a usable id' if row_id is None else row_id}: no usable {odd.fields}"


def _is_deleted(odd: UnreadableRow) -> bool:
    return isinstance(odd.row, dict) and odd.row.get("workflow_state") == "deleted"


def _one_row_per_student(rows: Iterable[SubmissionRow]) -> tuple[GradebookRow, ...]:
    students: dict[str, GradebookRow] = {}
    for row in rows:
        earlier = students.get(row.user_id)
        submissions, unreadable = _submissions(row)
        if earlier is not None:
            submissions = {**earlier.submissions, **submissions}
            # A student's rows have the same submissions: what one of them shows is readable.
            unreadable = {
                id_: what for id_, what in {**earlier.unreadable, **unreadable}.items() if id_ not in submissions
            }
        section_ids = frozenset({row.section_id}) if row.section_id else frozenset()
        students[row.user_id] = GradebookRow(
            user_id=row.user_id,
            # An empty SIS id is none.
            sis_user_id=row.sis_user_id or (earlier.sis_user_id if earlier else None),
            section_ids=section_ids | (earlier.section_ids if earlier else frozenset()),
            submissions=submissions,
            unreadable=unreadable,
        )
    return tuple(students.values())


def _submissions(row: SubmissionRow) -> tuple[dict[str, Submission], dict[str, str]]:
    """Return the row's submissions by assignment id, and the fields of those that cannot be read."""
    submissions = {each.assignment_id: each for each in row.submissions if is_reckonable(each.score)}
    unreadable = dict(row.unreadable) if isinstance(row, PartRow) else {}
    if len(submissions) < len(row.submissions):
        unreadable |= {each.assignment_id: "score" for each in row.submissions if not is_reckonable(each.score)}
    return submissions, unreadable
