"""What starts a sync, and what remains of deleted work: the sentences that need more than the rules.

Source: product rules, "Overwriting" and "Ways to start a sync".
"""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.passback.canvas import DUE_DATE_DELAY
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import State
from shared.domain.passback.planning.plan import CreateStep, WriteScoresStep
from shared.domain.passback.rules.reasons import Reason
from shared.events import parse, to_change
from tests.fakes import FakeChanges, Stores
from tests.manual_clock import ManualClock
from tests.unit.domain.passback.baseline import CHICAGO
from tests.unit.workers.grade_passback.school import NOW, OTHER, School
from workers.grade_passback.compare import compare
from workers.grade_passback.scheduled import full_sync, reconcile, trigger_due_dates

HOUR = timedelta(hours=1)
TICK = timedelta(seconds=30)
GRADED = b"""{"metadata": {"event_name": "grade_change", "event_time": "2026-10-05T15:00:00.000Z", "producer": "canvas",
"context_type": "Course", "context_id": "100000000000101"}, "body": {"assignment_id": "100000000000011"}}"""


def test_an_assignment_deleted_in_canvas_is_reported() -> None:
    """Rule: "An assignment deleted in Canvas stays in PowerSchool and is reported"."""
    school = School()
    school.sync()
    school.writes()
    school.canvas.content = replace(school.canvas.content, assignments=(OTHER,))
    school.sync()
    assert school.writes() == []
    assert len(school.powerschool.assignments_there) == 2
    assert (school.record("11").state, school.reasons("11")) == (State.BLOCKED, [Reason.DELETED_IN_CANVAS])


def test_a_canvas_change_starts_a_sync() -> None:
    """Ways to start a sync: "A Canvas change (automatic)"."""
    change = to_change(parse(GRADED))
    assert change is not None
    assert (change.course_id, change.assignment_id, change.cause) == ("101", "11", ChangeCause.EVENT)


def test_a_person_starts_a_sync_with_a_dry_run() -> None:
    """Ways to start a sync: a person, "with a dry run that shows the plan" and writes nothing."""
    school = School()
    plan = compare(school.reader.read("1", asked_for_by_person=True)).plan
    assert sum(isinstance(step, CreateStep) for step in plan.steps) == 2
    assert sum(len(step.scores) for step in plan.steps if isinstance(step, WriteScoresStep)) == 4
    assert school.writes() == []


def test_the_schedule_starts_a_sync() -> None:
    """Ways to start a sync: "a schedule (nightly by default, per district)", in the district's time zone."""
    three = datetime(2026, 10, 6, 3, 0, tzinfo=CHICAGO)
    changes, stores = FakeChanges(), Stores(ManualClock(three))
    stores.visit({"1": three - 6 * HOUR})
    for at in (three - TICK, three + HOUR):
        full_sync(
            changes, stores.records, ManualClock(at), "0 3 * * *", lambda: CHICAGO, spread=HOUR, tick=TICK
        )  # fmt: skip
        assert changes.requested == ([] if at < three else [("1", ChangeCause.SCHEDULE)])


def test_a_due_date_that_passes_starts_a_sync() -> None:
    """Ways to start a sync: "the moment a due date passes (missing work)"."""
    changes, stores = FakeChanges(), Stores(ManualClock(NOW))
    stores.due({"1": NOW})
    trigger_due_dates(changes, stores.records, ManualClock(NOW + DUE_DATE_DELAY))
    assert changes.requested == [("1", ChangeCause.DUE_DATE)]


def test_the_rolling_reconciliation_starts_a_sync() -> None:
    """Ways to start a sync: "the rolling reconciliation"."""
    changes, stores = FakeChanges(), Stores(ManualClock(NOW))
    stores.visit({"1": NOW - 2 * HOUR})
    reconcile(changes, stores.records, stores.unknown, ManualClock(NOW), HOUR, TICK)
    assert changes.requested == [("1", ChangeCause.RECONCILE)]
