"""The promise of the rolling reconciliation, simulated tick by tick."""

from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakes import FakeChanges, Stores
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import NOW
from workers.grade_passback.scheduled import reconcile

INTERVAL = timedelta(minutes=16)
TICK = timedelta(seconds=30)
TICKS = INTERVAL // TICK
NO_NEWCOMERS: dict[int, int] = {}


class Visits:
    """What reconciliation reads of `CourseStates`. Thousands of courses through a Redis in memory take minutes."""

    def __init__(self) -> None:
        self.visits: dict[str, datetime | None] = {}

    def register(self, course_id: str) -> None:
        self.visits.setdefault(course_id, None)

    def count(self) -> int:
        return len(self.visits)

    def least_recently_visited(self, synced_before: datetime, limit: int) -> list[str]:
        stale = [(at, id_) for id_, at in self.visits.items() if at is None or at < synced_before]
        stale.sort(key=lambda visit: (visit[0] is not None, visit[0] or synced_before, visit[1]))
        return [id_ for _, id_ in stale[:limit]]

    def mark_visited(self, course_id: str, at: datetime) -> None:
        self.visits[course_id] = at


@settings(max_examples=20)
@given(
    courses=st.integers(1, 5000),
    ages=st.integers(0, TICKS // 2),
    newcomers=st.dictionaries(st.integers(0, 2 * TICKS), st.integers(1, 1000), max_size=4),
)
@example(courses=1, ages=0, newcomers=NO_NEWCOMERS)
@example(courses=5000, ages=0, newcomers=NO_NEWCOMERS)
@example(courses=1, ages=TICKS // 2, newcomers={TICKS // 2: 4999})
def test_every_course_has_a_turn_in_every_interval(courses: int, ages: int, newcomers: dict[int, int]) -> None:
    """From 1 to 5,000 courses, whether their last turns were all at once or spread, and however many are added."""
    records, changes, clock = Visits(), FakeChanges(), ManualClock(NOW)
    records.visits = {str(n): NOW - TICK * (n % (ages + 1)) for n in range(courses)}
    last_turns: dict[str, datetime] = {id_: at for id_, at in records.visits.items() if at is not None}
    unknown = Stores(clock).unknown
    longest = timedelta(0)
    for tick in range(3 * TICKS):
        for n in range(newcomers.get(tick, 0)):
            records.register(f"{tick}-{n}")
            last_turns[f"{tick}-{n}"] = clock.now()
        reconcile(changes, records, unknown, clock, INTERVAL, TICK)
        for course_id, _ in changes.requested:
            longest = max(longest, clock.now() - last_turns[course_id])
            last_turns[course_id] = clock.now()
        changes.requested.clear()
        clock.advance(TICK)
    still_waiting = max(clock.now() - at for at in last_turns.values())
    assert max(longest, still_waiting) <= INTERVAL
