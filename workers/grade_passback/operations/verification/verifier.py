"""Verifies courses: reads both sides back, and signs and stores what was found. Writes nothing to PowerSchool."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from shared.adapters.http.exchange import low_priority
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.proofs import ProofKeys, Proofs, SignedProof
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.sync_queue.store import QueueState, SyncQueue
from shared.clock import Clock
from shared.domain.causes import Cause, Scope
from shared.domain.passback.agreement import SCORE, ComparedValue
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.proof import (
    Proof,
    assignment_results,
    counts_of,
    difference_counts,
    document_of,
    not_compared_parts,
)
from shared.errors import PermanentError, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import CachePolicy
from workers.grade_passback.compare import compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.operations.verification.agreement import CourseAgreement, agreement_of, rows_csv, scores_csv

log = structlog.get_logger()

MAX_READS = 4
# What differs is read again after this long: what changed between the two reads is no difference.
RECHECK_AFTER = timedelta(seconds=2)
POLL_INTERVAL = timedelta(seconds=0.5)
MAX_REQUEST_WAIT = timedelta(minutes=10)
# While changes wait for a worker, the next course waits, but never so long that a busy day has no proof.
MAX_COURTESY = timedelta(seconds=30)
# So many failures in a row that may pass are an outage: the rest is left for later.
MAX_FAILURES_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class Verification:
    """A proof, and the two files that it has the digests of. They hold ids of students, the second one scores."""

    signed: SignedProof
    rows: bytes
    scores: bytes

    @property
    def proof(self) -> Proof:
        """Return the proof."""
        return self.signed.proof


@dataclass(frozen=True)
class Verifier:
    """Compares courses as a sync does, and proves what it finds."""

    reader: Callable[[], CourseReader]
    states: CourseStates
    queue: SyncQueue
    pauses: Pauses
    proofs: Proofs
    keys: ProofKeys
    clock: Clock
    canvas_url: str
    powerschool_url: str

    def verify(self, course_id: str, actor: str, *, patience: timedelta, makes_due: bool = True) -> Verification:
        """Verify the course, store the proof, and make what differs due.

        What differs is read again until it stays so and no change is on its way; `patience` bounds the waits for that.
        Raises the errors of `shared.errors`: then nothing is stored.
        """
        until, previous, reads = self.clock.now() + patience, frozenset[ComparedValue](), 0
        while True:
            reads += 1
            began, (found, is_undisturbed) = self.clock.now(), self._read(course_id)
            is_settled = not found.due if is_undisturbed else not found.unequal
            is_settled = is_settled or (is_undisturbed and found.due == previous)
            if is_settled or reads == MAX_READS or self.clock.now() >= until:
                break
            previous = found.due
            self._wait(course_id, until)
        verification = self._signed(course_id, found, began, reads, is_settled=is_settled)
        self.proofs.add(verification.signed)
        proof = verification.proof
        if makes_due and proof.is_due:
            origin = ChangeCause.VERIFICATION
            self.queue.request(course_id, ChangeCause.RECONCILE, actor=actor, origin=origin)
        log.info(
            LogEvent.COURSE_VERIFIED, course_id=course_id, scores=proof.scores.compared, reads=reads,
            differs=proof.scores.differs + proof.assignments.differs, settled=is_settled,
            duration_ms=round((proof.read_until - began).total_seconds() * 1000),
        )  # fmt: skip
        return verification

    def _read(self, course_id: str) -> tuple[CourseAgreement, bool]:
        """Read both sides; say also whether no sync ran or waited meanwhile.

        As if a person asked: a course whose term is closed is compared, too. What PowerSchool refused before is not
        expected to succeed now.
        """
        synced_before, was_idle = self._synced_at(course_id), self._is_idle(course_id)
        with low_priority(MAX_REQUEST_WAIT):
            data = self.reader().read(course_id, asked_for_by_person=True, cache=CachePolicy.REFRESH_ALL)
        today = self.clock.now().astimezone(data.policy.zone_of(data.course)).date()
        found = agreement_of(compare(replace(data, asked_for_by_person=False)), today)
        return found, was_idle and self._is_idle(course_id) and self._synced_at(course_id) == synced_before

    def _wait(self, course_id: str, until: datetime) -> None:
        """Wait for a moment, and for the course's sync if one is on its way."""
        self.clock.sleep(RECHECK_AFTER)
        while self.clock.now() < until and not self._is_idle(course_id) and not self.pauses.of_course(course_id):
            self.clock.sleep(POLL_INTERVAL)

    def _is_idle(self, course_id: str) -> bool:
        return self.queue.state_of(course_id).queue_state is QueueState.IDLE

    def _synced_at(self, course_id: str) -> datetime | None:
        record = self.states.course(course_id)
        return None if record is None else record.synced_at

    def _signed(
        self, course_id: str, found: CourseAgreement, began: datetime, reads: int, *, is_settled: bool
    ) -> Verification:
        key = self.keys.current()
        rows, scores = rows_csv(course_id, found), scores_csv(course_id, found, secrets.token_hex(16))
        proof = Proof(
            course_id=course_id,
            canvas=self.canvas_url,
            powerschool=self.powerschool_url,
            read_from=began,
            read_until=self.clock.now(),
            reads=reads,
            is_settled=is_settled,
            assignments=counts_of(assignment_results(found.values)),
            scores=counts_of(value.result for value in found.values if value.what == SCORE),
            differences=difference_counts(found.values),
            not_compared=not_compared_parts(found.not_compared),
            powerschool_only=found.powerschool_only,
            rows_sha256=hashlib.sha256(rows).hexdigest(),
            scores_sha256=hashlib.sha256(scores).hexdigest(),
            key_id=key.key_id,
        )
        document = document_of(proof)
        return Verification(SignedProof(proof, document, key.sign(document)), rows, scores)


@dataclass
class VerificationProgress:
    """How far it is: the proofs, and the courses that could not be read, with the code and the error.

    `remaining` were not looked at yet. `stopped` says why it ended before its end.
    """

    remaining: list[str]
    proofs: list[Proof] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str = ""

    @property
    def selected(self) -> int:
        """Return how many courses were selected."""
        return len(self.remaining) + len(self.proofs) + len(self.failed)

    @property
    def is_fine(self) -> bool:
        """Say whether every course was verified completely, and is equal."""
        return not (self.remaining or self.failed) and all(p.is_equal and p.is_complete for p in self.proofs)


def verify_many(
    course_ids: Sequence[str],
    verify: Callable[[str], Verification],
    clock: Clock,
    changes_wait: Callable[[], bool],
    report: Callable[[VerificationProgress, Verification | None], None],
    is_cancelled: Callable[[], bool],
) -> VerificationProgress:
    """Verify the courses. `report` gets the progress after each, with its verification if there is one."""
    progress, in_a_row = VerificationProgress(list(course_ids)), 0
    while progress.remaining and not progress.stopped:
        if is_cancelled():
            progress.stopped = "cancelled"
            break
        _let_changes_go_first(clock, changes_wait, is_cancelled)
        course_id = progress.remaining[0]
        found = None
        try:
            found = verify(course_id)
            progress.proofs.append(found.proof)
            in_a_row = 0
        except (TransientError, PermanentError) as error:
            if error.cause == Cause.REDIS_UNAVAILABLE:
                raise
            in_a_row = in_a_row + 1 if isinstance(error, TransientError) else 0
            if in_a_row == MAX_FAILURES_IN_A_ROW or Cause(error.cause).scope is Scope.DISTRICT:
                progress.stopped = f"{error.cause}: {error}"
            progress.failed[course_id] = f"{error.cause}: {error}"
        progress.remaining.pop(0)
        report(progress, found)
    return progress


def _let_changes_go_first(clock: Clock, changes_wait: Callable[[], bool], is_cancelled: Callable[[], bool]) -> None:
    until = clock.now() + MAX_COURTESY
    while changes_wait() and clock.now() < until and not is_cancelled():
        clock.sleep(POLL_INTERVAL)
