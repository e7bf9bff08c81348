"""Defines Canvas courses as values: sections, assignments, overrides and scores.

Ids are Canvas's, local to the root account, as strings. Times are aware. Scores and points are `Decimal`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

import msgspec


class GradingType(StrEnum):
    """How an assignment is graded. Source: Canvas Assignments API, `grading_type`."""

    POINTS = "points"
    PERCENT = "percent"
    LETTER_GRADE = "letter_grade"
    GPA_SCALE = "gpa_scale"
    PASS_FAIL = "pass_fail"  # noqa: S105
    NOT_GRADED = "not_graded"


class OverrideTarget(StrEnum):
    """Whom an override's dates are for. Source: Canvas AssignmentOverride, one target each."""

    SECTION = "section"
    STUDENTS = "students"
    GROUP = "group"
    MASTERY_PATHS = "mastery_paths"
    COURSE = "course"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Override:
    """Dates that replace an assignment's base dates for some of its assignees.

    `due_at` counts only where `changes_due_date`: Canvas leaves the key out where the base date is inherited,
    and sends null where the target has no due date at all.
    """

    target: OverrideTarget
    section_id: str | None = None
    changes_due_date: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A part of a discussion with a due date and overrides of its own: what Canvas calls a sub-assignment."""

    due_at: datetime | None
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A Canvas assignment, with the dates of "Everyone Else".

    A discussion with `checkpoints` has no due date, but each of them has. Its points and scores are their sums.

    `name` is plain text. `description` is HTML as Canvas's API returns it, None where Canvas does not show it.
    `post_to_sis` is None where Canvas does not show the switch at all (no SIS feature and no `post_grades` tool in the
    course). `grades_published` is None where Canvas did not say.
    """

    id: str
    name: str
    due_at: datetime | None
    points_possible: Decimal | None
    grading_type: GradingType
    published: bool
    post_to_sis: bool | None
    visible_to_everyone: bool
    group_id: str
    description: str | None = ""
    overrides: tuple[Override, ...] = ()
    submission_types: tuple[str, ...] = ()
    anonymize_students: bool = False
    moderated: bool = False
    grades_published: bool | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    omitted_from_final_grade: bool = False
    hidden_in_gradebook: bool = False

    @property
    def all_overrides(self) -> tuple[Override, ...]:
        """The overrides of the assignment and of its checkpoints."""
        return self.overrides + tuple(override for part in self.checkpoints for override in part.overrides)


@dataclass(frozen=True, slots=True)
class AssignmentGroup:
    """Canvas's word for what PowerSchool calls a category."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the course, cross-listed ones included."""

    id: str
    name: str
    sis_section_id: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Canvas, by the name that Canvas sorts by. For a page that shows names, and nothing else."""

    user_id: str
    name: str
    sis_user_id: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row of one of the course's lists with a value that passback cannot read.

    `assignment_id` is the assignment that fails, None where the row is none or has no id. `what` names the row and its
    fields, never a value.
    """

    assignment_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class Course:
    """A Canvas course without its scores.

    Whether it is published or concluded does not matter, and is not read. `is_cached` says that all but the
    assignments is from the cache, some minutes old. `time_zone` is the course's own, None where Canvas names
    none that is known.
    """

    id: str
    sis_course_id: str | None
    sections: tuple[Section, ...]
    assignments: tuple[Assignment, ...]
    groups: Mapping[str, AssignmentGroup]
    name: str = ""
    is_cached: bool = False
    unreadable: tuple[Unreadable, ...] = ()
    time_zone: tzinfo | None = None


class Submission(msgspec.Struct, frozen=True, gc=False):
    """One student's submission of one assignment.

    `score` is after late deductions. `assignment_visible` is False once the work is no longer assigned to the
    student. None, which Canvas may leave out, means not excused, not missing, visible. `grader_id` is the user
    who graded; negative where a quiz or a tool did, None where Canvas names nobody. Only the explanation of totals
    needs the last three: when the score was posted to the student, None while it is hidden and empty where Canvas does
    not say; the points that the late policy took; and the grading period. Source: Canvas Submissions API.
    """

    assignment_id: str
    score: Decimal | None
    workflow_state: str
    excused: bool | None = None
    missing: bool | None = None
    assignment_visible: bool | None = None
    grader_id: str | int | None = None
    posted_at: str | None = ""
    points_deducted: Decimal | None = None
    grading_period_id: str | int | None = None


@dataclass(frozen=True, slots=True)
class GradebookRow:
    """One student's submissions, by assignment id, with every section the student was listed in.

    `unreadable` holds the assignments whose submission has a value that passback cannot read, with the fields' names.
    """

    user_id: str
    sis_user_id: str | None
    section_ids: frozenset[str]
    submissions: Mapping[str, Submission] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
