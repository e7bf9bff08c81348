"""Everything people do on the pages and through the API. Each act is noted with who it was."""

from collections.abc import Sequence

import structlog

from shared.config import ConfigurationError
from shared.domain.actions import Verb
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import DeadLetter
from shared.domain.pauses import course_target
from shared.errors import CourseGone
from shared.log_events import LogEvent
from workers.container import Container
from workers.grade_passback.gone_courses import refuse_unknown_course
from workers.provisioning.service import InvalidOperation
from workers.web.auth.roles import User
from workers.web.errors import ApiError
from workers.web.views.dead_letter_batches import Batches

log = structlog.get_logger()


class OperatorActions:
    """What an operator can do."""

    def __init__(self, service: Container) -> None:
        self._service = service

    def sync(self, person: User, course_id: str, assignment_ids: Sequence[str] = ()) -> None:
        """Ask for a sync now; safe to repeat. Raises `ApiError` for a course that Canvas does not have."""
        self._require_known_course(course_id)
        self._service.changes.request(course_id, ChangeCause.PERSON, assignment_ids, actor=person.actor)
        self._service.records.register(course_id)
        self._record(person, Verb.SYNC, course_target(course_id))

    def _require_known_course(self, course_id: str) -> None:
        try:
            refuse_unknown_course(self._service.canvas, self._service.records, course_id)
        except ConfigurationError:
            # A web process without Canvas's settings cannot ask; the worker finds out.
            return
        except CourseGone:
            raise ApiError(404, "course_unknown", f"Canvas has no course {course_id}.") from None

    def pause(self, person: User, target: str, reason: str) -> bool:
        """Hold the target back; False if it was already."""
        done = self._service.pauses.pause(target, person.actor, reason)
        if done:
            self._record(person, Verb.PAUSE, target)
        return done

    def resume(self, person: User, target: str) -> bool:
        """Let the target go on; False if it was not held back."""
        done = self._service.pauses.resume(target)
        if done:
            self._record(person, Verb.RESUME, target)
        return done

    def retry_one(self, person: User, letter: DeadLetter) -> bool:
        """Set the job of one letter going again; False if it cannot be put back."""
        done = self._service.dead_letter_queue.retry([letter], person.actor)
        if done.retried:
            self._record(person, Verb.RETRY, letter.id)
        return bool(done.retried)

    def discard_one(self, person: User, letter: DeadLetter) -> None:
        """Remove one letter without doing its work."""
        self._service.dead_letter_queue.discard([letter], person.actor)
        self._record(person, Verb.DISCARD, letter.id)

    def start_batch(self, person: User, verb: Verb, letters: Sequence[DeadLetter]) -> str:
        """Retry or discard many dead letters; return the batch's id."""
        batches = Batches(self._service.dead_letter_queue, self._service.letter_batches)
        batch_id = batches.start(verb, letters, person.actor)
        self._record(person, verb, f"batch:{batch_id}", len(letters))
        return batch_id

    def cancel_batch(self, person: User, batch_id: str) -> bool:
        """Let a batch end where it is; False if it does not run."""
        done = self._service.letter_batches.cancel(batch_id)
        if done:
            self._record(person, Verb.CANCEL, f"batch:{batch_id}")
        return done

    def approve(self, person: User, plan_id: str) -> bool:
        """Let a held provisioning plan be applied; False if it is not held any more."""
        try:
            self._service.provisioning_service.approve(plan_id, person.actor)
        except InvalidOperation:
            return False
        self._record(person, Verb.APPROVE, f"plan:{plan_id}")
        return True

    def reject(self, person: User, plan_id: str) -> bool:
        """Close a held provisioning plan without applying it; False if it is not held any more."""
        try:
            self._service.provisioning_service.discard(plan_id, person.actor)
        except InvalidOperation:
            return False
        self._record(person, Verb.REJECT, f"plan:{plan_id}")
        return True

    def record_sign_in(self, person: User) -> None:
        """Note that somebody signed in."""
        self._record(person, Verb.SIGN_IN, "pages")

    def _record(self, person: User, verb: Verb, target: str, count: int = 1) -> None:
        action_id = self._service.actions.add(person.name, verb, target, count)
        log.info(
            LogEvent.OPERATOR_ACTION, action_id=action_id, action=verb, target=target, count=count, actor=person.actor
        )
