"""How long changes took, per minute and in all."""

from datetime import timedelta

import pytest
import redis

from shared.adapters.redis.gauges import Gauges
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.latency import REMEMBERED_FOR, LatencyLog

SECOND = timedelta(seconds=1)


@pytest.fixture
def latency(client: redis.Redis, keys: Keys) -> LatencyLog:
    return LatencyLog(client, keys)


def test_recent_minutes_say_how_long_changes_took(client: redis.Redis, keys: Keys, latency: LatencyLog) -> None:
    """Of what was noted just now there are the number, the mean, and the bound that half or all kept to."""
    now = Gauges(client, keys).now()
    for seconds in (2.5, 2.5, 2.5, 40):
        latency.note(now - seconds * SECOND)
    minutes = latency.recent()
    assert sum(minute.count for minute in minutes) == 4
    assert (minutes[0].quantile(0.5), minutes[-1].quantile(1)) == (3, 60)
    if len(minutes) == 1:
        assert minutes[0].mean_s == pytest.approx(47.5 / 4, abs=1)


def test_what_is_longer_than_all_bounds_is_counted(client: redis.Redis, keys: Keys, latency: LatencyLog) -> None:
    """It has a bucket of its own, and its quantile is the last bound."""
    latency.note(Gauges(client, keys).now() - timedelta(hours=5))
    [minute] = latency.recent()
    assert (minute.buckets, minute.quantile(0.5)) == ({"+Inf": 1}, 3600)


def test_minutes_are_forgotten_and_the_total_is_not(client: redis.Redis, keys: Keys, latency: LatencyLog) -> None:
    """Each minute's numbers end by themselves after some hours."""
    latency.note(Gauges(client, keys).now())
    [minute_key] = client.keys(keys.latency(0).removesuffix("0") + "*")
    assert 0 < client.pttl(minute_key) <= REMEMBERED_FOR / timedelta(milliseconds=1)
    assert client.ttl(keys.counter("event-seconds")) == -1


def test_a_clock_that_is_ahead_makes_no_negative_time(client: redis.Redis, keys: Keys, latency: LatencyLog) -> None:
    """A first change in the future took no time."""
    assert latency.note(Gauges(client, keys).now() + 9 * SECOND) == timedelta(0)
