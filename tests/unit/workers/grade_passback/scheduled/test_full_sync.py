"""The schedule: every connected course once per due time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from shared.domain.passback.changes import ChangeCause
from tests.fakes import FakeChanges, Stores
from tests.manual_clock import ManualClock
from tests.unit.domain.passback.baseline import CHICAGO
from workers.grade_passback.scheduled import full_sync

EVENING = datetime(2026, 10, 5, 20, 0, tzinfo=CHICAGO)
THREE = datetime(2026, 10, 6, 3, 0, tzinfo=CHICAGO)
TICK = timedelta(seconds=30)
HOUR = timedelta(hours=1)


@dataclass
class Night:
    """Courses that had their last turn in the evening, and one or several beats."""

    courses: int = 3
    schedule: str = "0 3 * * *"
    clock: ManualClock = field(default_factory=lambda: ManualClock(EVENING))
    changes: FakeChanges = field(default_factory=FakeChanges)

    def __post_init__(self) -> None:
        self.stores = Stores(self.clock)
        self.stores.visit({str(n): EVENING for n in range(self.courses)})

    def tick(self) -> int:
        """Run one tick."""
        return full_sync(
            self.changes, self.stores.records, self.clock, self.schedule, lambda: CHICAGO, spread=HOUR, tick=TICK
        )

    def ticks(self, start: datetime, length: timedelta) -> list[int]:
        """Run a tick every half minute; return what each came to."""
        self.clock.current = start
        done = []
        for _ in range(length // TICK):
            done.append(self.tick())
            self.clock.advance(TICK)
        return done

    def turns(self) -> list[str]:
        """Return the courses that had a turn, in order of their names."""
        return sorted(course for course, _ in self.changes.requested)


def test_every_course_has_one_turn_a_night() -> None:
    """From 03:00 on, every connected course is made due once, by the schedule."""
    night = Night()
    assert not any(night.ticks(EVENING, THREE - EVENING))
    night.ticks(THREE, timedelta(hours=20))
    assert night.turns() == ["0", "1", "2"]
    assert {cause for _, cause in night.changes.requested} == {ChangeCause.SCHEDULE}


def test_a_night_is_spread() -> None:
    """240 courses in an hour of 120 ticks are 2 per tick, so that a change meanwhile is not held up by all of them."""
    night = Night(courses=240)
    assert set(night.ticks(THREE, HOUR)) == {2}
    assert night.tick() == 0


def test_a_missed_night_runs_late_once() -> None:
    """Where nothing ran at 03:00, the night is made up for whenever something runs again."""
    night = Night()
    night.ticks(THREE + timedelta(hours=9), HOUR)
    assert night.turns() == ["0", "1", "2"]


def test_two_beats_run_one_night() -> None:
    """Who comes second finds the turns taken."""
    night = Night()
    for _ in range(5):
        night.clock.current = THREE
        night.tick()
    assert night.turns() == ["0", "1", "2"]


@pytest.mark.parametrize("month_day", [(3, 8), (11, 1)], ids=["the clocks go forward", "the clocks go back"])
@pytest.mark.parametrize("schedule", ["30 1 * * *", "30 2 * * *"])
def test_a_night_with_a_clock_change_runs_once(month_day: tuple[int, int], schedule: str) -> None:
    """Also where the clocks leave the scheduled time out, or show it twice."""
    midnight = datetime(2026, *month_day, tzinfo=CHICAGO)
    night = Night(schedule=schedule)
    night.stores.visit(dict.fromkeys(night.stores.visits(), midnight))
    night.ticks(midnight, timedelta(hours=8))
    assert night.turns() == ["0", "1", "2"]


def test_without_a_schedule_there_are_no_nights() -> None:
    """An empty schedule gives nobody a turn, and the time zone is not even asked for."""
    night = Night(schedule="")
    assert not any(night.ticks(THREE, HOUR))
