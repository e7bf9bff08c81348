"""What became of a plan, and what PowerSchool's refusals mean to a person."""

from dataclasses import dataclass, field

from shared.domain.outcome import Failure
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.reasons import REASON_OF_CAUSE, Finding, Reason
from shared.errors import PermanentError, RequestRejected, ServiceUnavailable, TransientError

# Only a write reveals these; every other reason is found by looking.
REVEALED_BY_WRITING = frozenset(
    {*REASON_OF_CAUSE.values(), Reason.SCORE_NOT_CLEARED, Reason.FLAG_NOT_WITHDRAWN, Reason.RETRYING}
)


@dataclass
class ApplyResult:
    """What became of a plan, by assignment and section.

    `kept_names` are assignments that keep their names for now, and why: their scores are written all the same. `gone`
    was deleted in PowerSchool while we looked: a new survey creates it again. `written` counts scores;
    `written_before` those of this run's earlier looks.
    """

    refused: dict[AssignmentKey, Finding] = field(default_factory=dict)
    kept_names: dict[AssignmentKey, Finding] = field(default_factory=dict)
    refused_students: dict[AssignmentKey, dict[int, Finding]] = field(default_factory=dict)
    failed: dict[AssignmentKey, Failure] = field(default_factory=dict)
    dead: dict[AssignmentKey, Failure] = field(default_factory=dict)
    gone: dict[AssignmentKey, Failure] = field(default_factory=dict)
    written: dict[AssignmentKey, int] = field(default_factory=dict)
    written_before: dict[AssignmentKey, int] = field(default_factory=dict)
    links: dict[AssignmentKey, Link] = field(default_factory=dict)
    unwell: ServiceUnavailable | None = None

    def is_open(self, key: AssignmentKey) -> bool:
        """Say whether nothing stands in the way of this assignment's next step."""
        return key not in self.refused and key not in self.failed and key not in self.dead

    def note(self, key: AssignmentKey, error: TransientError | PermanentError) -> None:
        """Keep what went wrong for this assignment; the others go on."""
        if isinstance(error, TransientError):
            self.failed[key] = Failure(error.cause, str(error), key.assignment_id)
            return
        words = error.error_text if isinstance(error, RequestRejected) else ""
        reason = REASON_OF_CAUSE.get(error.cause)
        if reason is Reason.STUDENT_REFUSED:
            # PowerSchool did not say which student, so that nobody's score went through.
            reason = Reason.REFUSED
        if reason is None:
            self.dead[key] = Failure(error.cause, f"{error} {words}".strip(), key.assignment_id)
        else:
            self.refused[key] = Finding(reason, words)

    def record_write(self, key: AssignmentKey, scores: int) -> None:
        """Count what was written."""
        self.written[key] = self.written.get(key, 0) + scores
