"""What people and SIS imports do to assignments, groups, courses and enrollments, and the Live Events of each action.

Source: canvas-lms lib/canvas/live_events_callbacks.rb: every create and update is announced, a soft delete is an
update, and what is written in bulk (`update_all`) is not announced.
"""

from typing import Any, Final

from shared.sandbox.canvas.actions.grades import GradeActions
from shared.sandbox.canvas.live_events.envelope import SIS_JOB, Origin
from shared.sandbox.canvas.seed import Assignment, EnrollmentState, Group, Override, Section, Term, changed
from shared.sandbox.canvas.state import Course, Enrollment, UnknownObject, User
from shared.sandbox.control import change_fields

COURSE_FIELDS: Final = frozenset(
    {"name", "code", "workflow_state", "time_zone", "apply_assignment_group_weights", "hide_final_grades"}
)
GROUP_FIELDS: Final = frozenset({"group_weight", "drop_lowest", "drop_highest", "never_drop"})
USER_FIELDS: Final = frozenset({"name", "sortable_name", "short_name", "login_id", "prefers_high_contrast"})
RESCORING_FIELDS: Final = ("points_possible", "grading_type")


class CourseActions(GradeActions):
    """The actions that concern everything but submissions. Each returns what it touched."""

    def create_assignment(self, course_id: int, assignment: dict[str, Any]) -> Assignment:
        """Create an assignment from Canvas fields, `name` at least: assignment_created."""
        course, now = self.course(course_id), self.clock.now()
        defaults = {"id": self.new_id(), "created_at": now, "updated_at": now}
        created = Assignment.model_validate(defaults | assignment)
        created.assignment_group_id = created.assignment_group_id or next(iter(course.groups), 0)
        course.assignments[created.id] = created
        self.events.assignment("assignment_created", course, created, Origin(path="/assignments"))
        return created

    def edit_assignment(self, course_id: int, assignment_id: int, changes: dict[str, Any]) -> Assignment:
        """Change Canvas fields: assignment_updated; points or grading type also re-save every graded submission."""
        course = self.course(course_id)
        before = course.assignment(assignment_id)
        edited = changed(before, **(changes | {"updated_at": self.clock.now()}))
        course.assignments[assignment_id] = edited
        self._announce(course, edited)
        if any(getattr(before, name) != getattr(edited, name) for name in RESCORING_FIELDS):
            self._announce_regrade(course, edited, before)
        return edited

    def delete_assignment(self, course_id: int, assignment_id: int) -> Assignment:
        """Delete softly: assignment_updated with state deleted."""
        course = self.course(course_id)
        assignment = course.assignment(assignment_id)
        assignment.workflow_state = "deleted"
        self._announce(course, assignment)
        return assignment

    def release_moderated(self, course_id: int, assignment_id: int) -> Assignment:
        """Publish the grades of a moderated assignment: assignment_updated."""
        return self.edit_assignment(course_id, assignment_id, {"grades_published": True})

    def add_override(self, course_id: int, assignment_id: int, override: dict[str, Any]) -> Assignment:
        """Add dates for one target: assignment_override_created, which does not name the course in its body."""
        course = self.course(course_id)
        assignment = course.assignment(assignment_id)
        added = Override.model_validate({"id": self.new_id()} | override)
        assignment.overrides = [*assignment.overrides, added]
        self.events.override("assignment_override_created", course, assignment, added, Origin(path="/assignments"))
        return assignment

    def remove_override(self, course_id: int, assignment_id: int, override_id: int) -> Assignment:
        """Take an override away: assignment_override_updated with state deleted."""
        course = self.course(course_id)
        assignment = course.assignment(assignment_id)
        removed = next((o for o in assignment.active_overrides if o.id == override_id), None)
        if removed is None:
            raise UnknownObject(f"no override {override_id} of assignment {assignment_id}")
        removed.workflow_state = "deleted"
        self.events.override("assignment_override_updated", course, assignment, removed, Origin(path="/assignments"))
        return assignment

    def rename_group(self, course_id: int, group_id: int, name: str) -> Group:
        """Rename an assignment group: assignment_group_updated."""
        course = self.course(course_id)
        group = course.group(group_id)
        group.name = name
        self.events.group("assignment_group_updated", course, group, Origin(path=f"/assignment_groups/{group_id}"))
        return group

    def edit_group(self, course_id: int, group_id: int, changes: dict[str, Any]) -> Group:
        """Change an assignment group's weight or the rules by which it drops scores: assignment_group_updated."""
        course = self.course(course_id)
        group = course.group(group_id)
        change_fields(group, GROUP_FIELDS, changes)
        self.events.group("assignment_group_updated", course, group, Origin(path=f"/assignment_groups/{group_id}"))
        return group

    def create_group(self, course_id: int, name: str) -> Group:
        """Create an assignment group: assignment_group_created."""
        course = self.course(course_id)
        group = Group(id=self.new_id(), name=name, position=len(course.groups) + 1)
        course.groups[group.id] = group
        self.events.group("assignment_group_created", course, group, Origin(path="/assignment_groups"))
        return group

    def rename_section(self, course_id: int, section_id: int, name: str) -> Section:
        """Rename a section: course_section_updated."""
        course = self.course(course_id)
        section = course.section(section_id)
        section.name = name
        section.stuck_sis_fields.add("name")
        self.events.section(course, section, Origin(path=f"/sections/{section_id}"))
        return section

    def cross_list(self, course_id: int, section_id: int, to_course_id: int) -> Section:
        """Move a section with its enrollments into another course: course_section_updated and enrollment_updated."""
        course, target = self.course(course_id), self.course(to_course_id)
        section = course.section(section_id)
        section.nonxlist_course_id = section.nonxlist_course_id or course_id
        section.stuck_sis_fields.add("course_id")
        target.sections[section_id] = course.sections.pop(section_id)
        origin = Origin(path=f"/sections/{section_id}/crosslist")
        self.events.section(target, section, origin)
        for enrollment in [e for e in course.enrollments.values() if e.section_id == section_id]:
            target.enrollments[enrollment.id] = course.enrollments.pop(enrollment.id)
            enrollment.course_id = to_course_id
            self.events.enrollment("enrollment_updated", target, enrollment, origin)
        return section

    def drop_student(
        self, course_id: int, user_id: int, section_id: int | None = None, state: EnrollmentState = "completed"
    ) -> list[Enrollment]:
        """End a student's enrollments, as an SIS import does: enrollment_updated and enrollment_state_updated."""
        course = self.course(course_id)
        dropped = [
            e
            for e in course.student_enrollments(["active", "invited"])
            if e.user_id == user_id and section_id in (None, e.section_id)
        ]
        origin = Origin(job_tag=SIS_JOB)
        for enrollment in dropped:
            enrollment.state, enrollment.updated_at = state, self.clock.now()
            self.events.enrollment("enrollment_updated", course, enrollment, origin)
            self.events.enrollment_state(course, enrollment, origin)
        return dropped

    def enroll_student(self, course_id: int, user_id: int, sis_user_id: str | None, section_id: int) -> Enrollment:
        """Enroll a new or known student, as an SIS import does: enrollment_created."""
        self.users.setdefault(user_id, User(user_id, sis_user_id, f"Student {sis_user_id or user_id}"))
        return self._enroll_and_announce(course_id, user_id, section_id, "StudentEnrollment", Origin(job_tag=SIS_JOB))

    def enroll(self, course_id: int, user_id: int, section_id: int, enrollment_type: str) -> Enrollment:
        """Enroll a new or known person of any type, such as `TaEnrollment`, by hand: enrollment_created."""
        self.users.setdefault(user_id, User(user_id, None, f"User {user_id}"))
        return self._enroll_and_announce(course_id, user_id, section_id, enrollment_type, Origin(path="/enroll_users"))

    def _announce(self, course: Course, assignment: Assignment) -> None:
        origin = Origin(method="PUT", path=f"/assignments/{assignment.id}")
        self.events.assignment("assignment_updated", course, assignment, origin)

    def _enroll_and_announce(
        self, course_id: int, user_id: int, section_id: int, kind: str, origin: Origin
    ) -> Enrollment:
        course = self.course(course_id)
        course.section(section_id)
        enrollment = self.add_enrollment(course, section_id, user_id, kind, "active")
        self.events.enrollment("enrollment_created", course, enrollment, origin)
        return enrollment


class AdminActions(CourseActions):
    """What administrators edit by hand, so that SIS imports leave it alone. Each action returns what it touched.

    Source: Canvas "SIS Import Format", the columns marked as sticky; canvas-lms SIS stickiness.
    """

    def edit_term(self, sis_term_id: str, changes: dict[str, Any]) -> Term:
        """Change a term's name or dates (`start_at`, `end_at`): no event."""
        term = next((term for term in self.terms if term.sis_term_id == sis_term_id), None)
        if term is None:
            raise UnknownObject(f"no term {sis_term_id}")
        checked = changed(term, **changes)
        for name in changes:
            setattr(term, name, getattr(checked, name))
        term.stuck_sis_fields |= set(changes)
        return term

    def change_theme(self, theme: str) -> list[Course]:
        """Give the account another mobile CSS and JavaScript, which decorate every description: no event."""
        self.seed.theme = theme
        return list(self.courses.values())

    def edit_course(self, course_id: int, changes: dict[str, Any]) -> Course:
        """Change a course's name, code, state or time zone: course_updated."""
        course = self.course(course_id)
        change_fields(course, COURSE_FIELDS, changes)
        course.stuck_sis_fields |= set(changes)
        course.updated_at = self.clock.now()
        self.events.course(course, Origin(method="PUT", path="/settings"))
        return course

    def edit_user(self, user_id: int, changes: dict[str, Any]) -> User:
        """Change a person's names or login: no event that passback subscribes to."""
        user = self.user(user_id)
        change_fields(user, USER_FIELDS, changes)
        user.stuck_sis_fields |= set(changes)
        return user

    def suspend_user(self, user_id: int, *, sticks: bool = True) -> User:
        """Suspend a person's login; an import leaves it suspended where that sticks.

        `workflow_state` is a sticky field of a login (canvas-lms lib/sis/user_importer.rb). Whether every way to
        suspend marks it so is not public: without `sticks` the next row of an import brings the login back.
        """
        user = self.user(user_id)
        user.workflow_state = "suspended"
        user.stuck_sis_fields |= {"workflow_state"} if sticks else set()
        return user
