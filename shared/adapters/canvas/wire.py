"""Canvas's objects as they come over the wire: the fields that are used, each required where its absence matters.

A key without rights or includes gets a 200 with fewer fields, so what is needed has no default.
Source: Canvas REST API (Courses, Sections, Assignments, Assignment Groups, Submissions).
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, TypeAdapter, model_validator

from shared.adapters.canvas.submission_rows import SubmissionRow
from shared.domain.passback.canvas import (
    Assignment,
    AssignmentGroup,
    Checkpoint,
    GradingType,
    Override,
    OverrideTarget,
    Section,
    Submission,
)
from shared.domain.passback.rules.score import is_reckonable

# A time in the first or last year of the calendar may have no date in another time zone.
FIRST_YEAR, LAST_YEAR = 2, 9998


def _text(value: object) -> object:
    """Ids come as numbers or strings, whatever was asked for."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def parse_timestamp(value: object) -> object:
    """Canvas writes moments in two shapes; of `2019-11-05 07:38:00 -0800` only the standard library makes sense.

    A number is read as text as well: nobody knows what it would count, and since when.
    """
    moment = value if value is None or isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if isinstance(moment, datetime) and not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError("no time that has a local date everywhere")
    return moment


def _reckonable(value: Decimal | None) -> Decimal | None:
    """Refuse a number that cannot be reckoned with: infinite, or of more digits than any score has."""
    if not is_reckonable(value):
        raise ValueError("a number out of range")
    return value


def _text_or_none(value: object) -> object:
    """A workflow state that is null is none that passback knows (canvas-lms #1543)."""
    return "" if value is None else value


def _none_if_blank(value: object) -> object:
    return None if value == "" else value


def _empty_if_null(value: object) -> object:
    return [] if value is None else value


def _whole(value: str) -> str:
    """Return the text. Raises: ValueError for half of a surrogate pair, which neither Redis nor PowerSchool takes."""
    value.encode()
    return value


def _text_if_usable(value: object) -> object:
    """Return the text, None for anything that is none. For what no decision depends on, or what has a default."""
    try:
        return _whole(value) if isinstance(value, str) else None
    except ValueError:
        return None


Id = Annotated[str, BeforeValidator(_text)]
Text = Annotated[str, AfterValidator(_whole)]
TextIfUsable = Annotated[str | None, BeforeValidator(_text_if_usable)]
SisId = Annotated[Text | None, BeforeValidator(_none_if_blank), BeforeValidator(_text)]
Number = Annotated[Decimal | None, AfterValidator(_reckonable)]
Timestamp = Annotated[AwareDatetime | None, BeforeValidator(parse_timestamp)]


class Wire(BaseModel):
    """Unknown keys are Canvas's business."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class CourseWire(Wire):
    """`GET /api/v1/courses/:id`. An odd name or time zone costs neither the course nor any of its assignments."""

    name: TextIfUsable = None
    time_zone: TextIfUsable = None


class RestSection(Wire):
    """One of `GET /api/v1/courses/:id/sections`. `sis_course_id` is that of the course it is in now.

    No decision depends on the name.
    """

    id: Id
    name: TextIfUsable
    sis_section_id: SisId
    sis_course_id: SisId

    def to_domain(self) -> Section:
        """Return the section."""
        return Section(id=self.id, name=self.name or "", sis_section_id=self.sis_section_id)


class OverrideWire(Wire):
    """One of an assignment's `overrides`: a due date only if it overrides it, and one target."""

    due_at: Timestamp = None
    course_section_id: Id | None = None
    student_ids: list[Id] | None = None
    group_id: Id | None = None
    noop_id: Id | None = None
    course_id: Id | None = None
    context_module_id: Id | None = None

    @property
    def target(self) -> OverrideTarget | None:
        """Whom the override is for, None for a kind that Canvas may add later."""
        targets = {
            OverrideTarget.MODULE: self.context_module_id,
            OverrideTarget.SECTION: self.course_section_id,
            OverrideTarget.STUDENTS: self.student_ids,
            OverrideTarget.GROUP: self.group_id,
            OverrideTarget.MASTERY_PATHS: self.noop_id,
            OverrideTarget.COURSE: self.course_id,
        }
        return next((target for target, value in targets.items() if value is not None), None)

    def to_domain(self) -> Override | None:
        """Return the override, None if its target is unknown."""
        target = self.target
        if target is None:
            return None
        section_id = self.course_section_id if target is OverrideTarget.SECTION else None
        return Override(target, section_id, "due_at" in self.model_fields_set, self.due_at)


class CheckpointWire(Wire):
    """One of an assignment's `checkpoints`."""

    due_at: Timestamp = None
    points_possible: Number = None
    only_visible_to_overrides: bool | None = None
    overrides: list[OverrideWire] = []

    def to_domain(self) -> Checkpoint:
        """Return the checkpoint."""
        overrides = (wire.to_domain() for wire in self.overrides)
        return Checkpoint(self.due_at, tuple(override for override in overrides if override))


class RestAssignment(Wire):
    """One of `GET /api/v1/courses/:id/assignments`, with `include[]=overrides` and `include[]=checkpoints`.

    Only a Canvas that knows checkpoints shows them. Their scores and points are summed up in the assignment itself.
    """

    id: Id
    name: Text
    description: Text | None = None
    due_at: Timestamp
    points_possible: Number
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
    checkpoints: Annotated[list[CheckpointWire], BeforeValidator(_empty_if_null)] = []
    omit_from_final_grade: bool | None = None
    hide_in_gradebook: bool | None = None
    suppress_assignment: bool | None = None
    locked_for_user: bool | None = None

    @model_validator(mode="after")
    def _audience_is_known(self) -> "RestAssignment":
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
        """The description, None where Canvas leaves it out, or keeps it from a reader whom it is locked for.

        Source: canvas-lms `Assignment#filter_attributes_for_user`, `include_description?`.
        """
        is_kept_back = self.locked_for_user or "description" not in self.model_fields_set
        return None if self.description is None and is_kept_back else self.description or ""

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
    assignments: Annotated[list[GradesPublishedWire], BeforeValidator(_empty_if_null)] = []

    def to_domain(self) -> AssignmentGroup:
        """Return the group."""
        return AssignmentGroup(id=self.id, name=self.name)


class SubmissionWire(Wire):
    """One student's standing in one assignment."""

    assignment_id: Id
    score: Number
    excused: bool | None = None
    missing: bool | None = None
    workflow_state: Annotated[str, BeforeValidator(_text_or_none)]
    assignment_visible: bool | None = None

    def to_domain(self) -> Submission:
        """Return the submission."""
        return Submission(
            assignment_id=self.assignment_id,
            score=self.score,
            workflow_state=self.workflow_state,
            excused=self.excused,
            missing=self.missing,
            assignment_visible=self.assignment_visible,
        )


class RowWire(Wire):
    """One enrollment of `GET /api/v1/courses/:id/students/submissions?grouped=1`."""

    user_id: Id
    section_id: Id
    sis_user_id: SisId = None
    submissions: list[SubmissionWire]

    def to_fast(self) -> SubmissionRow:
        """Return the row as the decoder of large answers would have read it."""
        return SubmissionRow(
            self.user_id, self.section_id, [each.to_domain() for each in self.submissions], self.sis_user_id
        )


class RestEnrollment(Wire):
    """One of `GET /api/v1/courses/:id/enrollments`."""

    user_id: Id


class SisAssignmentWire(Wire):
    """One of `GET /api/sis/accounts/:id/assignments`."""

    course_id: Id


COURSE = TypeAdapter(CourseWire)
SECTIONS = TypeAdapter(list[RestSection])
ASSIGNMENTS = TypeAdapter(list[RestAssignment])
GROUPS = TypeAdapter(list[GroupWire])
ROWS = TypeAdapter(list[RowWire])
ENROLLMENTS = TypeAdapter(list[RestEnrollment])
SIS_ASSIGNMENTS = TypeAdapter(list[SisAssignmentWire])
