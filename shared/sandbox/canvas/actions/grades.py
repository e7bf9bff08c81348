"""What people do to grades, and which Live Events each action emits, or does not.

Source: canvas-lms lib/canvas/live_events_callbacks.rb and app/models/submission.rb (`grade_change` when grade, score,
excused or `posted_at` changed or the state became graded; `submission_updated` unless the submission is unsubmitted).
"""

from collections.abc import Iterable
from typing import Any

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from shared.sandbox.canvas.live_events.envelope import SUBMISSIONS_JOB, Origin
from shared.sandbox.canvas.live_events.events import LiveEvents
from shared.sandbox.canvas.seed import Assignment, LatePolicyStatus, Submission
from shared.sandbox.canvas.state import CanvasState, Course, UnknownObject
from shared.sandbox.canvas.values import score_of


class Grade(TypedDict):
    """One grade of `grade_many`."""

    course_id: int
    assignment_id: int
    user_id: int
    score: float | None


class GradeActions(CanvasState):
    """The actions that concern submissions. Each returns what it touched."""

    events: LiveEvents

    def grade(
        self, course_id: int, assignment_id: int, user_id: int, score: float | None, grader_id: int | None = None
    ) -> Submission:
        """Enter a score as a person does: grade_change and submission_updated. None clears it."""
        course = self.course(course_id)
        if course.assignment(assignment_id).checkpoints:
            raise UnknownObject("Must provide a valid sub assignment tag when grading checkpointed discussions")
        submission = self.submission(course, assignment_id, user_id)
        return self._save(course, submission, self._entered(course, submission, score, grader_id), Origin())

    def grade_checkpoint(
        self, course_id: int, assignment_id: int, tag: str, user_id: int, score: float | None
    ) -> Submission:
        """Enter a score for a part of a discussion: grade_change and submission_updated of the part, with its id.

        The parent's score follows by an update of the column, which runs no callback: no event names the parent.
        Source: canvas-lms app/services/checkpoints/submission_aggregator_service.rb; `Assignment#grade_student`.
        """
        course = self.course(course_id)
        parent = course.assignment(assignment_id)
        part = next((each for each in parent.checkpoints if each.tag == tag), None)
        if part is None:
            raise UnknownObject("Must provide a valid sub assignment tag when grading checkpointed discussions")
        submission = self.submission(course, part.id, user_id)
        self._save(course, submission, self._entered(course, submission, score, None), Origin())
        parent_submission = self.submission(course, assignment_id, user_id)
        self._assign(parent_submission, self._rolled_up(course, parent, parent_submission))
        return parent_submission

    def grade_many(self, grades: list[Grade]) -> list[Submission]:
        """Enter scores one after the other."""
        return [self.grade(**grade) for grade in grades]

    def grade_as_posted(self, course_id: int, assignment_id: int, user_id: int, posted_grade: str) -> Submission:
        """Enter a grade in any form that Canvas takes: `8.5`, `85%`, `B+`, `complete`; empty clears it."""
        score = score_of(self.course(course_id).assignment(assignment_id), posted_grade)
        return self.grade(course_id, assignment_id, user_id, score)

    def clear(self, course_id: int, assignment_id: int, user_id: int) -> Submission:
        """Empty a score: grade_change with nulls; submission_updated only if something was handed in."""
        return self.grade(course_id, assignment_id, user_id, None)

    def excuse(self, course_id: int, assignment_id: int, user_id: int, excused: bool = True) -> Submission:
        """Excuse the student: grade_change with nulls, in which nothing says excused."""
        course, submission = self._found(course_id, assignment_id, user_id)
        changes = self._entered(course, submission, None, None)
        if excused:
            grader = course.teacher_user_id
            changes |= {"excused": True, "late_policy_status": None, "workflow_state": "graded", "grader_id": grader}
        return self._save(course, submission, changes, Origin())

    def mark_missing(self, course_id: int, assignment_id: int, user_id: int) -> Submission:
        """Mark work Missing: no event at all while it is unsubmitted and ungraded, else submission_updated."""
        return self.set_late_policy_status(course_id, assignment_id, user_id, "missing")

    def set_late_policy_status(
        self, course_id: int, assignment_id: int, user_id: int, status: LatePolicyStatus | None
    ) -> Submission:
        """Set the status by hand, which takes an excuse back."""
        course, submission = self._found(course_id, assignment_id, user_id)
        changes: dict[str, Any] = {"late_policy_status": status, "excused": False}
        if submission.excused:
            changes["workflow_state"] = _ungraded_state(submission)
        return self._save(course, submission, changes, Origin())

    def submit(self, course_id: int, assignment_id: int, user_id: int, body: str = "An answer.") -> Submission:
        """Hand work in: submission_created. A score it already had stays, but no longer matches."""
        course, submission = self._found(course_id, assignment_id, user_id)
        kinds = course.assignment(assignment_id).submission_types
        self._hand_in(submission, kinds[0] if kinds else "online_text_entry", body)
        self.events.submission("submission_created", course, submission, self._student_origin(user_id))
        return submission

    def quiz_submit(
        self, course_id: int, assignment_id: int, user_id: int, score: float, waits_for_essay: bool = False
    ) -> Submission:
        """Hand a Classic Quiz in, graded at once: the events' actor is the student, and no grader is in them.

        With `waits_for_essay` the score is partial and the state pending_review.
        """
        course = self.course(course_id)
        quiz_id = course.assignment(assignment_id).quiz_id or assignment_id
        submission = self.submission(course, assignment_id, user_id)
        origin = self._student_origin(user_id)
        self._hand_in(submission, "online_quiz", f"user: {user_id}, quiz: {quiz_id}, score: {score}")
        self.events.submission("submission_created", course, submission, origin)
        self.events.quiz_submitted(course, submission, quiz_id, origin)
        changes = self._entered(course, submission, score, -quiz_id)
        if waits_for_essay:
            changes |= {"workflow_state": "pending_review", "graded_at": None}
        return self._save(course, submission, changes, origin)

    def post(self, course_id: int, assignment_id: int) -> list[Submission]:
        """Post grades: one grade_change per graded submission, with an unchanged score."""
        return self._set_posted(course_id, assignment_id, posted=True)

    def hide(self, course_id: int, assignment_id: int) -> list[Submission]:
        """Hide grades: one grade_change per graded submission, with an unchanged score."""
        return self._set_posted(course_id, assignment_id, posted=False)

    def apply_missing_policy(
        self, course_id: int, assignment_id: int, percent: float = 0, announced: bool = False
    ) -> list[Submission]:
        """Give missing work the score of the missing policy: no grade_change; submission_updated if `announced`.

        Announcing needs the root-account feature `missing_policy_applicator_emits_live_events`.
        """
        course, now = self.course(course_id), self.clock.now()
        assignment = course.assignment(assignment_id)
        missing = [s for s in self._submissions_of(course, assignment) if course.is_missing(s, now) and s.score is None]
        for submission in missing:
            score = (assignment.points_possible or 0) * percent / 100
            self._assign(submission, self._entered(course, submission, score, None) | {"grader_id": None})
            submission.late_policy_status = "missing"
            if announced:
                origin = Origin(job_tag="Canvas::LiveEvents.submissions_bulk_updated")
                self.events.submission("submission_updated", course, submission, origin)
        return missing

    def apply_late_policy(self, course_id: int, assignment_id: int, percent: float) -> list[Submission]:
        """Deduct from late work: `score` falls, `entered_score` stays; a grade_change for each, from a job."""
        course = self.course(course_id)
        assignment = course.assignment(assignment_id)
        deduction = (assignment.points_possible or 0) * percent / 100
        late = [
            s for s in self._submissions_of(course, assignment) if course.is_late(s) and s.entered_score is not None
        ]
        for submission in late:
            score = max(0.0, (submission.entered_score or 0) - deduction)
            changes = {"score": score, "points_deducted": deduction}
            self._save(course, submission, changes, Origin(job_tag=SUBMISSIONS_JOB))
        return late

    def _announce_regrade(self, course: Course, assignment: Assignment, before: Assignment) -> list[Submission]:
        """Save every graded submission again because points or grading type changed: a flood from a job.

        Only pass/fail scores follow the points.
        """
        graded = [s for s in self._submissions_of(course, assignment) if s.workflow_state == "graded"]
        for submission in graded:
            was = submission.model_copy()
            if assignment.grading_type == "pass_fail" and submission.score:
                submission.score = submission.entered_score = assignment.points_possible or 0.0
            origin = Origin(job_tag=SUBMISSIONS_JOB)
            self.events.grade_change(course, submission, was, origin, old_points=before.points_possible)
        return graded

    def _found(self, course_id: int, assignment_id: int, user_id: int) -> tuple[Course, Submission]:
        course = self.course(course_id)
        return course, self.submission(course, assignment_id, user_id)

    def _set_posted(self, course_id: int, assignment_id: int, *, posted: bool) -> list[Submission]:
        course = self.course(course_id)
        assignment = course.assignment(assignment_id)
        assignment.muted = not posted
        origin, now = Origin(path=f"/assignments/{assignment_id}"), self.clock.now()
        submissions = list(self._submissions_of(course, assignment))
        for submission in submissions:
            was = submission.model_copy()
            submission.posted_at = now if posted else None
            if submission.workflow_state == "graded":
                self.events.grade_change(course, submission, was, origin)
        return submissions

    def _submissions_of(self, course: Course, assignment: Assignment) -> Iterable[Submission]:
        users = dict.fromkeys(e.user_id for e in course.student_enrollments())
        return [
            self.submission(course, assignment.id, user) for user in users if course.is_assigned_to(assignment, user)
        ]

    def _student_origin(self, user_id: int) -> Origin:
        return Origin(actor=self.users[user_id], role="StudentEnrollment", path="/quizzes/submissions")

    def _hand_in(self, submission: Submission, kind: str, body: str) -> None:
        """Hand work in. It is no longer missing, also where somebody marked it so (Canvas guides)."""
        if submission.late_policy_status == "missing":
            submission.late_policy_status = None
        scored = submission.workflow_state == "graded" and submission.score is not None
        self._assign(
            submission,
            {
                "workflow_state": "submitted",
                "attempt": (submission.attempt or 0) + 1,
                "submitted_at": self.clock.now(),
                "submission_type": kind,
                "body": body,
                "grade_matches_current_submission": not scored,
            },
        )

    def _entered(
        self, course: Course, submission: Submission, score: float | None, grader_id: int | None
    ) -> dict[str, Any]:
        """Return what entering this score changes; None empties it."""
        now = self.clock.now()
        changes: dict[str, Any] = {
            "score": score,
            "entered_score": score,
            "points_deducted": None,
            "excused": False,
            "grade_matches_current_submission": True,
            "grader_id": course.teacher_user_id if grader_id is None else grader_id,
            "graded_at": now,
            "workflow_state": "graded",
        }
        assignment = course.gradable(submission.assignment_id)
        if submission.posted_at is None and not assignment.muted and not assignment.post_manually:
            changes["posted_at"] = now
        if score is None:
            changes |= {"workflow_state": _ungraded_state(submission), "grader_id": None}
            changes |= {"graded_at": None, "posted_at": None}
        return changes

    def _rolled_up(self, course: Course, parent: Assignment, submission: Submission) -> dict[str, Any]:
        """Return what the parts' scores make of the parent's: their sum, None while no part has one."""
        parts = [self.submission(course, part.id, submission.user_id) for part in parent.checkpoints]
        scores = [part.score for part in parts if part.score is not None]
        return self._entered(course, submission, sum(scores) if scores else None, None)

    def _save(self, course: Course, submission: Submission, changes: dict[str, Any], origin: Origin) -> Submission:
        """Change the submission and announce what Canvas announces; saving equal values announces nothing."""
        before = submission.model_copy()
        if all(getattr(before, name) == value for name, value in changes.items() if name != "graded_at"):
            return submission
        self._assign(submission, changes)
        if _grade_changed(before, submission):
            self.events.grade_change(course, submission, before, origin)
        if submission.workflow_state != "unsubmitted":
            self.events.submission("submission_updated", course, submission, origin)
        return submission

    def _assign(self, submission: Submission, changes: dict[str, Any]) -> None:
        for name, value in (changes | {"updated_at": self.clock.now()}).items():
            setattr(submission, name, value)


def _ungraded_state(submission: Submission) -> str:
    return "submitted" if submission.submitted_at else "unsubmitted"


def _grade_changed(before: Submission, after: Submission) -> bool:
    def seen(submission: Submission) -> tuple[object, ...]:
        return submission.score, submission.excused, submission.posted_at

    became_graded = after.workflow_state == "graded" and before.workflow_state != "graded"
    return seen(before) != seen(after) or became_graded
