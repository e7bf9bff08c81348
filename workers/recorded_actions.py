"""What people do, on the pages, through the API and on the command line: each action is recorded with its actor."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from shared.adapters.redis.course_data.proofs import ProofKey
from shared.domain.actions import Verb, course_of, course_target
from shared.domain.outcome import DeadLetter
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.readiness.findings import ReadinessRun
from shared.domain.passback.rules.categories import CategoryAssociation
from shared.domain.passback.takeover import Selection
from shared.domain.passback.takeover_run import TakeoverMode, TakeoverRequest, TakeoverRun
from shared.domain.provisioning.run import Run
from workers.container import Container
from workers.dead_letters import RetryResult
from workers.erasure import Erasure, ErasureResult
from workers.grade_passback.operations.takeover import TakeoverPlan, UndoResult
from workers.grade_passback.operations.verification.verifier import Verification
from workers.known_ids import require_assignment, require_course, require_selected

CATEGORY_MAP = "category-map"


class RecordedActions:
    """What one person does. `name` is the account's whole name for Actions, `actor` the one in the history."""

    def __init__(self, service: Container, actor: str, name: str = "") -> None:
        self._service = service
        self._actor = actor
        self._name = name or actor

    def sync(self, course_id: str, assignment_ids: Sequence[str] = ()) -> None:
        """Request a sync now; safe to repeat. Raises `NotInCourse` for an assignment that the course does not have."""
        for assignment_id in assignment_ids:
            require_assignment(self._service, course_id, assignment_id)
        self._request_sync(course_id, assignment_ids)
        self._record(Verb.SYNC, course_target(course_id))

    def begin_bulk_sync(self, target: str, count: int) -> None:
        """Record that many courses are about to be synced; `request_of_many` requests each."""
        self._record(Verb.SYNC, target, count)

    def request_of_many(self, course_id: str, *, is_of_term: bool) -> None:
        """Request the sync of one of many courses.

        As a pass over all courses does: others go first, and a section whose term is closed stays closed. A person who
        names a term by its days means it, closed or not.
        """
        cause = ChangeCause.PERSON if is_of_term else ChangeCause.RECONCILE
        self._service.changes.request(course_id, cause, actor=self._actor, origin=ChangeCause.BULK)

    def begin_verification(self, target: str, count: int) -> None:
        """Record that courses are about to be verified; `verify` verifies each."""
        self._record(Verb.VERIFY, target, count)

    def verify(self, course_id: str, patience: timedelta, *, makes_due: bool = True) -> Verification:
        """Read both sides of a course back, store the proof, and make what differs due. Raises: PassbackError."""
        return self._service.verifier.verify(course_id, self._actor, patience=patience, makes_due=makes_due)

    def replace_proof_key(self) -> ProofKey:
        """Let a new key sign proofs from now on. The public key of the one before stays, to check what it signed."""
        key = self._service.proof_keys.replace()
        self._record(Verb.REPLACE_KEY, f"proof-key:{key.key_id}")
        return key

    def pause(self, target: str, reason: str) -> bool:
        """Pause the target; False if it was paused already. Raises `CourseGone` for a course that nobody knows."""
        if course_id := course_of(target):
            require_course(self._service, course_id)
        done = self._service.pauses.pause(target, self._actor, reason)
        if done:
            self._record(Verb.PAUSE, target)
        return done

    def resume(self, target: str) -> bool:
        """Resume the target; False if it was not paused. Raises `CourseGone` for a course that nobody knows."""
        done = self._service.pauses.resume(target)
        if done:
            self._record(Verb.RESUME, target)
        elif course_id := course_of(target):
            require_course(self._service, course_id)
        return done

    def retry(
        self, dead_letters: Sequence[DeadLetter], is_cancelled: Callable[[], bool] = lambda: False
    ) -> RetryResult:
        """Retry dead letters; what cannot be run again is in the result."""
        done = self._service.dead_letter_queue.retry(dead_letters, self._actor, is_cancelled)
        self._record_dead_letters(Verb.RETRY, done.retried)
        return done

    def discard(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Remove dead letters without doing their work; return how many."""
        count = self._service.dead_letter_queue.discard(dead_letters, self._actor)
        self._record_dead_letters(Verb.DISCARD, [each.id for each in dead_letters])
        return count

    def link_category(self, course_id: str, group: str, category: str) -> tuple[str, CategoryAssociation]:
        """Associate a group with a category, and sync the course. Raises: InvalidMapping, PassbackError."""
        group_id, association = self._service.category_links.link(course_id, group, category)
        self._request_sync(course_id)
        self._record(Verb.LINK, f"{course_target(course_id)}:group:{group_id}")
        return group_id, association

    def unlink_category(self, course_id: str, group: str) -> str:
        """Delete a group's association, and sync the course; return the group's id. Raises as `link_category`."""
        group_id = self._service.category_links.unlink(course_id, group)
        self._request_sync(course_id)
        self._record(Verb.UNLINK, f"{course_target(course_id)}:group:{group_id}")
        return group_id

    def save_category_map(self, categories: Mapping[str, str]) -> None:
        """Store entries of the district's map of group names to categories; the others stay."""
        self._service.associations.save_to_map(categories)
        self._record(Verb.LINK, CATEGORY_MAP, len(categories))

    def remove_from_category_map(self, group: str) -> bool:
        """Delete the entry of a group's name from the district's map; False if there is none."""
        done = self._service.associations.delete_from_map(group)
        if done:
            self._record(Verb.UNLINK, CATEGORY_MAP)
        return done

    def take_over(self, course_id: str, selection: Selection) -> TakeoverPlan:
        """Link what can be linked in a course, and sync it. Raises: `CourseBusy`, and what reading raises."""
        plan = self._service.takeover.take_over(course_id, selection, with_scores=True)
        if plan.links:
            self._sync_after_takeover(course_id)
            self._record(Verb.TAKE_OVER, _work_target(course_id, selection.assignment_id), len(plan.links))
        return plan

    def undo_takeover(self, course_id: str, assignment_id: str | None = None) -> UndoResult:
        """Delete the links of what was taken over and not written to, and sync the course. Raises: `CourseBusy`.

        Raises `CourseGone` or `NotInCourse` for what is unknown.
        """
        result = self._service.takeover.undo(course_id, assignment_id)
        if not (result.undone or result.written):
            require_selected(self._service, course_id, assignment_id)
        if result.undone:
            self._sync_after_takeover(course_id)
            self._record(Verb.UNDO_TAKEOVER, _work_target(course_id, assignment_id), len(result.undone))
        return result

    def take_over_many(self, request: TakeoverRequest) -> TakeoverRun:
        """Begin a run over many courses, which the caller carries out. Raises: TakeoverUnderWay."""
        run = self._service.takeover_runner.start(request, self._actor)
        if request.mode is not TakeoverMode.DRY_RUN:
            verb = Verb.UNDO_TAKEOVER if request.mode is TakeoverMode.UNDO else Verb.TAKE_OVER
            self._record(verb, "courses" if request.school is None else f"school:{request.school}")
        return run

    def cancel_takeover(self) -> bool:
        """End the running takeover of many courses after its course; False if none is running."""
        done = self._service.takeover_runs.cancel()
        if done:
            self._record(Verb.CANCEL, "takeover")
        return done

    def purge(self, scope: str, erase: Callable[[Erasure, str], ErasureResult], *, is_recorded: bool) -> ErasureResult:
        """Erase what `scope` names, without the id of a student; a dry run is not recorded."""
        result = erase(self._service.erasure, self._actor)
        if is_recorded:
            self._record(Verb.PURGE, scope, result.erased.total())
        return result

    def check_readiness(self) -> ReadinessRun:
        """Request a check of readiness, or return the one that is not finished."""
        run = self._service.readiness_check.request(self._actor)
        self._record(Verb.CHECK_READINESS, "district")
        return run

    def run_provisioning(self) -> Run:
        """Request a provisioning run, or return the one that was requested and has not begun."""
        run = self._service.provisioning_service.request(self._actor)
        self._record(Verb.PROVISION, f"run:{run.id}")
        return run

    def roll_back(self, run_id: str | None) -> Run:
        """Request that Canvas gets back what it had before a run. Raises: InvalidOperation."""
        run = self._service.provisioning_service.rollback(run_id, self._actor)
        self._record(Verb.ROLLBACK, f"run:{run.rollback_of}")
        return run

    def approve_plan(self, run_id: str, plan_digest: str | None = None) -> Run:
        """Approve a held provisioning plan, if it still has this digest. Raises: InvalidOperation."""
        run = self._service.provisioning_service.approve(run_id, self._actor, plan_digest)
        self._record(Verb.APPROVE, f"plan:{run_id}")
        return run

    def reject_plan(self, run_id: str, plan_digest: str | None = None) -> Run:
        """Close a held provisioning plan without applying it, if it still has this digest. Raises: InvalidOperation."""
        run = self._service.provisioning_service.discard(run_id, self._actor, plan_digest)
        self._record(Verb.REJECT, f"plan:{run_id}")
        return run

    def make_registration_link(self) -> str:
        """Return the secret of a link with which a Canvas can register passback: once, within a day."""
        link_secret = secrets.token_urlsafe(32)
        self._service.lti.add_link(link_secret, self._name)
        self._record(Verb.INVITE, "canvas")
        return link_secret

    def confirm_registration(self, client_id: str) -> bool:
        """Accept launches of a registration from now on; False if there is none of this client."""
        found = next((each for each in self._service.lti.registrations() if each.client_id == client_id), None)
        if found is None:
            return False
        confirmed = {"confirmed_at": self._service.clock.now(), "confirmed_by": self._name}
        self._service.lti.save_registration(found.model_copy(update=confirmed))
        self._record(Verb.CONFIRM, f"client:{client_id}")
        return True

    def remove_registration(self, client_id: str) -> bool:
        """Accept no launch of a registration any more; False if there is none of this client."""
        done = self._service.lti.remove_registration(client_id)
        if done:
            self._record(Verb.REMOVE, f"client:{client_id}")
        return done

    def _request_sync(self, course_id: str, assignment_ids: Sequence[str] = ()) -> None:
        self._service.changes.request(course_id, ChangeCause.PERSON, assignment_ids, actor=self._actor)
        self._service.records.register(course_id)

    def _sync_after_takeover(self, course_id: str) -> None:
        changes, cause = self._service.changes, ChangeCause.PERSON
        changes.request(course_id, cause, actor=self._actor, origin=ChangeCause.TAKEOVER)
        self._service.records.register(course_id)

    def _record_dead_letters(self, verb: Verb, ids: Sequence[str]) -> None:
        if ids:
            self._record(verb, ids[0] if len(ids) == 1 else "dead_letters", len(ids))

    def _record(self, verb: Verb, target: str, count: int = 1) -> str:
        return self._service.actions.add(self._name, verb, target, count)


def _work_target(course_id: str, assignment_id: str | None) -> str:
    return course_target(course_id) + (f":assignment:{assignment_id}" if assignment_id else "")
