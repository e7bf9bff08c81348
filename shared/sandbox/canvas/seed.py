"""The seed of a sandbox Canvas. Its models are also the records that the running sandbox changes.

Ids are local Canvas ids. Times are aware. Fields carry Canvas's names and mean what its REST API means by them.
"""

from typing import Any, Literal, Self, TypeVar

from pydantic import AwareDatetime, Field, model_validator

from shared.sandbox.faults import Strict

GradingType = Literal["points", "percent", "letter_grade", "gpa_scale", "pass_fail", "not_graded"]
SubmissionState = Literal["unsubmitted", "submitted", "pending_review", "graded"]
LatePolicyStatus = Literal["late", "missing", "extended", "none"]
EnrollmentState = Literal["active", "invited", "creation_pending", "inactive", "completed", "deleted"]
OVERRIDE_TARGETS = {
    "course_section_id": "CourseSection",
    "student_ids": "ADHOC",
    "group_id": "Group",
    "noop_id": "Noop",
    "course_id": "Course",
    "context_module_id": "ContextModule",
}
OVERRIDE_DATES = ("due_at", "unlock_at", "lock_at")
"""What an override may change; of a discussion with checkpoints only the checkpoints have them."""


class Term(Strict):
    """A Canvas enrollment term. Fields in `stuck_sis_fields` were edited by hand: imports leave them alone."""

    id: int = 1
    name: str = "Default Term"
    start_at: AwareDatetime | None = None
    end_at: AwareDatetime | None = None
    sis_term_id: str | None = None
    workflow_state: Literal["active", "deleted"] = "active"
    stuck_sis_fields: set[str] = Field(default_factory=set)


class Section(Strict):
    """A section; `nonxlist_course_id` is its course of origin if it is cross-listed."""

    id: int
    name: str
    sis_section_id: str | None = None
    nonxlist_course_id: int | None = None
    start_at: AwareDatetime | None = None
    end_at: AwareDatetime | None = None
    workflow_state: Literal["active", "deleted"] = "active"
    default_section: bool = False
    stuck_sis_fields: set[str] = Field(default_factory=set)


class Group(Strict):
    """An assignment group, with the rules by which it drops scores."""

    id: int
    name: str
    position: int = 1
    group_weight: float = 0
    drop_lowest: int = 0
    drop_highest: int = 0
    never_drop: list[int] = Field(default_factory=list)
    sis_source_id: str | None = None
    integration_data: dict[str, str] = Field(default_factory=dict)


class GradingPeriod(Strict):
    """A grading period of the course's account; without a weight its set is not weighted."""

    id: int
    title: str
    start_date: AwareDatetime
    end_date: AwareDatetime
    weight: float | None = None


class Student(Strict):
    """A student with one enrollment per section. A Test Student has type StudentViewEnrollment and no SIS id.

    `from_sis` says whether the enrollments were made by an SIS import.
    """

    user_id: int
    sis_user_id: str | None = None
    section_ids: list[int]
    enrollment_state: EnrollmentState = "active"
    type: Literal["StudentEnrollment", "StudentViewEnrollment"] = "StudentEnrollment"
    from_sis: bool = True


class Override(Strict):
    """Dates for one target. A date that was not given is inherited; one given as null takes the date away."""

    id: int
    title: str = "Override"
    due_at: AwareDatetime | None = None
    unlock_at: AwareDatetime | None = None
    lock_at: AwareDatetime | None = None
    course_section_id: int | None = None
    student_ids: list[int] | None = None
    group_id: int | None = None
    noop_id: int | None = None
    course_id: int | None = None
    context_module_id: int | None = None
    workflow_state: Literal["active", "deleted"] = "active"

    @model_validator(mode="after")
    def _has_one_target(self) -> Self:
        if sum(getattr(self, target) is not None for target in OVERRIDE_TARGETS) != 1:
            raise ValueError(f"an override has exactly one of {', '.join(OVERRIDE_TARGETS)}")
        return self

    @property
    def kind(self) -> str:
        """The kind of its target, in the words of Canvas's events."""
        return next(kind for target, kind in OVERRIDE_TARGETS.items() if getattr(self, target) is not None)

    def overrides(self, date: str) -> bool:
        """Say whether this replaces that date (`due_at`, `unlock_at` or `lock_at`)."""
        return date in self.model_fields_set


class Checkpoint(Strict):
    """A part of a discussion, graded by itself: what Canvas calls a sub-assignment. It is in no assignment list.

    Source: canvas-lms app/services/checkpoints, app/graphql/types/checkpoint_type.rb.
    """

    id: int
    tag: Literal["reply_to_topic", "reply_to_entry"]
    points_possible: float = 5.0
    due_at: AwareDatetime | None = None
    unlock_at: AwareDatetime | None = None
    lock_at: AwareDatetime | None = None
    only_visible_to_overrides: bool = False
    overrides: list[Override] = Field(default_factory=list)


class Assignment(Strict):
    """An assignment with the dates of "Everyone Else".

    With `checkpoints` it has no dates of its own, and its points and scores are the sums of theirs. Canvas answers
    "Cannot set due_at in the parent assignment for checkpoints." (canvas-lms mutations/assignment_base).
    `module_only` puts it into a module that is assigned to particular students: then it is not for everyone although
    `only_visible_to_overrides` is false. `muted` is true while grades are hidden. `locked_for_user` locks it to the
    service user, as for a reader without the right to edit: then its description is null.
    """

    id: int
    name: str
    description: str = ""
    due_at: AwareDatetime | None = None
    unlock_at: AwareDatetime | None = None
    lock_at: AwareDatetime | None = None
    points_possible: float | None = 10.0
    grading_type: GradingType = "points"
    workflow_state: Literal["published", "unpublished", "deleted"] = "published"
    post_to_sis: bool = True
    only_visible_to_overrides: bool = False
    overrides: list[Override] = Field(default_factory=list)
    module_only: bool = False
    module_student_ids: list[int] = Field(default_factory=list)
    assignment_group_id: int = 0
    submission_types: list[str] = Field(default_factory=lambda: ["online_upload"])
    quiz_id: int | None = None
    is_quiz_lti_assignment: bool = False
    external_tool_url: str | None = None
    omit_from_final_grade: bool = False
    hide_in_gradebook: bool = False
    suppress_assignment: bool = False
    locked_for_user: bool = False
    anonymous_grading: bool = False
    moderated_grading: bool = False
    grades_published: bool = False
    post_manually: bool = False
    muted: bool = False
    group_category_id: int | None = None
    grade_group_students_individually: bool = False
    integration_id: str | None = None
    integration_data: dict[str, str] = Field(default_factory=dict)
    checkpoints: list[Checkpoint] = Field(default_factory=list)
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _checkpoints_have_the_dates(self) -> Self:
        if self.checkpoints:
            for name in OVERRIDE_DATES:
                if getattr(self, name) is not None:
                    raise ValueError(f"Cannot set {name} in the parent assignment for checkpoints.")
            self.points_possible = sum(checkpoint.points_possible for checkpoint in self.checkpoints)
        return self

    @model_validator(mode="after")
    def _anonymous_work_is_posted_by_hand(self) -> Self:
        if self.anonymous_grading and "muted" not in self.model_fields_set:
            self.post_manually = self.muted = True
        return self

    @property
    def published(self) -> bool:
        """Say whether students can see it."""
        return self.workflow_state == "published"

    @property
    def active_overrides(self) -> list[Override]:
        """The overrides that were not deleted."""
        return [override for override in self.overrides if override.workflow_state == "active"]


class Submission(Strict):
    """One student's submission to one assignment. `score` is after deductions, `entered_score` before."""

    assignment_id: int
    user_id: int
    id: int = 0
    score: float | None = None
    entered_score: float | None = None
    points_deducted: float | None = None
    excused: bool = False
    late_policy_status: LatePolicyStatus | None = None
    workflow_state: SubmissionState = "unsubmitted"
    attempt: int | None = None
    submission_type: str | None = None
    body: str | None = None
    submitted_at: AwareDatetime | None = None
    graded_at: AwareDatetime | None = None
    posted_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    grader_id: int | None = None
    grade_matches_current_submission: bool = True

    @model_validator(mode="after")
    def _scored_or_excused_is_graded(self) -> Self:
        if (self.score is not None or self.excused) and "workflow_state" not in self.model_fields_set:
            self.workflow_state = "graded"
            self.entered_score = self.score if self.entered_score is None else self.entered_score
        return self


class CourseSeed(Strict):
    """A course with everything in it.

    `override_scores` are final grades that a teacher entered instead of Canvas's, by user id.
    """

    id: int
    name: str
    sis_course_id: str | None = None
    workflow_state: Literal["unpublished", "available", "completed", "deleted"] = "available"
    concluded: bool = False
    sis_feature: bool | None = None
    term: Term = Field(default_factory=Term)
    sections: list[Section] = Field(default_factory=list)
    groups: list[Group] = Field(default_factory=list)
    students: list[Student] = Field(default_factory=list)
    teacher_user_id: int = 9001
    time_zone: str | None = None
    apply_assignment_group_weights: bool = False
    hide_final_grades: bool = False
    grading_periods: list[GradingPeriod] = Field(default_factory=list)
    override_scores: dict[int, float] = Field(default_factory=dict)
    assignments: list[Assignment] = Field(default_factory=list)
    submissions: list[Submission] = Field(default_factory=list)


class CanvasSeed(Strict):
    """A root account with its courses; without courses it is a Canvas before any provisioning.

    `sis_feature` is the feature `post_grades`; a course may differ. `scopes` restricts the token as a scoped
    developer key does (`url:GET|/api/v1/courses/:id` …), None leaves it unscoped; `include[]` works with a scoped
    token only if `allow_include_parameters`. With a `provisioning_token` only that one has the right to import, and
    it has no other; without, `token` has it. `accounts` are the SIS ids of sub-accounts, `terms` those without courses.
    `theme` is the name of the account's mobile CSS and JavaScript, which decorate every description; empty for none.
    A course without a `time_zone` has the account's, `zone`. `custom_roles` are the account's own roles by name, each
    with the type that it is based on, such as `TaEnrollment`. Without `may_read_emails` the token's user
    sees no address.
    """

    root_account_uuid: str = "sandbox-root-account-uuid"
    shard: int = 10
    zone: str = "America/Los_Angeles"
    token: str = "sandbox-token"
    scopes: list[str] | None = None
    allow_include_parameters: bool = True
    may_read_emails: bool = True
    token_expires_at: AwareDatetime | None = None
    sis_feature: bool = True
    sis_imports_enabled: bool = True
    provisioning_token: str = ""
    theme: str = ""
    accounts: list[str] = Field(default_factory=list)
    custom_roles: dict[str, str] = Field(default_factory=dict)
    terms: list[Term] = Field(default_factory=list)
    courses: list[CourseSeed] = Field(default_factory=list)


R = TypeVar("R", bound=Strict)


def changed(record: R, **changes: Any) -> R:
    """Return the record with these fields replaced, checked as if it were new."""
    given = {name: getattr(record, name) for name in record.model_fields_set}
    return type(record).model_validate(given | changes)
