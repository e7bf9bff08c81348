"""What passes over all courses had to repair is counted."""

from dataclasses import replace

import pytest

from shared.domain.outcome import Done
from shared.domain.passback.changes import ChangeCause
from tests.fakes import FakeCounters, whole_turn
from tests.unit.workers.grade_passback.school import School, change_set
from workers.grade_passback.lease import write_guard
from workers.grade_passback.outcome_handler import SyncReport
from workers.grade_passback.scheduled.repairs import REPAIRS, count_reconciliation_writes

WRITTEN = SyncReport(Done(), assignments_written=2, scores_written=5)


@pytest.mark.parametrize(
    ("causes", "repaired"),
    [
        ({ChangeCause.RECONCILE}, True),
        ({ChangeCause.SCHEDULE}, True),
        ({ChangeCause.SCHEDULE, ChangeCause.RECONCILE}, True),
        ({ChangeCause.RECONCILE, ChangeCause.EVENT}, False),
        ({ChangeCause.PERSON}, False),
        ({ChangeCause.DUE_DATE}, False),
        (set(), False),
    ],
)
def test_only_what_nobody_told_of_is_a_repair(causes: set[ChangeCause], repaired: bool) -> None:
    """If an event, a person or a due date led to the course as well, its writes are ordinary work."""
    counters = FakeCounters()
    count_reconciliation_writes(counters, replace(change_set(), causes=frozenset(causes)), WRITTEN)
    assert counters.read(REPAIRS) == ({"assignments": 2, "scores": 5} if repaired else {})


def test_a_pass_that_wrote_nothing_repaired_nothing() -> None:
    """Where PowerSchool agreed, nothing is counted."""
    counters = FakeCounters()
    count_reconciliation_writes(
        counters, replace(change_set(), causes=frozenset({ChangeCause.RECONCILE})), SyncReport(Done())
    )
    assert counters.numbers == {}


def test_a_run_tells_what_it_wrote(school: School) -> None:
    """Two assignments with four scores in the first run; nothing in the second."""
    reports = []
    for _ in range(2):
        lease = school.changes.lease("1")
        check = write_guard(school.changes, lease, whole_turn(school.clock, school.clock.now().resolution))
        reports.append(school.sync_course.run(change_set(), check, lease.token))
    assert [(r.assignments_written, r.scores_written) for r in reports] == [(2, 4), (0, 0)]
