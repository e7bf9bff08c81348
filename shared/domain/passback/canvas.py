"""Defines Canvas courses as values: sections, assignments, overrides, due dates and scores.

Ids are Canvas's, local to the root account, as strings. Times are aware. Scores and points are `Decimal`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.domain.passback.powerschool import RosteredSection


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


# A sync starts this long after a due date: the clocks of Canvas and of passback may differ.
DUE_DATE_DELAY = timedelta(seconds=60)


def effective_due_at(assignment: Assignment, section_id: str) -> datetime | None:
    """Return when the assignment is due for the whole section, None where it is not due at all.

    The section's override has priority over one for the whole course, and that over the date of "Everyone Else".
    An override may say "no due date"; one that does not change the date is ignored. Dates for
    single students, groups and modules say nothing about the section. A discussion with checkpoints is due when the
    last of them is due for the section.

    Source: Canvas AssignmentOverride: `due_at` is absent where inherited, null where there is no due date.
    """
    if assignment.checkpoints:
        dates = [_due_at(checkpoint.due_at, checkpoint.overrides, section_id) for checkpoint in assignment.checkpoints]
        return max((due_at for due_at in dates if due_at is not None), default=None)
    return _due_at(assignment.due_at, assignment.overrides, section_id)


def _due_at(base: datetime | None, overrides: Sequence[Override], section_id: str) -> datetime | None:
    of_section = [o for o in overrides if o.target is OverrideTarget.SECTION and o.section_id == section_id]
    of_course = [o for o in overrides if o.target is OverrideTarget.COURSE]
    return next((o.due_at for o in (*of_section, *of_course) if o.changes_due_date), base)


def local_due_date(due_at: datetime, zone: tzinfo) -> date:
    """Return the day of an aware `due_at` on the calendar of `zone`.

    Canvas returns 23:59 of a day in Chicago as 04:59 or 05:59 UTC of the next, and PowerSchool takes only a date.
    """
    return due_at.astimezone(zone).date()


def next_due_at(course: Course, after: datetime) -> datetime | None:
    """Return the first due date later than `after` of synced work, for anybody; None if there is none.

    Missing work raises no event: it becomes missing as its date passes, for a section or for one student. Dates of
    groups and modules count too: one sync too many does no harm.
    """
    synced = [a for a in course.assignments if a.published and a.post_to_sis]
    times = [time for a in synced for time in _due_times(a, course.sections)]
    return min((time for time in times if time is not None and time > after), default=None)


def _due_times(assignment: Assignment, sections: Sequence[Section]) -> list[datetime | None]:
    of_sections = [effective_due_at(assignment, section.id) for section in sections]
    of_checkpoints = [
        _due_at(checkpoint.due_at, checkpoint.overrides, section.id)
        for checkpoint in assignment.checkpoints
        for section in sections
    ]
    return [*of_sections, *of_checkpoints, *(o.due_at for o in assignment.all_overrides if o.changes_due_date)]


def known_changes(changed: frozenset[str] | None, course: Course) -> frozenset[str] | None:
    """Return the assignments whose scores may have changed, None if any may have.

    Any may have if one of them is not in the course's list. A grade of a discussion's checkpoint or of a peer review
    has an id of its own, and the assignment whose score it changes raises no event. Source: canvas-lms
    app/services/checkpoints/submission_aggregator_service.rb.
    """
    listed = {assignment.id for assignment in course.assignments}
    return changed if changed is not None and changed <= listed else None


def is_cache_consistent(course: Course, rows: Sequence[GradebookRow], rosters: Collection[RosteredSection]) -> bool:
    """Say whether the course's cached sections and groups are consistent with its assignments, rows and rosters.

    Canvas need not send an event of this course when a section is added (such as one cross-listed from another course)
    or removed. Students of an unknown section, or a section that lost all its students, show the change.
    """
    section_ids = {section.id for section in course.sections}
    named = _sections_with_dates(course) | {section_id for row in rows for section_id in row.section_ids}
    groups = {assignment.group_id for assignment in course.assignments}
    return named <= section_ids and groups <= course.groups.keys() and not _has_no_students(course, rows, rosters)


def _sections_with_dates(course: Course) -> set[str | None]:
    overrides = [override for assignment in course.assignments for override in assignment.all_overrides]
    return {override.section_id for override in overrides if override.target is OverrideTarget.SECTION}


def _has_no_students(course: Course, rows: Sequence[GradebookRow], rosters: Collection[RosteredSection]) -> bool:
    """Say whether Canvas lists nobody in a section that has students in PowerSchool; False without rows."""
    if not rows:
        return False
    attended = {section_id for row in rows for section_id in row.section_ids}
    with_students = {r.sis_section_id for r in rosters if any(student.active for student in r.students.values())}
    return any(s.sis_section_id in with_students and s.id not in attended for s in course.sections)
