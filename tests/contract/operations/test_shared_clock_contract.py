"""The clock on which all hosts agree, over fakeredis and a real Redis."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import redis
from redis.exceptions import ConnectionError as ConnectionFailed

from shared.adapters.redis.client import server_time
from shared.clock import MEASURE_INTERVAL_S, SharedClock, SystemClock
from tests.manual_clock import ManualClock

NEAR = timedelta(seconds=5)


class Ticks:
    """A monotonic clock that tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("wrong_by", [timedelta(minutes=40), timedelta(hours=-3), timedelta(0)])
def test_a_wrong_clock_is_set_right(client: redis.Redis, wrong_by: timedelta) -> None:
    """However wrong a machine's clock is, what it tells is Redis's time."""
    clock = SharedClock(partial(server_time, client), ManualClock(SystemClock().now() + wrong_by))
    assert abs(clock.now() - SystemClock().now()) < NEAR


def test_a_clock_that_is_put_right_is_noticed(client: redis.Redis) -> None:
    """A machine whose clock jumps is followed after a minute at the latest."""
    ticks, own = Ticks(), ManualClock(SystemClock().now() + timedelta(hours=1))
    clock = SharedClock(partial(server_time, client), own, ticks)
    clock.now()
    own.advance(timedelta(hours=-1))
    ticks.seconds = MEASURE_INTERVAL_S
    assert abs(clock.now() - SystemClock().now()) < NEAR


def test_small_differences_do_not_make_time_jump(client: redis.Redis) -> None:
    """Half a second is the way to Redis and back: the machine's own time is told as it is."""
    own = ManualClock(SystemClock().now() + timedelta(milliseconds=500))
    assert SharedClock(partial(server_time, client), own).now() == own.now()


class Away(redis.Redis):
    """A Redis that does not answer."""

    def time(self, **_: object) -> tuple[int, int]:  # type: ignore[override]
        raise ConnectionFailed


def test_without_redis_the_own_clock_counts() -> None:
    """A Redis that is away stops no clock."""
    own = ManualClock(datetime(2021, 3, 4, tzinfo=UTC))
    assert SharedClock(partial(server_time, Away()), own).now() == own.now()
