"""Heartbeats: who is alive, who is gone, and who was never missed."""

from datetime import timedelta

import pytest
import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import GONE_AFTER, HEARTBEAT_TTL, Heartbeats

MOMENT = timedelta(seconds=5)


@pytest.fixture
def heartbeats(client: redis.Redis, keys: Keys) -> Heartbeats:
    return Heartbeats(client, keys)


def let_age(client: redis.Redis, keys: Keys, process: str, age: timedelta) -> None:
    """Make the last heartbeat of a process older."""
    noted = int(client.hget(keys.heartbeats, process) or 0)
    client.hset(keys.heartbeats, process, str(noted - age // timedelta(milliseconds=1)))


def test_a_process_that_beats_is_alive(heartbeats: Heartbeats) -> None:
    """Its last heartbeat was just now."""
    heartbeats.record("worker@here:1")
    [beat] = heartbeats.all()
    assert (beat.process, beat.is_stale) == ("worker@here:1", False)
    assert beat.age < MOMENT


def test_a_process_that_stopped_beating_is_gone(client: redis.Redis, keys: Keys, heartbeats: Heartbeats) -> None:
    """After a minute without a heartbeat; others are not."""
    heartbeats.record("web@here:2")
    heartbeats.record("worker@here:1")
    let_age(client, keys, "worker@here:1", GONE_AFTER + MOMENT)
    let_age(client, keys, "web@here:2", GONE_AFTER - MOMENT)
    assert [(beat.process, beat.is_stale) for beat in heartbeats.all()] == [
        ("web@here:2", False),
        ("worker@here:1", True),
    ]


def test_a_process_is_forgotten_after_a_day(client: redis.Redis, keys: Keys, heartbeats: Heartbeats) -> None:
    """Whoever is gone that long is not coming back."""
    heartbeats.record("worker@here:1")
    let_age(client, keys, "worker@here:1", HEARTBEAT_TTL + MOMENT)
    assert heartbeats.all() == []
    assert client.hlen(keys.heartbeats) == 0


def test_a_process_that_ended_on_purpose_is_not_missed(heartbeats: Heartbeats) -> None:
    """It is forgotten at once."""
    heartbeats.record("worker@here:1")
    heartbeats.remove("worker@here:1")
    assert heartbeats.all() == []
