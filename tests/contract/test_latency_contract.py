"""How long changes took, in all."""

from datetime import timedelta

import pytest
import redis

from shared.adapters.redis.counters import RedisCounters
from shared.adapters.redis.gauges import Gauges
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.latency import LatencyHistogram
from shared.domain.measures import TOTAL_MS, Counted

SECOND = timedelta(seconds=1)


@pytest.fixture
def latency(client: redis.Redis, keys: Keys) -> LatencyHistogram:
    return LatencyHistogram(client, keys)


def test_durations_fall_into_their_buckets(client: redis.Redis, keys: Keys, latency: LatencyHistogram) -> None:
    """Of what was noted there are the number per bucket and the sum; what is beyond all bounds has its own."""
    now = Gauges(client, keys).now()
    for seconds in (2.5, 2.5, 40, 5 * 3600):
        latency.note(now - seconds * SECOND)
    counted = dict(RedisCounters(client, keys).read(Counted.EVENT_SECONDS))
    total_ms = counted.pop(TOTAL_MS)
    assert counted == {"3": 2, "60": 1, "+Inf": 1}
    assert total_ms == pytest.approx(18_045_000, abs=20_000)


def test_a_clock_that_is_ahead_makes_no_negative_time(
    client: redis.Redis, keys: Keys, latency: LatencyHistogram
) -> None:
    """A first change in the future took no time."""
    assert latency.note(Gauges(client, keys).now() + 9 * SECOND) == timedelta(0)
