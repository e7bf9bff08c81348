"""A process's heart beats while the process does its work."""

import time
from collections.abc import Callable
from datetime import timedelta

import fakeredis

from shared.adapters.redis.heartbeats import Heartbeats
from shared.adapters.redis.keys import Keys
from workers.heartbeat import Heart

OFTEN = timedelta(milliseconds=5)


def until(is_so: Callable[[], bool]) -> None:
    """Return once it is so."""
    give_up = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.002)


def test_a_running_process_is_seen_until_it_ends() -> None:
    """From its start to its end, and not longer."""
    heartbeats = Heartbeats(fakeredis.FakeRedis(), Keys())
    heart = Heart(heartbeats, "beat@here:1", every=OFTEN)
    heart.start()
    until(lambda: bool(heartbeats.all()))
    heart.stop()
    assert heartbeats.all() == []


def test_a_process_that_does_not_do_its_work_is_not_alive() -> None:
    """A worker whose dispatcher died is noticed, though the worker runs."""
    heartbeats = Heartbeats(fakeredis.FakeRedis(), Keys())
    asked = []
    heart = Heart(heartbeats, "worker@here:1", lives=lambda: bool(asked.append(1)), every=OFTEN)
    heart.start()
    until(lambda: len(asked) > 2)
    assert heartbeats.all() == []
    heart.stop()


def test_a_heart_outlives_a_redis_that_is_away() -> None:
    """It beats again once Redis is back."""
    server = fakeredis.FakeServer()
    server.connected = False
    heartbeats = Heartbeats(fakeredis.FakeRedis(server=server), Keys())
    heart = Heart(heartbeats, "web@here:1", every=OFTEN)
    heart.start()
    time.sleep(0.02)
    server.connected = True
    until(lambda: bool(heartbeats.all()))
    heart.stop()
