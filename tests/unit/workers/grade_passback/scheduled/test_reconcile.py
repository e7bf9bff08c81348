"""The rolling reconciliation: every course has its turn, one after the other."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from shared.domain.passback.changes import ChangeCause
from tests.fakes import FakeChanges, Stores
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import NOW
from workers.grade_passback.scheduled import UNKNOWN_CHANGE_TIMEOUT, reconcile

HOUR = timedelta(hours=1)
TICK = timedelta(seconds=30)
MOMENT = timedelta(seconds=1)


@dataclass
class District:
    """Connected courses and their reconciliation, with an interval of an hour and a tick of half a minute."""

    courses: int
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    changes: FakeChanges = field(default_factory=FakeChanges)

    def __post_init__(self) -> None:
        self.stores = Stores(self.clock)
        self.stores.visit({str(n): NOW - HOUR - MOMENT for n in range(self.courses)})

    def tick(self) -> tuple[int, int]:
        """Run one tick; return how many courses became due, and how many changes are resolved."""
        run = reconcile(self.changes, self.stores.records, self.stores.unknown, self.clock, HOUR, TICK)
        self.clock.advance(TICK)
        return run

    def asked_for(self) -> list[str]:
        """Return the courses that were made due."""
        return [course for course, _ in self.changes.requested]


def test_a_course_not_synced_for_an_interval_has_its_turn() -> None:
    """A stale course is made due."""
    district = District(courses=1)
    assert district.tick() == (1, 0)
    assert district.asked_for() == ["0"]


def test_a_course_synced_a_while_ago_is_left_alone() -> None:
    """A course whose last sync is half an interval old waits for its turn."""
    district = District(courses=1)
    district.stores.visit({"0": NOW - HOUR / 2})
    assert district.tick() == (0, 0)


def test_a_turn_resets_no_backoff() -> None:
    """Courses are asked for in reconciliation's own name, which leaves waiting courses as they are."""
    district = District(courses=3)
    district.tick()
    assert {cause for _, cause in district.changes.requested} == {ChangeCause.RECONCILE}


def test_a_pass_is_spread_over_the_interval() -> None:
    """Though all of 240 courses are stale at once, no tick asks for more than a twentieth of them."""
    district = District(courses=240)
    assert max(district.tick()[0] for _ in range(120)) <= 240 / 20


def test_a_pass_ends_within_the_interval() -> None:
    """However many are stale at once, every course has a turn within an interval."""
    district = District(courses=240)
    for _ in range(120):
        district.tick()
    assert set(district.asked_for()) == set(district.stores.visits())


def test_turns_come_no_oftener_than_they_must() -> None:
    """In four intervals no course has more than six turns: they come a little early, never all the time."""
    district = District(courses=24)
    for _ in range(4 * 120):
        district.tick()
    assert max(Counter(district.asked_for()).values()) <= 6


def test_a_small_district_has_a_course_per_tick() -> None:
    """However few courses there are, a tick may ask for one."""
    district = District(courses=2)
    assert [district.tick()[0], district.tick()[0], district.tick()[0]] == [1, 1, 0]


def test_the_longest_waiting_is_first() -> None:
    """Courses never synced come first, then the one whose last sync is oldest."""
    district = District(courses=3)
    district.stores.visit({"0": NOW - 2 * HOUR, "1": None, "2": NOW - 3 * HOUR})
    for _ in range(3):
        district.tick()
    assert district.asked_for() == ["1", "2", "0"]


def test_a_course_that_cannot_be_synced_keeps_no_other_waiting() -> None:
    """Having its turn counts, not success: a course that always fails comes once per interval, like any other."""
    district = District(courses=2)
    for _ in range(10):
        district.tick()
    assert district.asked_for() == ["0", "1"]


def test_an_unknown_change_waits_for_others() -> None:
    """A change whose course nobody could tell starts no pass at once: a storm of them costs one."""
    district = District(courses=1)
    district.stores.visit({"0": NOW - MOMENT})
    district.stores.hear_unknown(NOW)
    district.clock.advance(UNKNOWN_CHANGE_TIMEOUT - MOMENT)
    assert district.tick() == (0, 0)
    assert district.asked_for() == []


@pytest.fixture
def storm() -> District:
    """Three courses synced just now, and two changes of unknown course that have waited long enough."""
    district = District(courses=3)
    district.stores.visit(dict.fromkeys(district.stores.visits(), NOW))
    district.stores.hear_unknown(NOW + MOMENT, NOW + 2 * MOMENT)
    district.clock.advance(UNKNOWN_CHANGE_TIMEOUT + 2 * MOMENT)
    return district


def test_an_unknown_change_makes_every_course_due(storm: District) -> None:
    """Once it has waited, every course is asked for, a fair share per tick."""
    for _ in range(3):
        storm.tick()
    assert sorted(storm.asked_for()) == ["0", "1", "2"]


def test_unknown_changes_are_resolved_only_after_a_full_pass(storm: District) -> None:
    """They stay open until every course had its turn after they were heard; one pass answers all of them."""
    assert [storm.tick()[1] for _ in range(4)] == [0, 0, 0, 2]
    assert storm.stores.unknown.count() == 0


def test_a_change_heard_after_the_pass_began_stays_open(storm: District) -> None:
    """What is heard beyond the pass's horizon is resolved by the next pass."""
    late = storm.clock.now() + MOMENT
    storm.stores.hear_unknown(late)
    assert [storm.tick()[1] for _ in range(4)] == [0, 0, 0, 2]
    assert storm.stores.unknown.oldest_at() == late
