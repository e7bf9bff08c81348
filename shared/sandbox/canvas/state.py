"""The records of a running sandbox Canvas, found by id, and what Canvas derives from them.

Source: canvas-lms DatesOverridable concern (who it is for), app/models/submission.rb (missing, late).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import count
from typing import Any, Final, TypeVar

from shared.clock import Clock
from shared.sandbox.canvas.seed import (
    OVERRIDE_DATES,
    Assignment,
    CanvasSeed,
    Checkpoint,
    CourseSeed,
    GradingPeriod,
    Group,
    Override,
    Section,
    Student,
    Submission,
    Term,
)

ROOT_ACCOUNT_ID: Final = 1
ACCOUNT_ID: Final = 2
SERVICE_USER_ID: Final = 9000
FIRST_ENROLLMENT_ID: Final = 700_001
FIRST_SUBMISSION_ID: Final = 5_000_001
FIRST_NEW_ID: Final = 900_001

T = TypeVar("T")

# On-paper, no-submission and external-tool work never becomes missing by itself.
EXPECTS_NO_SUBMISSION: Final = frozenset({"none", "not_graded", "on_paper", "external_tool", "wiki_page", ""})


class UnknownObject(LookupError):
    """Nothing has this id."""


@dataclass
class Account:
    """A sub-account, as accounts.csv makes it."""

    sis_account_id: str
    name: str
    parent_sis_id: str | None = None
    workflow_state: str = "active"


@dataclass
class User:
    """A person. Names are numbers: nobody in the sandbox is real.

    A person has one login at the most; `workflow_state` is that of the login, as imports set it.
    """

    id: int
    sis_user_id: str | None
    name: str
    login_id: str | None = None
    sortable_name: str | None = None
    short_name: str | None = None
    email: str | None = None
    declared_user_type: str | None = None
    integration_id: str | None = None
    workflow_state: str = "active"
    stuck_sis_fields: set[str] = field(default_factory=set)
    prefers_high_contrast: bool = False

    @property
    def login(self) -> str:
        """The login; one that nobody chose looks like an e-mail address, as logins do."""
        return self.login_id or f"{self.name.replace(' ', '').lower()}@canvas.example"


@dataclass
class Enrollment:
    """One user's enrollment in one section."""

    id: int
    course_id: int
    section_id: int
    user_id: int
    type: str
    state: str
    from_sis: bool
    created_at: datetime
    updated_at: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None
    custom_role: str = ""

    @property
    def is_student(self) -> bool:
        """Say whether the user has submissions; a Test Student has."""
        return self.type in ("StudentEnrollment", "StudentViewEnrollment")


@dataclass
class Course:
    """A course with everything in it, by local id. `code` is its short name."""

    id: int
    name: str
    sis_course_id: str | None
    workflow_state: str
    concluded: bool
    sis_feature: bool
    term: Term
    teacher_user_id: int
    created_at: datetime
    updated_at: datetime
    sections: dict[int, Section] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    assignments: dict[int, Assignment] = field(default_factory=dict)
    enrollments: dict[int, Enrollment] = field(default_factory=dict)
    submissions: dict[tuple[int, int], Submission] = field(default_factory=dict)
    code: str = ""
    account_sis_id: str | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    time_zone: str | None = None
    apply_assignment_group_weights: bool = False
    hide_final_grades: bool = False
    grading_periods: list[GradingPeriod] = field(default_factory=list)
    override_scores: dict[int, float] = field(default_factory=dict)
    stuck_sis_fields: set[str] = field(default_factory=set)

    def listed_sections(self) -> list[Section]:
        """Return the sections that were not deleted."""
        return [section for section in list(self.sections.values()) if section.workflow_state != "deleted"]

    def section(self, section_id: int) -> Section:
        """Return the section. Raises `UnknownObject`."""
        return _found(self.sections, section_id, "section")

    def group(self, group_id: int) -> Group:
        """Return the assignment group. Raises `UnknownObject`."""
        return _found(self.groups, group_id, "assignment group")

    def assignment(self, assignment_id: int) -> Assignment:
        """Return the assignment, unpublished ones included. Raises `UnknownObject`, also for a deleted one."""
        assignment = _found(self.assignments, assignment_id, "assignment")
        if assignment.workflow_state == "deleted":
            raise UnknownObject(f"assignment {assignment_id} was deleted")
        return assignment

    def gradable(self, assignment_id: int) -> Assignment:
        """Return what a submission is of: an assignment, deleted ones included, or a checkpoint in the form of one.

        Raises `UnknownObject`.
        """
        if assignment_id in self.assignments:
            return self.assignments[assignment_id]
        for parent in self.assignments.values():
            for checkpoint in parent.checkpoints:
                if checkpoint.id == assignment_id:
                    return _as_assignment(parent, checkpoint)
        raise UnknownObject(f"no assignment or checkpoint {assignment_id}")

    def listed_assignments(self) -> list[Assignment]:
        """Return the assignments that were not deleted, by id."""
        return sorted((a for a in self.assignments.values() if a.workflow_state != "deleted"), key=lambda a: a.id)

    def student_enrollments(self, states: Iterable[str] | None = None) -> list[Enrollment]:
        """Return students' enrollments by id: in these states, else all that were not deleted."""
        wanted = None if states is None else frozenset(states)
        return [
            enrollment
            for enrollment in list(self.enrollments.values())
            if enrollment.is_student
            and (enrollment.state != "deleted" if wanted is None else enrollment.state in wanted)
        ]

    def active_sections_of(self, user_id: int) -> set[int]:
        """Return the sections in which the user is enrolled now."""
        return {
            enrollment.section_id
            for enrollment in list(self.enrollments.values())
            if enrollment.user_id == user_id and enrollment.state in ("active", "invited")
        }

    def visible_to_everyone(self, assignment: Assignment) -> bool:
        """Say whether "Everyone Else" has it: false for module-only work too, though no override says so."""
        if any(override.course_id is not None for override in assignment.active_overrides):
            return True
        return not assignment.only_visible_to_overrides and not assignment.module_only

    def is_assigned_to(self, assignment: Assignment, user_id: int) -> bool:
        """Say whether the student has this work to do."""
        if self.visible_to_everyone(assignment):
            return True
        return user_id in assignment.module_student_ids or bool(self._overrides_of(assignment, user_id))

    def due_at(self, assignment: Assignment, user_id: int) -> datetime | None:
        """Return the student's own due date: the most lenient of the overrides that apply, else the base date."""
        dates = [o.due_at for o in self._overrides_of(assignment, user_id) if o.overrides("due_at")]
        return most_lenient(dates) if dates else assignment.due_at

    def grading_period_of(self, assignment: Assignment, user_id: int) -> GradingPeriod | None:
        """Return the period of the student's due date; of undated work the last one."""
        due_at = self.due_at(assignment, user_id)
        periods = sorted(self.grading_periods, key=lambda period: period.end_date)
        if due_at is None:
            return periods[-1] if periods else None
        return next((period for period in periods if period.start_date < due_at <= period.end_date), None)

    def _overrides_of(self, assignment: Assignment, user_id: int) -> list[Override]:
        overrides = assignment.active_overrides
        sections = self.active_sections_of(user_id) if overrides else set()
        return [
            override
            for override in overrides
            if override.course_section_id in sections or user_id in (override.student_ids or ())
        ]

    def is_missing(self, submission: Submission, now: datetime) -> bool:
        """Say whether Canvas computes this submission as missing at that time."""
        if submission.excused:
            return False
        parts = self.gradable(submission.assignment_id).checkpoints
        if parts:
            # Inferred: the parent has no due date to be missing by, its parts have.
            own = [self.submissions.get((part.id, submission.user_id)) for part in parts]
            unknown = [Submission(assignment_id=part.id, user_id=submission.user_id) for part in parts]
            return any(self.is_missing(sub or blank, now) for sub, blank in zip(own, unknown, strict=True))
        if submission.late_policy_status is not None:
            return submission.late_policy_status == "missing"
        assignment = self.gradable(submission.assignment_id)
        if submission.submitted_at or submission.workflow_state == "graded" or not expects_submission(assignment):
            return False
        due_at = self.due_at(assignment, submission.user_id)
        return due_at is not None and due_at < now

    def is_late(self, submission: Submission) -> bool:
        """Say whether it was handed in after the student's due date, or was marked late."""
        if submission.late_policy_status is not None:
            return submission.late_policy_status == "late"
        due_at = self.due_at(self.gradable(submission.assignment_id), submission.user_id)
        return due_at is not None and submission.submitted_at is not None and submission.submitted_at > due_at


def _as_assignment(parent: Assignment, checkpoint: Checkpoint) -> Assignment:
    dates = {name: getattr(checkpoint, name) for name in OVERRIDE_DATES}
    own = {"id": checkpoint.id, "points_possible": checkpoint.points_possible, "overrides": checkpoint.overrides}
    only = {"only_visible_to_overrides": checkpoint.only_visible_to_overrides}
    return parent.model_copy(update={**dates, **own, **only, "checkpoints": []})


def expects_submission(assignment: Assignment) -> bool:
    """Say whether students hand something in, so that nothing can be missing."""
    return any(kind not in EXPECTS_NO_SUBMISSION for kind in assignment.submission_types)


def most_lenient(dates: Iterable[datetime | None]) -> datetime | None:
    """Return the latest date; no date at all is the most lenient."""
    given = list(dates)
    present = [day for day in given if day is not None]
    return max(present) if present and len(present) == len(given) else None


def _found(records: dict[int, T], key: int, kind: str) -> T:
    if key not in records:
        raise UnknownObject(f"no {kind} {key}")
    return records[key]


class CanvasState:
    """All records of the sandbox, loaded from a seed and changed by the actions of subclasses."""

    def __init__(self, seed: CanvasSeed, clock: Clock) -> None:
        self.clock = clock
        self.load(seed)

    def load(self, seed: CanvasSeed) -> None:
        """Replace everything by a copy of the seed."""
        self.seed = seed.model_copy(deep=True)
        self.users: dict[int, User] = {SERVICE_USER_ID: User(SERVICE_USER_ID, None, "Service User")}
        self._enrollment_ids = count(FIRST_ENROLLMENT_ID)
        self._submission_ids = count(FIRST_SUBMISSION_ID)
        self._new_ids = count(FIRST_NEW_ID)
        self.accounts = {sis_id: Account(sis_id, f"Account {sis_id}") for sis_id in self.seed.accounts}
        self.terms = [Term()]
        self.seed.terms = [self._known_term(term) for term in self.seed.terms]
        self.courses = {course.id: self._course(course) for course in self.seed.courses}

    def new_id(self) -> int:
        """Return an id that nothing has yet."""
        return next(self._new_ids)

    def course(self, course_id: int) -> Course:
        """Return the course. Raises `UnknownObject`."""
        return _found(self.courses, course_id, "course")

    def user(self, user_id: int) -> User:
        """Return the person. Raises `UnknownObject`."""
        return _found(self.users, user_id, "user")

    def submission(self, course: Course, assignment_id: int, user_id: int) -> Submission:
        """Return the student's submission; Canvas has a placeholder for every student and assignment.

        Raises `UnknownObject` for somebody who never was a student of the course.
        """
        key = (assignment_id, user_id)
        if key not in course.submissions:
            if course.gradable(assignment_id).id in course.assignments:
                course.assignment(assignment_id)
            if not any(e.user_id == user_id and e.is_student for e in list(course.enrollments.values())):
                raise UnknownObject(f"no student {user_id} in course {course.id}")
            course.submissions[key] = Submission(
                id=next(self._submission_ids), assignment_id=assignment_id, user_id=user_id
            )
        return course.submissions[key]

    def add_enrollment(self, course: Course, section_id: int, user_id: int, kind: str, state: str) -> Enrollment:
        """Enroll a known user as an SIS import does; the caller decides what is announced."""
        now = self.clock.now()
        enrollment = Enrollment(next(self._enrollment_ids), course.id, section_id, user_id, kind, state, True, now, now)
        course.enrollments[enrollment.id] = enrollment
        return enrollment

    def _course(self, seed: CourseSeed) -> Course:
        now = self.clock.now()
        shared = {each.name for each in fields(Course)} & CourseSeed.model_fields.keys() - {"submissions"}
        values: dict[str, Any] = {name: getattr(seed, name) for name in shared}
        values |= {name: {each.id: each for each in values[name]} for name in ("sections", "groups", "assignments")}
        values |= {"term": self._known_term(seed.term), "code": seed.name, "created_at": now, "updated_at": now}
        values["sis_feature"] = self.seed.sis_feature if seed.sis_feature is None else seed.sis_feature
        course = Course(**values)
        self._enroll(course, seed)
        self._complete(course, seed)
        return course

    def _known_term(self, term: Term) -> Term:
        """Return the one record of a term, which all its courses share."""
        for known in self.terms:
            if known == term:
                return known
        self.terms.append(term)
        return term

    def _enroll(self, course: Course, seed: CourseSeed) -> None:
        teacher_id = seed.teacher_user_id
        email = f"teacher{teacher_id}@canvas.example"
        teacher = User(teacher_id, f"T{teacher_id}", f"Teacher {teacher_id}", email=email)
        self.users.setdefault(teacher.id, teacher)
        for section in seed.sections:
            self.add_enrollment(course, section.id, teacher.id, "TeacherEnrollment", "active")
        for student in seed.students:
            self.users.setdefault(student.user_id, User(student.user_id, student.sis_user_id, _name(student)))
            for section_id in student.section_ids:
                enrollment = self.add_enrollment(
                    course, section_id, student.user_id, student.type, student.enrollment_state
                )
                enrollment.from_sis = student.from_sis

    def _complete(self, course: Course, seed: CourseSeed) -> None:
        """Give assignments and submissions what a seed leaves out: group, times, ids, the grader."""
        now = self.clock.now()
        for assignment in course.assignments.values():
            assignment.assignment_group_id = assignment.assignment_group_id or next(iter(course.groups), 0)
            assignment.created_at = assignment.created_at or now
            assignment.updated_at = assignment.updated_at or now
        for submission in seed.submissions:
            submission.id = submission.id or next(self._submission_ids)
            submission.updated_at = submission.updated_at or now
            if submission.workflow_state == "graded":
                submission.graded_at = submission.graded_at or now
                submission.grader_id = submission.grader_id or course.teacher_user_id
                if not course.assignments[submission.assignment_id].muted:
                    submission.posted_at = submission.posted_at or now
            course.submissions[(submission.assignment_id, submission.user_id)] = submission


def _name(student: Student) -> str:
    if student.type == "StudentViewEnrollment":
        return "Test Student"
    return f"Student {student.sis_user_id or student.user_id}"
