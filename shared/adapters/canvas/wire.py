"""Canvas's objects as they come over the wire: the fields that are used, each required where its absence matters.

A key without rights or includes gets a 200 with fewer fields, so what is needed has no default.
Source: Canvas REST API (Courses, Sections, Assignments, Assignment Groups, Submissions).
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, TypeAdapter, model_validator

from shared.adapters.http.wire import Id, Points, SisId, Text, TextIfUsable, Timestamp, Wire
from shared.domain.passback.canvas import (
    Assignment,
    Checkpoint,
    GradingType,
    Override,
    OverrideTarget,
    Section,
)

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


class UserEnrollmentWire(Wire):
    """One of `GET /api/v1/users/:id/enrollments`."""

    course_id: Id


class SisAssignmentWire(Wire):
    """One of `GET /api/sis/accounts/:id/assignments`."""

    course_id: Id


COURSE = TypeAdapter(CourseWire)
SECTIONS = TypeAdapter(list[SectionWire])
ASSIGNMENTS = TypeAdapter(list[AssignmentWire])
GROUPS = TypeAdapter(list[GroupWire])
ENROLLMENTS = TypeAdapter(list[EnrollmentWire])
STUDENT_ENROLLMENTS = TypeAdapter(list[StudentEnrollmentWire])
USER_ENROLLMENTS = TypeAdapter(list[UserEnrollmentWire])
PEOPLE = TypeAdapter(list[PersonWire])
TOKENS = TypeAdapter(list[TokenWire])
TEACHERS = TypeAdapter(list[TeacherWire])
SIS_ASSIGNMENTS = TypeAdapter(list[SisAssignmentWire])
