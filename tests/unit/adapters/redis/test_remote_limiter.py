import time
from datetime import timedelta
from itertools import pairwise
from random import Random

import fakeredis
import pytest
import redis
from redis.exceptions import RedisError

from shared.adapters.redis.client import epoch_ms
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import Permit, RemoteLimiter
from shared.errors import ServiceUnavailable
from tests.manual_clock import ManualClock

SECOND = timedelta(seconds=1)
LET_IN = Permit("", has_failures=True)


def gate_of(client: redis.Redis, keys: Keys, clock: ManualClock, interval: timedelta = timedelta(0)) -> RemoteLimiter:
    """Return a gate whose time is the clock's, and whose callers wait for 5 s without an context."""

    def now_ms() -> int:
        return epoch_ms(clock.now())

    return RemoteLimiter(
        client, keys, "powerschool", clock, interval, rng=Random(1), longest_wait=5 * SECOND, now_ms=now_ms
    )


def test_throttling_pauses_every_worker_at_once(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """One worker is told to wait; another one does not even ask."""
    gate_of(redis_client, keys, clock).record_failure("powerschool_throttled", 7 * SECOND, for_everybody=True)
    with pytest.raises(ServiceUnavailable) as caught:
        gate_of(redis_client, keys, clock).acquire()
    assert caught.value.cause == "powerschool_throttled"
    assert 6 * SECOND < caught.value.delay <= 7 * SECOND


def test_single_failures_only_count(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """Four failures in a row may be four bad requests."""
    gate = gate_of(redis_client, keys, clock)
    assert [gate.record_failure("powerschool_error", for_everybody=False) for _ in range(4)] == [None] * 4
    gate.acquire()


def test_the_fifth_failure_in_a_row_pauses(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """A host that hangs burns no attempts, whichever workers its failures met."""
    pauses = [
        gate_of(redis_client, keys, clock).record_failure("powerschool_timeout", for_everybody=False) for _ in range(5)
    ]
    assert pauses[4] is not None
    assert 0.8 * SECOND <= pauses[4] <= 1.2 * SECOND


def test_an_answer_ends_the_row(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """Failures in a row are counted, not failures."""
    gate = gate_of(redis_client, keys, clock)
    for _ in range(3):
        for _ in range(4):
            assert gate.record_failure("powerschool_error", for_everybody=False) is None
        gate.release(LET_IN, succeeded=True)


def test_pauses_grow_to_half_a_minute(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """1, 2, 4, 8, 16, 30, 30 seconds, a fifth more or less."""
    gate = gate_of(redis_client, keys, clock)
    for wanted in (1, 2, 4, 8, 16, 30, 30):
        pause = gate.record_failure("powerschool_unavailable", for_everybody=True)
        assert pause is not None
        assert 0.8 * wanted * SECOND <= pause <= 1.2 * wanted * SECOND
        redis_client.delete(keys.pause("powerschool"))


def test_requests_under_way_do_not_prolong_a_pause(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """Eight threads that fail together are one failure."""
    gate = gate_of(redis_client, keys, clock)
    pauses = [gate.record_failure("powerschool_unavailable", for_everybody=True) for _ in range(8)]
    assert all(pause is not None and pause <= 1.2 * SECOND for pause in pauses)


def test_all_workers_share_one_pace(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """Three workers are let in an interval apart."""
    times = []
    for _ in range(3):
        gate_of(redis_client, keys, clock, timedelta(milliseconds=1500)).acquire()
        times.append(clock.now())
    assert [later - earlier for earlier, later in pairwise(times)] == [1.5 * SECOND] * 2


def test_a_slot_too_far_away_is_not_waited_for(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """The caller gives up at once, and its turn is somebody else's."""
    gate = gate_of(redis_client, keys, clock, 8 * SECOND)
    gate.acquire()
    for _ in range(2):
        with pytest.raises(ServiceUnavailable) as caught:
            gate.acquire()
        assert caught.value.cause == "powerschool_throttled"
        assert caught.value.delay == 8 * SECOND
    assert clock.slept == []
    assert redis_client.zcard(keys.line("powerschool")) == 0


def test_the_pace_holds_in_real_time(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """After the interval the next slot is free at once."""
    gate = RemoteLimiter(redis_client, keys, "powerschool", clock, timedelta(milliseconds=30))
    gate.acquire()
    time.sleep(0.05)
    gate.acquire()
    assert clock.slept == []


def test_after_a_pause_one_caller_goes_ahead(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """The first caller finds out whether the system is well; nobody else calls it until it answered."""
    first, other = (gate_of(redis_client, keys, clock) for _ in range(2))
    first.record_failure("powerschool_unavailable", for_everybody=True)
    redis_client.delete(keys.pause("powerschool"))
    probe = first.acquire()
    with pytest.raises(ServiceUnavailable) as caught:
        other.acquire()
    assert caught.value.cause == "powerschool_unavailable"
    first.release(probe, succeeded=True)
    other.acquire()


def test_a_failed_probe_pauses_again(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """One failure of whatever kind is enough after a pause; the pause is longer, and then the next caller probes."""
    gate = gate_of(redis_client, keys, clock)
    gate.record_failure("powerschool_unavailable", for_everybody=True)
    redis_client.delete(keys.pause("powerschool"))
    gate.acquire()
    pause = gate.record_failure("powerschool_timeout", for_everybody=False)
    assert pause is not None
    assert pause >= 1.6 * SECOND
    redis_client.delete(keys.pause("powerschool"))
    gate_of(redis_client, keys, clock).acquire()


def test_an_answer_from_before_does_not_end_a_pause(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """A request that was under way when the pause began says nothing about the system now."""
    gate = gate_of(redis_client, keys, clock)
    gate.record_failure("powerschool_throttled", 7 * SECOND, for_everybody=True)
    gate.release(LET_IN, succeeded=True)
    redis_client.delete(keys.pause("powerschool"))
    gate.acquire()
    with pytest.raises(ServiceUnavailable):
        gate_of(redis_client, keys, clock).acquire()


def test_a_probe_that_gets_no_slot_leaves_it_to_others(
    redis_client: redis.Redis, keys: Keys, clock: ManualClock
) -> None:
    """A caller whose slot is too far away sends nothing, and so keeps nobody waiting for an answer."""
    gate = gate_of(redis_client, keys, clock, 9 * SECOND)
    gate.acquire()
    gate.record_failure("powerschool_unavailable", for_everybody=True)
    redis_client.delete(keys.pause("powerschool"))
    with pytest.raises(ServiceUnavailable):
        gate.acquire()
    gate_of(redis_client, keys, clock).acquire()


def test_a_caller_that_redis_could_not_be_told_of_leaves_with_the_next(keys: Keys, clock: ManualClock) -> None:
    """A restart of Redis does not keep the places of those whose requests ended meanwhile."""
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server)
    gate = RemoteLimiter(client, keys, "canvas", clock, timedelta(0), max_in_flight=1)
    permit = gate.acquire()
    server.connected = False
    with pytest.raises(RedisError):
        gate.release(permit, succeeded=True)
    with pytest.raises(RedisError):
        gate.acquire()
    server.connected = True
    assert client.zcard(keys.line("canvas")) == 1
    gate.release(gate.acquire(), succeeded=True)
    assert client.zcard(keys.line("canvas")) == 0
    assert clock.slept == []
