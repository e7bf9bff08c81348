"""Canvas's objects as they come over the wire: the fields that are used, each required where its absence matters.

A key without rights or includes gets a 200 with fewer fields, so what is needed has no default.
Source: Canvas REST API (Courses, Sections, Assignments, Assignment Groups, Submissions).
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
from pydantic import BeforeValidator, TypeAdapter, ValidationError, model_validator

from shared.adapters.http.response import ApiResponse, UnreadableRow, fields_of
from shared.adapters.http.wire import Id, Json, Points, SisId, Text, TextIfUsable, Timestamp, Wire
from shared.domain.passback.canvas import (
    Assignment,
    Checkpoint,
    GradebookRow,
    GradingType,
    Override,
    OverrideTarget,
    Section,
    Submission,
)
from shared.domain.passback.rules.score import is_reckonable

# A list that Canvas sends as null is empty.
Items = BeforeValidator(lambda value: [] if value is None else value)


class CourseWire(Wire):
    """`GET /api/v1/courses/:id`. An odd name or time zone costs neither the course nor any of its assignments."""

    name: TextIfUsable = ""
    time_zone: TextIfUsable = ""


class SectionWire(Wire):
    """One of `GET /api/v1/courses/:id/sections`. `sis_course_id` is that of the course it is in now.

    No decision depends on the name.
    """

    id: Id
    name: TextIfUsable
    sis_section_id: SisId
    sis_course_id: SisId

    def to_domain(self) -> Section:
        """Return the section."""
        return Section(self.id, self.name, self.sis_section_id)


class OverrideWire(Wire):
    """One of an assignment's `overrides`: a due date only if it overrides it, and one target."""

    due_at: Timestamp = None
    course_section_id: Id | None = None
    student_ids: list[Id] | None = None
    group_id: Id | None = None
    noop_id: Id | None = None
    course_id: Id | None = None
    context_module_id: Id | None = None

    def to_domain(self) -> Override | None:
        """Return the override, None if its target is of a kind that Canvas may add later."""
        targets = {
            OverrideTarget.MODULE: self.context_module_id,
            OverrideTarget.SECTION: self.course_section_id,
            OverrideTarget.STUDENTS: self.student_ids,
            OverrideTarget.GROUP: self.group_id,
            OverrideTarget.MASTERY_PATHS: self.noop_id,
            OverrideTarget.COURSE: self.course_id,
        }
        target = next((target for target, value in targets.items() if value is not None), None)
        if target is None:
            return None
        section_id = self.course_section_id if target is OverrideTarget.SECTION else None
        return Override(target, section_id, "due_at" in self.model_fields_set, self.due_at)


class CheckpointWire(Wire):
    """One of an assignment's `checkpoints`."""

    due_at: Timestamp = None
    points_possible: Points = None
    only_visible_to_overrides: bool | None = None
    overrides: tuple[OverrideWire, ...] = ()

    def to_domain(self) -> Checkpoint:
        """Return the checkpoint."""
        overrides = (wire.to_domain() for wire in self.overrides)
        return Checkpoint(self.due_at, tuple(override for override in overrides if override))


class AssignmentWire(Wire):
    """One of `GET /api/v1/courses/:id/assignments`, with `include[]=overrides` and `include[]=checkpoints`.

    Only a Canvas that knows checkpoints shows them. Their scores and points are summed up in the assignment itself.
    """

    id: Id
    name: Text
    description: Text | None = None
    due_at: Timestamp
    points_possible: Points
    grading_type: GradingType
    published: bool
    workflow_state: str = ""
    post_to_sis: bool | None = None
    only_visible_to_overrides: bool | None = None
    visible_to_everyone: bool | None = None
    assignment_group_id: Id
    overrides: list[OverrideWire]
    submission_types: tuple[str, ...] = ()
    anonymize_students: bool = False
    moderated_grading: bool = False
    checkpoints: Annotated[tuple[CheckpointWire, ...], Items] = ()
    omit_from_final_grade: bool | None = None
    hide_in_gradebook: bool | None = None
    suppress_assignment: bool | None = None
    locked_for_user: bool | None = None

    @model_validator(mode="after")
    def _audience_is_known(self) -> "AssignmentWire":
        if self.visible_to_everyone is None and self.only_visible_to_overrides is None:
            raise ValueError("visible_to_everyone")
        return self

    @property
    def for_everyone(self) -> bool:
        """Say whether it is assigned to Everyone Else; older Canvas only shows `only_visible_to_overrides`."""
        if self.checkpoints and all(checkpoint.only_visible_to_overrides for checkpoint in self.checkpoints):
            return False
        if self.visible_to_everyone is not None:
            return self.visible_to_everyone
        return not self.only_visible_to_overrides

    @property
    def points(self) -> Decimal | None:
        """The points possible; where only the checkpoints of a discussion have any, all of theirs."""
        parts = [part.points_possible for part in self.checkpoints if part.points_possible is not None]
        return sum(parts, Decimal(0)) if self.points_possible is None and parts else self.points_possible

    @property
    def description_if_known(self) -> str | None:
        """The description, None where Canvas leaves it out, or hides it from a reader whom it is locked for.

        Source: canvas-lms `Assignment#filter_attributes_for_user`, `include_description?`.
        """
        is_hidden = self.locked_for_user or "description" not in self.model_fields_set
        return None if self.description is None and is_hidden else self.description or ""

    def to_domain(self, *, grades_published: bool | None) -> Assignment:
        """Return the assignment."""
        return Assignment(
            id=self.id,
            name=self.name,
            description=self.description_if_known,
            due_at=self.due_at,
            points_possible=self.points,
            grading_type=self.grading_type,
            published=self.published,
            post_to_sis=self.post_to_sis,
            visible_to_everyone=self.for_everyone,
            group_id=self.assignment_group_id,
            overrides=tuple(found for found in (wire.to_domain() for wire in self.overrides) if found),
            submission_types=self.submission_types,
            anonymize_students=self.anonymize_students,
            moderated=self.moderated_grading,
            grades_published=grades_published,
            checkpoints=tuple(checkpoint.to_domain() for checkpoint in self.checkpoints),
            omitted_from_final_grade=bool(self.omit_from_final_grade),
            hidden_in_gradebook=bool(self.hide_in_gradebook or self.suppress_assignment),
        )


class GradesPublishedWire(Wire):
    """An assignment inside its group, with `include[]=grades_published`."""

    id: Id
    grades_published: bool | None = None


class GroupWire(Wire):
    """One of `GET /api/v1/courses/:id/assignment_groups`."""

    id: Id
    name: Text
    assignments: Annotated[tuple[GradesPublishedWire, ...], Items] = ()


class EnrollmentWire(Wire):
    """One of `GET /api/v1/courses/:id/enrollments`."""

    user_id: Id


class PersonWire(Wire):
    """One of `GET /api/v1/accounts/:id/users`, and the user of an enrollment."""

    id: Id
    name: TextIfUsable = ""
    sortable_name: TextIfUsable = ""
    sis_user_id: SisId = None


class TokenWire(Wire):
    """One of `GET /api/v1/users/:id/user_generated_tokens`."""

    token_hint: TextIfUsable = ""
    expires_at: Timestamp = None


class TeacherWire(Wire):
    """One of `GET /api/v1/courses/:id/users`. The address is there if the token's user may read it."""

    id: Id
    email: TextIfUsable = ""


class StudentEnrollmentWire(Wire):
    """One of `GET /api/v1/courses/:id/enrollments`, with its user."""

    user_id: Id
    course_section_id: Id | None = None
    sis_user_id: SisId = None
    user: PersonWire


class InCourseWire(Wire):
    """One of `GET /api/v1/users/:id/enrollments`, or of `GET /api/sis/accounts/:id/assignments`."""

    course_id: Id


COURSE = TypeAdapter(CourseWire)
SECTIONS = TypeAdapter(list[SectionWire])
ASSIGNMENTS = TypeAdapter(list[AssignmentWire])
GROUPS = TypeAdapter(list[GroupWire])
ENROLLMENTS = TypeAdapter(list[EnrollmentWire])
STUDENT_ENROLLMENTS = TypeAdapter(list[StudentEnrollmentWire])
IN_COURSES = TypeAdapter(list[InCourseWire])
PEOPLE = TypeAdapter(list[PersonWire])
TOKENS = TypeAdapter(list[TokenWire])
TEACHERS = TypeAdapter(list[TeacherWire])


class SubmissionRow(msgspec.Struct, frozen=True):
    """One enrollment of `GET /api/v1/courses/:id/students/submissions?grouped=1`.

    `unreadable` are the fields of submissions that could not be read, by assignment id. An empty `section_id` is one
    that could not be read, and so is an empty `user_id`.
    """

    user_id: str
    section_id: str
    submissions: list[Submission]
    sis_user_id: str | None = None
    unreadable: dict[str, str] | None = None


# A course has thousands of submissions: this makes no objects of the twenty fields that nobody needs. What Canvas
# writes in another form is read row by row (`read_rows`): an odd submission costs only itself.
DECODER = msgspec.json.Decoder(list[SubmissionRow])
IdIfUsable = Annotated[str | int | None, BeforeValidator(lambda value: value if type(value) in (str, int) else None)]


def _finite(value: object) -> Decimal | None:
    """Return the number, None for anything else."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool) and Decimal(value).is_finite()
    return Decimal(value) if is_number and isinstance(value, int | Decimal) else None


class SubmissionWire(Wire):
    """One student's submission of one assignment, with the fields of `Submission`."""

    assignment_id: Id
    score: Points
    excused: bool | None = None
    missing: bool | None = None
    # A state that is null is none that passback knows (canvas-lms #1543).
    workflow_state: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
    assignment_visible: bool | None = None
    # These are told where they can be read; a score does not depend on them.
    grader_id: IdIfUsable = None
    posted_at: Annotated[str | None, BeforeValidator(lambda value: value if value is None else str(value))] = ""
    points_deducted: Annotated[Decimal | None, BeforeValidator(_finite)] = None
    grading_period_id: IdIfUsable = None

    def to_domain(self) -> Submission:
        """Return the submission."""
        return Submission(**dict(self))


class RowWire(Wire):
    """A `SubmissionRow` in any form that Canvas writes."""

    user_id: Id
    section_id: Id
    sis_user_id: SisId = None
    submissions: list[SubmissionWire]


_ROWS = TypeAdapter(list[RowWire])


def read_rows(page: ApiResponse, assignment_ids: Sequence[str]) -> Iterator[SubmissionRow]:
    """Yield the rows of a page; of an odd one what can be read, and which of these assignments cannot.

    Raises: UnexpectedResponse where all rows lack the same field.
    """
    fast: list[SubmissionRow] | None = page.decoded  # type: ignore[assignment]  # the type of `DECODER`
    if fast is not None:
        yield from fast
        return
    rows, odd = page.rows(_ROWS)
    for row in rows:
        submissions = [submission.to_domain() for submission in row.submissions]
        yield SubmissionRow(row.user_id, row.section_id, submissions, row.sis_user_id)
    yield from (_readable_part(row, assignment_ids) for row in odd)


def _readable_part(odd: UnreadableRow, assignment_ids: Sequence[str]) -> SubmissionRow:
    row = odd.row if isinstance(odd.row, dict) else {}
    try:
        student = RowWire.model_validate({**row, "submissions": []})
    except ValidationError:
        unreadable = dict.fromkeys(assignment_ids, odd.fields)
        return SubmissionRow(odd.id("user_id") or "", odd.id("section_id") or "", [], odd.id("sis_user_id"), unreadable)
    listed = row.get("submissions")
    submissions, unreadable = _submissions(listed if isinstance(listed, list) else [odd.row], assignment_ids)
    return SubmissionRow(student.user_id, student.section_id, submissions, student.sis_user_id, unreadable)


def _submissions(listed: Sequence[Json], assignment_ids: Sequence[str]) -> tuple[list[Submission], dict[str, str]]:
    """Return the submissions that can be read, and the fields of the others by assignment id.

    One that does not name its assignment may be of any that is not among the readable ones.
    """
    submissions: list[Submission] = []
    unreadable: dict[str, str] = {}
    of_unknown = ""
    for value in listed:
        try:
            submissions.append(SubmissionWire.model_validate(value).to_domain())
        except ValidationError as error:
            fields = fields_of(error)
            assignment_id = UnreadableRow(value, fields).id("assignment_id")
            if assignment_id is None:
                of_unknown = fields
            else:
                unreadable[assignment_id] = fields
    if of_unknown:
        readable = {submission.assignment_id for submission in submissions}
        others = (assignment_id for assignment_id in assignment_ids if assignment_id not in readable)
        unreadable = {**dict.fromkeys(others, of_unknown), **unreadable}
    return submissions, unreadable


def one_row_per_student(rows: Iterable[SubmissionRow]) -> tuple[GradebookRow, ...]:
    """Merge the rows of each student: Canvas lists one for each enrollment."""
    students: dict[str, GradebookRow] = {}
    for row in rows:
        submissions = {each.assignment_id: each for each in row.submissions if is_reckonable(each.score)}
        unreadable = row.unreadable or {}
        if len(submissions) < len(row.submissions):
            out_of_range = (each.assignment_id for each in row.submissions if not is_reckonable(each.score))
            unreadable = {**unreadable, **dict.fromkeys(out_of_range, "score")}
        earlier = students.get(row.user_id)
        if earlier is not None:
            submissions = {**earlier.submissions, **submissions}
            # A student's rows have the same submissions: what one of them shows is readable.
            both = {**earlier.unreadable, **unreadable}
            unreadable = {id_: fields for id_, fields in both.items() if id_ not in submissions}
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
