"""What is counted of a sync."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.changes import ChangeCause, PendingChanges
from workers.grade_passback.outcome_handler import SyncReport
from workers.grade_passback.sync_metrics import SyncMetrics

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)


class Counted:
    """Keeps what is counted, and the first changes whose way was timed."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.timed: list[datetime] = []
        self.measures = SyncMetrics(self.count, self.timed.append)

    def count(self, name: str, *labels: str, amount: int = 1) -> None:
        self.counts[name, *labels] += amount


def changes(*causes: ChangeCause) -> PendingChanges:
    return PendingChanges("42", NOON, NOON, 1, frozenset(causes))


def test_what_is_written_is_counted_and_timed() -> None:
    """Assignments, scores, and how long the first event waited."""
    counted = Counted()
    counted.measures.wrote(changes(ChangeCause.EVENT), SyncReport(Done(), assignments_written=2, scores_written=30))
    assert counted.counts == {("written", "assignments"): 2, ("written", "scores"): 30}
    assert counted.timed == [NOON]


@pytest.mark.parametrize(
    ("causes", "report"),
    [
        ({ChangeCause.EVENT}, SyncReport(Done())),
        ({ChangeCause.RECONCILE}, SyncReport(Done(), assignments_written=1)),
        ({ChangeCause.PERSON, ChangeCause.SCHEDULE}, SyncReport(Done(), assignments_written=1)),
        ({ChangeCause.EVENT}, SyncReport(Snooze("powerschool_throttled", timedelta(1)), assignments_written=1)),
    ],
)
def test_only_the_way_of_an_event_is_timed(causes: set[ChangeCause], report: SyncReport) -> None:
    """Not of a run that wrote nothing, that no event led to, or that is not done yet."""
    counted = Counted()
    counted.measures.wrote(changes(*causes), report)
    assert counted.timed == []


@pytest.mark.parametrize(
    ("outcome", "labels"),
    [
        (Done(), ("done", "")),
        (Snooze("canvas_throttled", timedelta(1)), ("waits", "canvas_throttled")),
        (Retry((Failure("powerschool_500"), Failure("powerschool_409"))), ("failed", "powerschool_500")),
        (Discard(Failure("canvas_404", "spoken by Canvas")), ("dead", "canvas_404")),
    ],
)
def test_an_end_is_counted_by_its_cause(outcome: Outcome, labels: tuple[str, str]) -> None:
    """The code alone; what a system answered is no label."""
    counted = Counted()
    counted.measures.ended(outcome)
    assert counted.counts == {("syncs", *labels): 1}
