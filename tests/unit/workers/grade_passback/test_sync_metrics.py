"""What is counted of a sync."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from redis.exceptions import ConnectionError as ConnectionFailed
from structlog.testing import capture_logs

from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.changes import ChangeCause, PendingChanges
from tests.fakes import Stores
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import School, change_set
from workers.grade_passback.course_sync import SyncReport
from workers.grade_passback.missed_changes import MissedChanges
from workers.grade_passback.sync_job import REPAIRS, count_sync

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)


class Counted:
    """Stores what is counted, and the first changes whose latency was observed."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.timed: list[datetime] = []
        self.counters = Stores(ManualClock(NOON)).counters
        self.counters.observe = self.timed.append  # type: ignore[method-assign,assignment]
        self.metrics = partial(count_sync, self._count, self.counters)

    def count(self, causes: Collection[ChangeCause], report: SyncReport) -> "Counted":
        self.metrics(PendingChanges("42", NOON, NOON, 1, frozenset(causes)), report)
        return self

    def _count(self, name: str, *labels: str, amount: int = 1) -> None:
        self.counts[name, *labels] += amount


def test_what_is_written_is_counted_and_timed() -> None:
    """Assignments, scores, and how long the first event waited."""
    counted = Counted().count({ChangeCause.EVENT}, SyncReport(Done(), assignments_written=2, scores_written=30))
    assert counted.counts == {("written", "assignments"): 2, ("written", "scores"): 30, ("syncs", "done", ""): 1}
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
    assert Counted().count(causes, report).timed == []


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
    assert Counted().count({ChangeCause.EVENT}, SyncReport(outcome)).counts == {("syncs", *labels): 1}


def test_what_a_pass_found_is_counted_and_logged() -> None:
    """Also where PowerSchool did not take it yet: the change was missed all the same."""
    report = SyncReport(Snooze("powerschool_timeout", timedelta(1)), missed=MissedChanges(2, 5))
    with capture_logs() as logs:
        counted = Counted().count({ChangeCause.RECONCILE}, report)
    assert counted.counters.read(REPAIRS) == {"assignments": 2, "scores": 5}
    assert [(line["event"], line["scores"]) for line in logs] == [("reconciliation_wrote", 5)]


def test_what_was_written_is_not_what_was_missed() -> None:
    """A sync that wrote what nobody missed counts nothing there."""
    report = SyncReport(Done(), assignments_written=2, scores_written=5)
    assert Counted().count({ChangeCause.RECONCILE}, report).counters.read(REPAIRS) == {}


def test_the_way_of_an_event_is_timed_from_the_event() -> None:
    """A pass over all courses may have made the course due an hour before."""
    counted, late = Counted(), NOON + timedelta(hours=1)
    causes = frozenset({ChangeCause.RECONCILE, ChangeCause.EVENT})
    changes = PendingChanges("42", NOON, late, 2, causes, first_event_at=late)
    counted.metrics(changes, SyncReport(Done(), assignments_written=1))
    assert counted.timed == [late]


def test_a_redis_that_is_away_makes_no_failure_of_a_sync() -> None:
    """Counts may be lost; the sync was handled before."""
    counted = Counted()

    def observe(_: datetime) -> None:
        raise ConnectionFailed("away")

    counted.counters.observe = observe  # type: ignore[method-assign,assignment]
    with capture_logs() as logs:
        counted.count({ChangeCause.EVENT}, SyncReport(Done(), assignments_written=1))
    assert [line["event"] for line in logs] == ["metrics_flush_failed"]


def test_a_sync_reports_what_it_wrote(school: School) -> None:
    """Two assignments with four scores in the first run; nothing in the second."""
    reports = [school.course_sync.run(change_set(), lambda: None, number) for number in (1, 2)]
    assert [(r.assignments_written, r.scores_written) for r in reports] == [(2, 4), (0, 0)]
