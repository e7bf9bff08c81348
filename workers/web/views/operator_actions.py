"""What operators do on the pages and through the API: recorded, and written to the log as well."""

import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.http.exchange import waits_at_most
from shared.adapters.redis.dead_letters.store import BatchState
from shared.config import ConfigurationError
from shared.domain.actions import EVERYTHING, Verb, course_target
from shared.domain.outcome import DeadLetter
from shared.domain.passback.takeover_run import TakeoverRequest, TakeoverRun
from shared.errors import CourseGone, PassbackError
from shared.log_events import LogEvent
from workers.container import Container
from workers.dead_letters import group_by_job
from workers.grade_passback.course_reader import refuse_unknown_course
from workers.grade_passback.operations.takeover_run import TakeoverUnderWay
from workers.grade_passback.operations.verification.verifier import Verification
from workers.known_ids import unknown_part
from workers.provisioning.service import InvalidOperation
from workers.recorded_actions import RecordedActions
from workers.web.auth.roles import User
from workers.web.errors import ApiError
from workers.web.views.live_reads import FOR_NAMES

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

    def start_batch(self, verb: Verb, dead_letters: Sequence[DeadLetter]) -> str:
        """Retry or discard many dead letters in a thread of this process; return the batch's id.

        A batch whose process ends is interrupted: the rest is untouched, and can be retried by another batch.
        """
        batch_id = secrets.token_hex(8)
        self._service.dead_letter_batches.begin(batch_id, verb, self._actor, len(dead_letters))
        _in_a_thread(f"batch-{batch_id}", self._run_batch, batch_id, verb, dead_letters)
        self._record(verb, f"batch:{batch_id}", len(dead_letters))
        return batch_id

    def _run_batch(self, batch_id: str, verb: Verb, dead_letters: Sequence[DeadLetter]) -> None:
        """Process the dead letters job by job, a course or a message each, until somebody cancels the batch."""
        queue, progress = self._service.dead_letter_queue, self._service.dead_letter_batches
        done = refused = 0
        try:
            for number, job in enumerate(group_by_job(dead_letters)):
                if number and not progress.go_on(batch_id, done, refused):
                    progress.end(batch_id, BatchState.CANCELLED)
                    return
                if verb is Verb.DISCARD:
                    done += queue.discard(job, self._actor)
                else:
                    result = queue.retry(job, self._actor)
                    done += len(result.retried)
                    refused += len(result.not_possible)
            progress.go_on(batch_id, done, refused)
            progress.end(batch_id, BatchState.DONE)
        except RedisError as error:
            log.warning(LogEvent.DEAD_LETTER_BATCH_ERROR, batch_id=batch_id, error=type(error).__name__)

    def cancel_batch(self, batch_id: str) -> bool:
        """Cancel a batch between two jobs; False if it does not run."""
        done = self._service.dead_letter_batches.cancel(batch_id)
        if done:
            self._record(Verb.CANCEL, f"batch:{batch_id}")
        return done

    def start_takeover(self, request: TakeoverRequest) -> TakeoverRun:
        """Begin a takeover of many courses in a thread of this process.

        Raises `ApiError` while another one runs, and for a school of which no course is known: it would do nothing.
        If the process ends, the run is interrupted, and goes on where it was when the same is asked for again.
        """
        refuse_unknown_part(self._service, request.school)
        try:
            run = self.take_over_many(request)
        except TakeoverUnderWay as error:
            raise ApiError(409, "takeover_under_way", str(error)) from None
        _in_a_thread("takeover", self._carry_out, run)
        return run

    def _carry_out(self, run: TakeoverRun) -> None:
        try:
            self._service.takeover_runner.carry_out(run)
        except (PassbackError, RedisError) as error:
            # The run says so itself, unless Redis is away: then it is interrupted.
            log.warning(LogEvent.TAKEOVER_RUN_ERROR, error=type(error).__name__)

    def approve(self, plan_id: str, plan_digest: str | None = None) -> bool:
        """Approve a provisioning plan; False if it does not wait for approval any more, or has another digest."""
        return _is_done(self.approve_plan, plan_id, plan_digest)

    def reject(self, plan_id: str, plan_digest: str | None = None) -> bool:
        """Close a provisioning plan without applying it; False as for `approve`."""
        return _is_done(self.reject_plan, plan_id, plan_digest)

    def record_sign_in(self) -> None:
        """Record that the user signed in."""
        self._record(Verb.SIGN_IN, "pages")

    def _record(self, verb: Verb, target: str, count: int = 1) -> str:
        action_id = super()._record(verb, target, count)
        actor = self._actor
        log.info(LogEvent.OPERATOR_ACTION, action_id=action_id, action=verb, target=target, count=count, actor=actor)
        return action_id


def refuse_unknown_part(service: Container, school: int | None, term: str = "") -> None:
    """Raise `ApiError` for a school or a term of which no course is known."""
    if unknown := unknown_part(service, school, term):
        kind, problem = unknown
        raise ApiError(404, f"{kind}_unknown", f"{problem[0].upper()}{problem[1:]}.")


def refuse_without_reason(target: str, reason: str) -> None:
    """Raise `ApiError` for a pause of everything without a reason: others have to know when it may end."""
    if target == EVERYTHING and not reason.strip():
        raise ApiError(422, "reason_missing", "Say why everything is paused: others have to know when it may end.")


def _is_done(decide: Callable[[str, str | None], object], plan_id: str, plan_digest: str | None) -> bool:
    try:
        decide(plan_id, plan_digest)
    except InvalidOperation:
        return False
    return True


def _in_a_thread(name: str, work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, name=name, daemon=True).start()
