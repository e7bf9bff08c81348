"""How long changes took to PowerSchool: in all, for the metrics, and by the hour, for the pages."""

from datetime import timedelta

import pytest
import redis
from stores_under_test import START

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.counters import Counters
from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.domain.metrics import OVERFLOW_BOUND, SUM_MS, CounterName

SECOND = timedelta(seconds=1)


@pytest.fixture
def timings(client: redis.Redis, keys: Keys) -> Counters:
    return Counters(client, keys)


def test_durations_fall_into_their_buckets(client: redis.Redis, keys: Keys, timings: Counters) -> None:
    """Of what was noted there are the number per bucket and the sum; what is beyond all bounds has its own."""
    now = QueueStats(client, keys).now()
    for seconds in (2.5, 2.5, 40, 5 * 3600):
        timings.observe(now - seconds * SECOND)
    counted = dict(Counters(client, keys).read(CounterName.EVENT_SECONDS))
    total_ms = counted.pop(SUM_MS)
    assert counted == {"3": 2, "60": 1, "+Inf": 1}
    assert total_ms == pytest.approx(18_045_000, abs=20_000)


def test_a_clock_that_is_ahead_makes_no_negative_time(client: redis.Redis, keys: Keys, timings: Counters) -> None:
    """A first change in the future took no time."""
    timings.observe(QueueStats(client, keys).now() + 9 * SECOND)
    assert Counters(client, keys).read(CounterName.EVENT_SECONDS)[SUM_MS] == 0


def test_timings_are_counted_by_the_hour(timings: Counters) -> None:
    """Half and nearly all of an hour's changes are within a bound; an hour without any has none."""
    for seconds in (0.5, 2.5, 2.5, 9, 40_000):
        timings.observe(START - timedelta(seconds=seconds), START)
    before, now = timings.hours(START + timedelta(minutes=5), 2)
    assert (now.total, now.bound_for(0.5), now.bound_for(0.8), now.bound_for(0.95)) == (5, 3, 13, OVERFLOW_BOUND)
    assert (before.total, before.bound_for(0.5)) == (0, None)
    assert now.begins_at - before.begins_at == timedelta(hours=1)
