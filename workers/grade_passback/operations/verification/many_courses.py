"""Verifies many courses one after the other, at a pace that leaves room for changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from shared.clock import Clock
from shared.domain.causes import Cause, Scope
from shared.domain.passback.proof import Proof
from shared.errors import PermanentError, TransientError
from workers.grade_passback.operations.verification.verifier import Verification

# While changes wait for a worker, the next course waits, but never so long that a busy day has no proof.
MAX_COURTESY = timedelta(seconds=30)
POLL_INTERVAL = timedelta(seconds=0.5)
# So many failures in a row that may pass are an outage: the rest is left for later.
MAX_FAILURES_IN_A_ROW = 5


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
