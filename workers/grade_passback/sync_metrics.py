"""Counts outcomes and writes of syncs, for the metrics and the status."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.operations.counters import Counters
from shared.domain.metrics import CounterName
from shared.domain.outcome import Discard, Done, Outcome, Retry, Snooze
from shared.domain.passback.changes import EVENT_CAUSES, PendingChanges
from shared.log_events import LogEvent
from shared.ports.passback import Count
from workers.grade_passback.outcome_handler import SyncReport

log = structlog.get_logger()

REPAIRS = "repairs"


class SyncMetrics:
    """Counts syncs.

    `observe_latency` is called with the time of the first change that is in PowerSchool now. `counters` counts
    changes of which no event told.
    """

    def __init__(self, count: Count, observe_latency: Callable[[datetime], object], counters: Counters) -> None:
        self._count = count
        self._observe_latency = observe_latency
        self._counters = counters

    def count(self, changes: PendingChanges, report: SyncReport) -> None:
        """Count a sync whose outcome was handled. Counts are lost, and logged, if Redis is unavailable."""
        self._count(CounterName.SYNCS, *_labels(report.outcome))
        try:
            self._count_missed(changes, report)
            if not report.assignments_written:
                return
            self._count(CounterName.WRITTEN, "assignments", amount=report.assignments_written)
            self._count(CounterName.WRITTEN, "scores", amount=report.scores_written)
            if isinstance(report.outcome, Done) and changes.causes & EVENT_CAUSES:
                self._observe_latency(changes.first_event_at or changes.first_at)
        except RedisError as error:
            log.warning(LogEvent.METRICS_FLUSH_FAILED, error=type(error).__name__)

    def _count_missed(self, changes: PendingChanges, report: SyncReport) -> None:
        """Count and log changes that a pass over all courses found: no event arrived for them."""
        missed = report.missed
        if not missed.assignments:
            return
        self._counters.add(REPAIRS, "assignments", missed.assignments)
        self._counters.add(REPAIRS, "scores", missed.scores)
        log.info(
            LogEvent.RECONCILIATION_WROTE,
            course_id=changes.course_id,
            assignments=missed.assignments,
            scores=missed.scores,
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
