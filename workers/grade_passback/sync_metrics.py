"""Counting what syncs come to, for those who watch."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

from shared.domain.metrics import CounterName
from shared.domain.outcome import Discard, Done, Outcome, Retry, Snooze
from shared.domain.passback.changes import EVENT_CAUSES, PendingChanges
from shared.ports.passback import Count
from workers.grade_passback.outcome_handler import SyncReport


class SyncMetrics:
    """Counts outcomes and writes; `observe_latency` learns of each change that is in PowerSchool now."""

    def __init__(self, count: Count, observe_latency: Callable[[datetime], object]) -> None:
        self._count = count
        self._observe_latency = observe_latency

    def wrote(self, changes: PendingChanges, report: SyncReport) -> None:
        """Count what a run wrote; if it is done and was told of by an event, also how long that took."""
        if not report.assignments_written:
            return
        self._count(CounterName.WRITTEN, "assignments", amount=report.assignments_written)
        self._count(CounterName.WRITTEN, "scores", amount=report.scores_written)
        if isinstance(report.outcome, Done) and changes.causes & EVENT_CAUSES:
            self._observe_latency(changes.first_at)

    def ended(self, outcome: Outcome) -> None:
        """Count how a run ended, with its cause where it is not done."""
        self._count(CounterName.SYNCS, *_from_event(outcome))


def _from_event(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Done():
            return "done", ""
        case Snooze(cause=cause):
            return "waits", cause
        case Retry(failures=failures):
            return "failed", failures[0].cause
        case Discard(failure=failure):
            return "dead", failure.cause
        case never:
            assert_never(never)
