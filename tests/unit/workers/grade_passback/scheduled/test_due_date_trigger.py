"""The passing of a due date makes the course due."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from shared.domain.passback.canvas import DUE_DATE_DELAY
from shared.domain.passback.changes import ChangeCause
from tests.fakes import FakeChanges, Stores
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import NOW, School
from workers.grade_passback.scheduled import trigger_due_dates

MOMENT = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@dataclass
class Watch:
    """A course whose work is due in an hour."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    changes: FakeChanges = field(default_factory=FakeChanges)

    def __post_init__(self) -> None:
        stores = Stores(self.clock)
        stores.due({"1": NOW + HOUR})
        self.records = stores.records

    def tick(self, at: datetime) -> int:
        """Run one tick at a time."""
        self.clock.current = at
        return trigger_due_dates(self.changes, self.records, self.clock)


def test_a_course_is_looked_at_right_after_its_work_was_due() -> None:
    """A little after the date, not at it: Canvas's clock may be behind ours."""
    watch = Watch()
    assert watch.tick(NOW + HOUR + DUE_DATE_DELAY - MOMENT) == 0
    assert watch.tick(NOW + HOUR + DUE_DATE_DELAY) == 1
    assert watch.changes.requested == [("1", ChangeCause.DUE_DATE)]


def test_a_date_counts_once() -> None:
    """Also if the course cannot be synced then: retries are the course's own business."""
    watch = Watch()
    assert [watch.tick(NOW + 2 * HOUR) for _ in range(3)] == [1, 0, 0]


def test_a_date_that_passed_while_nothing_ran_counts_late() -> None:
    """However long ago it was."""
    assert Watch().tick(NOW + 100 * HOUR) == 1


def test_a_process_killed_in_between_loses_no_date() -> None:
    """The course is made due before its date is forgotten."""
    watch = Watch()
    watch.changes.faults.on("request", ConnectionError())
    with pytest.raises(ConnectionError):
        watch.tick(NOW + 2 * HOUR)
    assert watch.tick(NOW + 2 * HOUR) == 1


@pytest.fixture
def due_soon(school: School) -> School:
    """The school with one assignment that is due in an hour."""
    school.assign(replace(school.canvas.content.assignments[0], due_at=NOW + HOUR))
    return school


def next_due(school: School) -> datetime | None:
    return school.records.course("1").next_due_at


def test_a_sync_remembers_what_is_due_next(due_soon: School) -> None:
    """The next due date of the course's work is kept with its record."""
    due_soon.sync()
    assert next_due(due_soon) == NOW + HOUR


@pytest.mark.parametrize(
    ("started", "awaited"),
    [(DUE_DATE_DELAY - MOMENT, True), (DUE_DATE_DELAY, False)],
    ids=["a moment after the date", "once its delay is over"],
)
def test_only_a_late_enough_look_settles_a_date(due_soon: School, started: timedelta, awaited: bool) -> None:
    """A sync that began right after the date may have read Canvas as it was before, so that one more follows."""
    due_soon.clock.current = NOW + HOUR + started
    due_soon.sync()
    assert (next_due(due_soon) is not None) is awaited
