"""Reads a course and its scores from Canvas: the port `CanvasReader`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter

from shared.adapters.canvas import fast_rows, wire
from shared.adapters.canvas.course_memory import CourseMemory, Frame
from shared.adapters.canvas.fast_rows import FastRow
from shared.adapters.canvas.page_sizes import PageSizes
from shared.adapters.canvas.paged import PagedApi
from shared.adapters.canvas.wire import AssignmentWire, GroupWire
from shared.adapters.http.answers import Answer
from shared.adapters.http.api import Params
from shared.domain.gradebook import Assignment, Course, GradebookRow
from shared.errors import Refused
from shared.ports import Reading

T = TypeVar("T")


class CanvasClient:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, canvas: PagedApi, memory: CourseMemory, page_sizes: PageSizes, account: str = "self") -> None:
        self._canvas = canvas
        self._memory = memory
        self._page_sizes = page_sizes
        self._account = account

    def course(self, course_id: str, reading: Reading = Reading.LIVE) -> Course:
        """Return the course with sections, assignments, overrides and groups, but without scores.

        Only the groups say whether moderated grades are released, so that a course with any is always read whole.
        Source: Canvas REST API, Courses, Sections, Assignments, Assignment Groups.
        """
        assignments = self._assignments(course_id)
        moderated = any(assignment.moderated_grading for assignment in assignments)
        kept = self._memory.frame(course_id) if reading is Reading.REMEMBERED and not moderated else None
        if kept is not None:
            return _course(course_id, kept, assignments, {}, self._name(course_id, reading), remembered=True)
        groups = self._groups(course_id, with_grades_published=moderated)
        frame = self._frame(course_id, groups)
        if reading is not Reading.LIVE:
            self._memory.keep_frame(course_id, frame)
        return _course(course_id, frame, assignments, _published(groups), self._name(course_id, reading))

    def gradebook(self, course_id: str, assignment_ids: Collection[str]) -> tuple[GradebookRow, ...]:
        """Return one row per student, with the submissions of these assignments; nobody twice.

        Canvas lists an enrollment per row, so a student of two sections comes twice, perhaps on two pages. Test
        students are left out. Source: Canvas REST API, Submissions, "List submissions for multiple assignments".
        """
        rows = self._page_sizes.cells(
            course_id, sorted(assignment_ids), lambda some, students: list(self._rows(course_id, some, students))
        )
        nobody = {row.user_id for row in rows if not row.sis_user_id}
        test_students = self._test_students(course_id, nobody) if nobody else frozenset()
        return _one_row_per_student(row for row in rows if row.user_id not in test_students)

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        """Yield the ids of published courses with synced work that have not ended by then; some repeatedly.

        A course ends by its own date or its term's; without either, it goes on.
        Source: Canvas SIS Integration API, `GET /api/sis/accounts/:account_id/assignments`. It documents an account's
        id only; that `self` is the token's root account, as elsewhere, is in canvas-lms sis_api_controller.rb.
        """
        template, ids = "/api/sis/accounts/{account_id}/assignments", {"account_id": self._account}
        params = [("ends_after", ended_after.isoformat())]

        def read(rows: int) -> Iterator[str]:
            for page in self._canvas.pages(template, ids, [*params, _per_page(rows)]):
                yield from (assignment.course_id for assignment in page.parsed(wire.SIS_ASSIGNMENTS))

        yield from self._page_sizes.pages_of(f"account-{self._account}", read)

    def check_token(self) -> Answer:
        """Return Canvas's answer if it knows the token.

        Raises `AccessDenied` if it does not, and if a scoped key may not read its own user.

        Source: Canvas REST API, Users, `GET /api/v1/users/self`.
        """
        return self._canvas.get("/api/v1/users/self")

    @property
    def other_origins(self) -> frozenset[str]:
        """The schemes and hosts, not the configured ones, that Canvas has named its own pages on so far."""
        return self._canvas.other_origins

    def close(self) -> None:
        """Close the connections."""
        self._canvas.close()

    def _assignments(self, course_id: str) -> list[AssignmentWire]:
        # Not filtered by post_to_sis: what is not sent is to be explained. Base dates, not the service user's own.
        params = [*_include("overrides", "checkpoints"), ("override_assignment_dates", "false")]
        found = self._all("/api/v1/courses/{course_id}/assignments", course_id, params, wire.ASSIGNMENTS)
        return [assignment for assignment in found if assignment.workflow_state != "deleted"]

    def _name(self, course_id: str, reading: Reading) -> str:
        """Return the course's name, for people alone: up to a day old, except in a live look."""
        kept = None if reading is Reading.LIVE else self._memory.name(course_id)
        if kept is None:
            answer = self._canvas.get("/api/v1/courses/{course_id}", {"course_id": course_id})
            kept = answer.parsed(wire.COURSE).name or ""
            if reading is not Reading.LIVE:
                self._memory.keep_name(course_id, kept)
        return kept

    def _frame(self, course_id: str, groups: Iterable[GroupWire]) -> Frame:
        """Return the frame. A course's own SIS id is read with its sections, of which each has it."""
        sections = self._all("/api/v1/courses/{course_id}/sections", course_id, [], wire.SECTIONS)
        return Frame(
            sis_course_id=next((section.sis_course_id for section in sections), None),
            sections=tuple(section.to_domain() for section in sections),
            groups=tuple(group.to_domain() for group in groups),
        )

    def _groups(self, course_id: str, *, with_grades_published: bool) -> list[GroupWire]:
        params = _include("assignments", "grades_published") if with_grades_published else []
        return self._all("/api/v1/courses/{course_id}/assignment_groups", course_id, params, wire.GROUPS)

    def _rows(self, course_id: str, assignment_ids: Iterable[str], students: int) -> Iterator[FastRow]:
        params = [("student_ids[]", "all"), ("grouped", "1"), *(("assignment_ids[]", one) for one in assignment_ids)]
        template, ids = "/api/v1/courses/{course_id}/students/submissions", {"course_id": course_id}
        for page in self._canvas.pages(template, ids, [*params, _per_page(students)], fast_rows.DECODER):
            fast: list[FastRow] | None = page.decoded  # type: ignore[assignment]  # the decoder says what it makes
            yield from (row.to_fast() for row in page.parsed(wire.ROWS)) if fast is None else fast

    def _test_students(self, course_id: str, nobody: Collection[str]) -> frozenset[str]:
        """Return the test students among these users; none where the token may not list enrollments.

        A test student never has a SIS id, so nothing of theirs is ever sent; this only spares a puzzling report.
        """
        known = self._memory.are_test_students(course_id)
        if not known.keys() >= set(nobody):
            params = [("type[]", "StudentViewEnrollment")]
            try:
                found = self._all("/api/v1/courses/{course_id}/enrollments", course_id, params, wire.ENROLLMENTS)
            except Refused:
                return frozenset()
            test_students = {enrollment.user_id for enrollment in found}
            known = {user_id: user_id in test_students for user_id in nobody}
            self._memory.keep_test_students(course_id, known)
        return frozenset(user_id for user_id in nobody if known[user_id])

    def _all(self, template: str, course_id: str, params: Params, items: TypeAdapter[list[T]]) -> list[T]:
        def read(rows: int) -> list[T]:
            pages = self._canvas.pages(template, {"course_id": course_id}, [*params, _per_page(rows)])
            return [item for page in pages for item in page.parsed(items)]

        return self._page_sizes.rows(course_id, read)


def _per_page(rows: int) -> tuple[str, str]:
    return "per_page", str(rows)


def _include(*names: str) -> list[tuple[str, str]]:
    return [("include[]", name) for name in names]


def _course(
    course_id: str,
    frame: Frame,
    assignments: Sequence[AssignmentWire],
    published: Mapping[str, bool | None],
    name: str,
    *,
    remembered: bool = False,
) -> Course:
    return Course(
        id=course_id,
        sis_course_id=frame.sis_course_id,
        sections=frame.sections,
        assignments=tuple(_assignment(each, published) for each in assignments),
        groups={group.id: group for group in frame.groups},
        name=name,
        remembered=remembered,
    )


def _published(groups: Iterable[GroupWire]) -> dict[str, bool | None]:
    return {each.id: each.grades_published for group in groups for each in group.assignments}


def _assignment(found: AssignmentWire, published: Mapping[str, bool | None]) -> Assignment:
    return found.to_domain(grades_published=published.get(found.id) if found.moderated_grading else None)


def _one_row_per_student(rows: Iterable[FastRow]) -> tuple[GradebookRow, ...]:
    students: dict[str, GradebookRow] = {}
    for row in rows:
        earlier = students.get(row.user_id)
        submissions = {each.assignment_id: each for each in row.submissions}
        students[row.user_id] = GradebookRow(
            user_id=row.user_id,
            # An empty SIS id is none.
            sis_user_id=row.sis_user_id or (earlier.sis_user_id if earlier else None),
            section_ids=frozenset({row.section_id}) | (earlier.section_ids if earlier else frozenset()),
            submissions={**earlier.submissions, **submissions} if earlier else submissions,
        )
    return tuple(students.values())
