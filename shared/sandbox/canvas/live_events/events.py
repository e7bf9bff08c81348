"""Live Events: their bodies, with Canvas's mix of global, local and integer ids.

Source: canvas-lms lib/canvas/live_events.rb and doc/api/data_services (grade, submission, assignment, course,
enrollment, quiz).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.sandbox.canvas.live_events.envelope import NO_COURSE, Envelope, LiveEvent, Origin
from shared.sandbox.canvas.seed import Assignment, Group, Override, Section, Submission
from shared.sandbox.canvas.state import ACCOUNT_ID, ROOT_ACCOUNT_ID, CanvasState, Course, Enrollment
from shared.sandbox.canvas.values import fields_of, grade_of, rest_time, times_of


@dataclass
class LiveEvents:
    """Builds events from records and hands them to `publish`."""

    state: CanvasState
    publish: Callable[[LiveEvent], None]

    def __post_init__(self) -> None:
        self.envelope = Envelope(self.state)

    def grade_change(
        self,
        course: Course,
        submission: Submission,
        before: Submission,
        origin: Origin,
        old_points: float | None = None,
    ) -> None:
        """Announce a grade. Nothing in it says excused or missing; null is all that an excuse shows."""
        assignment = course.gradable(submission.assignment_id)
        points_before = assignment.points_possible if old_points is None else old_points
        body = {
            **self._ids(submission_id=submission.id, assignment_id=submission.assignment_id),
            **self._ids(student_id=submission.user_id, user_id=submission.user_id),
            "assignment_name": assignment.name,
            "student_sis_id": self.state.users[submission.user_id].sis_user_id,
            "score": submission.score,
            "old_score": before.score,
            "grade": grade_of(assignment, submission.score),
            "old_grade": grade_of(assignment, before.score),
            "points_possible": assignment.points_possible,
            "old_points_possible": points_before,
            "grader_id": self._global(submission.grader_id) if (submission.grader_id or 0) > 0 else None,
            "grading_complete": submission.workflow_state == "graded",
            "muted": submission.posted_at is None,
        }
        self._send("grade_change", course, body, origin)

    def submission(self, name: str, course: Course, submission: Submission, origin: Origin) -> None:
        """Announce `submission_created` or `submission_updated`."""
        assignment = course.gradable(submission.assignment_id)
        body = {
            **self._ids(
                submission_id=submission.id, assignment_id=submission.assignment_id, user_id=submission.user_id
            ),
            **times_of(submission, "submitted_at", "graded_at", "updated_at", "posted_at"),
            **fields_of(submission, "score", "submission_type", "body", "attempt", "workflow_state"),
            "lti_user_id": None,
            "grade": grade_of(assignment, submission.score),
            "url": None,
            "late": course.is_late(submission),
            "missing": course.is_missing(submission, self.state.clock.now()),
            "lti_assignment_id": _uuid("assignment", assignment.id),
            "group_id": None,
        }
        self._send(name, course, body, origin)

    def quiz_submitted(self, course: Course, submission: Submission, quiz_id: int, origin: Origin) -> None:
        """Announce that a Classic Quiz was handed in; the id is the quiz submission's own."""
        body = {"submission_id": self._global(submission.id + 1_000_000), "quiz_id": self._global(quiz_id)}
        self._send("quiz_submitted", course, body, origin)

    def assignment(self, name: str, course: Course, assignment: Assignment, origin: Origin) -> None:
        """Announce `assignment_created` or `assignment_updated`: neither the SIS switch nor who it is for is in it."""
        body = {
            **self._ids(assignment_id=assignment.id, assignment_group_id=assignment.assignment_group_id),
            **times_of(assignment, "due_at", "unlock_at", "lock_at", "updated_at"),
            **fields_of(assignment, "points_possible", "workflow_state", "anonymous_grading"),
            "context_id": self._global(course.id),
            "context_type": "Course",
            "context_uuid": _uuid("course", course.id),
            "title": assignment.name[:8192],
            "description": assignment.description[:8192],
            "submission_types": ",".join(assignment.submission_types),
            "created_on_blueprint_sync": False,
            "lti_assignment_id": _uuid("assignment", assignment.id),
            "lti_assignment_description": assignment.description[:8192],
            "lti_resource_link_id": _uuid("link", assignment.id),
            "resource_map": None,
        }
        self._send(name, course, body, origin)

    def group(self, name: str, course: Course, group: Group, origin: Origin) -> None:
        """Announce an assignment group; its ids are local."""
        body = {
            **fields_of(group, "name", "position", "group_weight", "sis_source_id"),
            "assignment_group_id": str(group.id),
            "context_id": str(course.id),
            "context_type": "Course",
            "integration_data": group.integration_data or None,
            "rules": "",
            "workflow_state": "available",
        }
        self._send(name, course, body, origin)

    def override(self, name: str, course: Course, assignment: Assignment, override: Override, origin: Origin) -> None:
        """Announce an override; its ids are integers, and its course is not in the body."""
        body: dict[str, Any] = {
            **times_of(override, "due_at", "unlock_at", "lock_at"),
            "assignment_override_id": override.id,
            "assignment_id": assignment.id,
            "all_day": False,
            "all_day_date": None,
            "type": override.kind,
            "workflow_state": override.workflow_state,
        }
        body |= {"course_section_id": override.course_section_id} if override.course_section_id else {}
        body |= {"group_id": override.group_id} if override.group_id else {}
        self._send(name, course, body, origin)

    def course(self, course: Course, origin: Origin, name: str = "course_updated") -> None:
        """Announce `course_created` or `course_updated`: no SIS id and no dates are in it."""
        time = self.envelope.job_time if origin.job_tag else rest_time
        body = {
            **self._ids(course_id=course.id, account_id=ACCOUNT_ID),
            "uuid": _uuid("course", course.id),
            "name": course.name,
            "created_at": rest_time(course.created_at),
            "updated_at": time(course.updated_at),
            # REST's word for what the database calls claimed.
            "workflow_state": "claimed" if course.workflow_state == "unpublished" else course.workflow_state,
        }
        self._send(name, course, body, origin)

    def section(self, course: Course, section: Section, origin: Origin, name: str = "course_section_updated") -> None:
        """Announce `course_section_created` or `_updated`; ids are local and the context is the section."""
        body = {
            **fields_of(section, "name", "default_section", "workflow_state"),
            **times_of(section, "start_at", "end_at"),
            "course_section_id": str(section.id),
            "sis_source_id": section.sis_section_id,
            "sis_batch_id": "1",
            "course_id": str(course.id),
            "root_account_id": str(ROOT_ACCOUNT_ID),
            "enrollment_term_id": str(course.term.id),
            "accepting_enrollments": True,
            "can_manually_enroll": None,
            "restrict_enrollments_to_section_dates": bool(section.start_at or section.end_at),
            "nonxlist_course_id": None if section.nonxlist_course_id is None else str(section.nonxlist_course_id),
            "stuck_sis_fields": sorted(section.stuck_sis_fields),
            "integration_id": None,
        }
        context = {
            "context_type": "CourseSection",
            "context_id": self._global(section.id),
            "context_sis_source_id": section.sis_section_id,
        }
        self._send(name, course, body, origin, context)

    def enrollment(self, name: str, course: Course, enrollment: Enrollment, origin: Origin) -> None:
        """Announce `enrollment_created` or `enrollment_updated`."""
        user = self.state.users[enrollment.user_id]
        body = {
            **self._ids(enrollment_id=enrollment.id, course_id=course.id, user_id=user.id),
            **times_of(enrollment, "created_at", "updated_at"),
            "course_uuid": _uuid("course", course.id),
            "user_uuid": _uuid("user", user.id),
            "user_name": user.name,
            "type": enrollment.type,
            "limit_privileges_to_course_section": False,
            "course_section_id": self._global(enrollment.section_id),
            "workflow_state": enrollment.state,
        }
        self._send(name, course, body, origin)

    def enrollment_state(
        self, course: Course, enrollment: Enrollment, origin: Origin, name: str = "enrollment_state_updated"
    ) -> None:
        """Announce `enrollment_state_created` or `_updated`: neither course nor user is in it."""
        current = enrollment.state == "active"
        body = {
            "enrollment_id": self._global(enrollment.id),
            "state": enrollment.state,
            "state_started_at": self.envelope.job_time(enrollment.updated_at),
            "state_is_current": current,
            "state_valid_until": None,
            "restricted_access": not current,
            "access_is_current": current,
        }
        self._send(name, course, body, origin)

    def sis_batch(self, name: str, batch_id: int, workflow_state: str, origin: Origin) -> None:
        """Announce `sis_batch_created` or `sis_batch_updated`: ids are local, and the context is the root account."""
        metadata = self.envelope.account_metadata(name, origin)
        body = {"sis_batch_id": str(batch_id), "account_id": str(ROOT_ACCOUNT_ID), "workflow_state": workflow_state}
        self.publish(LiveEvent(name, NO_COURSE, {"metadata": metadata, "body": body}))

    def _send(
        self,
        name: str,
        course: Course,
        body: dict[str, Any],
        origin: Origin,
        context: dict[str, Any] | None = None,
    ) -> None:
        metadata = self.envelope.metadata(name, course, origin) | (context or {})
        self.publish(LiveEvent(name, course.id, {"metadata": metadata, "body": body}))

    def _ids(self, **local_ids: int) -> dict[str, str | None]:
        return {name: self._global(local_id) for name, local_id in local_ids.items()}

    def _global(self, local_id: int | None) -> str | None:
        return self.envelope.global_id(local_id)


def _uuid(kind: str, local_id: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox:{kind}:{local_id}"))
