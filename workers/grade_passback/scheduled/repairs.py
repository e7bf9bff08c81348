"""Counting what passes over all courses had to repair: work that no event had told of."""

import structlog

from shared.adapters.redis.operations.counters import Counters
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.log_events import LogEvent
from workers.grade_passback.outcome_handler import SyncReport

log = structlog.get_logger()

REPAIRS = "repairs"
WITHOUT_EVENT = frozenset({ChangeCause.RECONCILE, ChangeCause.SCHEDULE})


def count_reconciliation_writes(counters: Counters, changes: PendingChanges, report: SyncReport) -> None:
    """Count and log what the run wrote, if nothing but a pass over all courses led to it."""
    if not (changes.causes and changes.causes <= WITHOUT_EVENT and report.assignments_written):
        return
    counters.add(REPAIRS, "assignments", report.assignments_written)
    counters.add(REPAIRS, "scores", report.scores_written)
    log.info(
        LogEvent.RECONCILIATION_WROTE,
        course_id=changes.course_id,
        assignments=report.assignments_written,
        scores=report.scores_written,
    )
