"""What operators do on the pages and through the API: recorded, and written to the log as well."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from shared.config import ConfigurationError
from shared.domain.actions import EVERYTHING, Verb, course_target
from shared.domain.outcome import DeadLetter
from shared.errors import CourseGone
from shared.log_events import LogEvent
from workers.container import Container
from workers.grade_passback.course_reader import refuse_unknown_course
from workers.grade_passback.operations.verification.verifier import Verification
from workers.provisioning.service import InvalidOperation
from workers.recorded_actions import RecordedActions
from workers.web.auth.roles import User
from workers.web.errors import ApiError
from workers.web.views.dead_letters import start_batch
from workers.web.views.live_reads import FOR_NAMES, waits_at_most

log = structlog.get_logger()

# A person waits so long at most for the syncs of a course that is verified.
VERIFY_PATIENCE = timedelta(seconds=5)


class OperatorActions(RecordedActions):
    """What one operator can do."""

    def __init__(self, service: Container, user: User) -> None:
        super().__init__(service, user.actor, user.name)

    def sync(self, course_id: str, assignment_ids: Sequence[str] = ()) -> None:
        """Request a sync now; safe to repeat. Raises `ApiError` for a course that Canvas does not have."""
        self._require_known_course(course_id)
        super().sync(course_id, assignment_ids)

    def verify_now(self, course_id: str) -> Verification:
        """Verify the course while somebody waits for it. Raises `ApiError` for a course that Canvas does not have."""
        self._require_known_course(course_id)
        self.begin_verification(course_target(course_id), 1)
        return self.verify(course_id, VERIFY_PATIENCE)

    def _require_known_course(self, course_id: str) -> None:
        try:
            with waits_at_most(FOR_NAMES):
                refuse_unknown_course(self._service.canvas.check_course, self._service.records, course_id)
        except ConfigurationError:
            # A web process without Canvas's settings cannot check; the worker does.
            return
        except CourseGone:
            raise ApiError(404, "course_unknown", f"Canvas has no course {course_id}.") from None

    def pause(self, target: str, reason: str) -> bool:
        """Pause the target; False if it was paused already. Raises `ApiError` if a reason is missing."""
        refuse_without_reason(target, reason)
        return super().pause(target, reason)

    def retry_one(self, dead_letter: DeadLetter) -> bool:
        """Retry one dead letter; False if its job cannot be run again."""
        return bool(self.retry([dead_letter]).retried)

    def discard_one(self, dead_letter: DeadLetter) -> None:
        """Remove one dead letter without doing its work."""
        self.discard([dead_letter])

    def start_batch(self, verb: Verb, dead_letters: Sequence[DeadLetter]) -> str:
        """Retry or discard many dead letters; return the batch's id."""
        queue, progress = self._service.dead_letter_queue, self._service.dead_letter_batches
        batch_id = start_batch(queue, progress, verb, dead_letters, self._actor)
        self._record(verb, f"batch:{batch_id}", len(dead_letters))
        return batch_id

    def cancel_batch(self, batch_id: str) -> bool:
        """Cancel a batch between two jobs; False if it does not run."""
        done = self._service.dead_letter_batches.cancel(batch_id)
        if done:
            self._record(Verb.CANCEL, f"batch:{batch_id}")
        return done

    def approve(self, plan_id: str, plan_digest: str | None = None) -> bool:
        """Approve a provisioning plan; False if it does not wait for approval any more, or has another digest."""
        try:
            self.approve_plan(plan_id, plan_digest)
        except InvalidOperation:
            return False
        return True

    def reject(self, plan_id: str, plan_digest: str | None = None) -> bool:
        """Close a provisioning plan without applying it; False as for `approve`."""
        try:
            self.reject_plan(plan_id, plan_digest)
        except InvalidOperation:
            return False
        return True

    def record_sign_in(self) -> None:
        """Record that the user signed in."""
        self._record(Verb.SIGN_IN, "pages")

    def _record(self, verb: Verb, target: str, count: int = 1) -> str:
        action_id = super()._record(verb, target, count)
        actor = self._actor
        log.info(LogEvent.OPERATOR_ACTION, action_id=action_id, action=verb, target=target, count=count, actor=actor)
        return action_id


def refuse_without_reason(target: str, reason: str) -> None:
    """Raise `ApiError` for a pause of everything without a reason: others have to know when it may end."""
    if target == EVERYTHING and not reason.strip():
        raise ApiError(422, "reason_missing", "Say why everything is paused: others have to know when it may end.")
