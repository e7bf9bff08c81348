"""Courses that never sent an event are found."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from shared.domain.passback.changes import ChangeCause
from tests.fakes import FakeChanges, FakeCourseFinder, Stores
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import NOW
from workers.grade_passback.scheduled import discover, reconcile

GRACE = timedelta(days=14)
DAY = timedelta(days=1)


@dataclass
class District:
    """Two courses with synced work; passback knows the first."""

    canvas: FakeCourseFinder = field(default_factory=lambda: FakeCourseFinder({"1": None, "2": None}))
    changes: FakeChanges = field(default_factory=FakeChanges)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))

    def __post_init__(self) -> None:
        self.stores = Stores(self.clock)
        self.stores.visit({"1": NOW})

    def discover(self) -> int:
        return discover(self.canvas, self.changes, self.stores.records, self.clock, GRACE)


def test_an_unknown_course_is_connected_and_made_due() -> None:
    """Once, however much work it has; a known course is left alone."""
    district = District()
    assert [district.discover(), district.discover()] == [1, 0]
    assert district.changes.requested == [("2", ChangeCause.RECONCILE)]
    assert district.stores.visits() == {"1": NOW, "2": NOW}


def test_courses_that_ended_long_ago_stay_out() -> None:
    """A course counts until the grace period after its end is over."""
    district = District()
    district.canvas.courses = {"2": NOW - GRACE + DAY, "3": NOW - GRACE - DAY}
    assert district.discover() == 1
    assert "3" not in district.stores.visits()


def test_a_process_killed_in_between_loses_no_course() -> None:
    """A course that was connected and not yet made due has its turn with the next reconciliation."""
    district = District()
    district.changes.faults.on("request", ConnectionError())
    with pytest.raises(ConnectionError):
        district.discover()
    hour = timedelta(hours=1)
    result = reconcile(
        district.changes, district.stores.records, district.stores.unknown, district.clock, hour, hour / 16
    )
    assert result == (1, 0)
    assert district.changes.requested == [("2", ChangeCause.RECONCILE)]
