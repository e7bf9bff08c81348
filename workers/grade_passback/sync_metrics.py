"""Counts outcomes and writes of syncs, for the metrics and the status."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.operations.counters import Counters
from shared.domain.metrics import CounterName
from shared.domain.outcome import Discard, Done, Outcome, Retry, Snooze
from shared.domain.passback.changes import EVENT_CAUSES, ChangeCause, PendingChanges
from shared.log_events import LogEvent
from shared.ports.passback import Count
from workers.grade_passback.outcome_handler import SyncReport

log = structlog.get_logger()

REPAIRS = "repairs"
WITHOUT_EVENT = frozenset({ChangeCause.RECONCILE, ChangeCause.SCHEDULE})


class SyncMetrics:
    """Counts syncs.

    `observe_latency` is called with the time of the first change that is in PowerSchool now. `counters` counts
    writes that no event led to.
    """

    def __init__(self, count: Count, observe_latency: Callable[[datetime], object], counters: Counters) -> None:
        self._count = count
        self._observe_latency = observe_latency
        self._counters = counters

    def count(self, changes: PendingChanges, report: SyncReport) -> None:
        """Count a sync whose outcome was handled. Counts are lost, and logged, if Redis is unavailable."""
        self._count(CounterName.SYNCS, *_labels(report.outcome))
        if not report.assignments_written:
            return
        try:
            self._count_reconciliation_writes(changes, report)
            self._count(CounterName.WRITTEN, "assignments", amount=report.assignments_written)
            self._count(CounterName.WRITTEN, "scores", amount=report.scores_written)
            if isinstance(report.outcome, Done) and changes.causes & EVENT_CAUSES:
                self._observe_latency(changes.first_at)
        except RedisError as error:
            log.warning(LogEvent.METRICS_FLUSH_FAILED, error=type(error).__name__)

    def _count_reconciliation_writes(self, changes: PendingChanges, report: SyncReport) -> None:
        """Count and log writes to which only a pass over all courses led: no event arrived for the change."""
        if not changes.causes or not changes.causes <= WITHOUT_EVENT:
            return
        self._counters.add(REPAIRS, "assignments", report.assignments_written)
        self._counters.add(REPAIRS, "scores", report.scores_written)
        log.info(
            LogEvent.RECONCILIATION_WROTE,
            course_id=changes.course_id,
            assignments=report.assignments_written,
            scores=report.scores_written,
        )


def _labels(outcome: Outcome) -> tuple[str, str]:
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
