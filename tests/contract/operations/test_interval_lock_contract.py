"""Of several beats one counts."""

import time
from datetime import timedelta

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import MAX_RUNNING, IntervalLocks

A_DAY = timedelta(days=1)


def test_one_of_several_beats_counts(client: redis.Redis, keys: Keys) -> None:
    """Of all who take the slot of one tick, the first one gets it; another task has slots of its own."""
    one, other = IntervalLocks(client, keys), IntervalLocks(client, keys)
    assert one.take("reconcile", A_DAY)
    assert not other.take("reconcile", A_DAY)
    assert other.take("provision", A_DAY)


def test_the_next_tick_has_a_slot_of_its_own(client: redis.Redis, keys: Keys) -> None:
    """Once a slot is over the next one can be taken."""
    slots = IntervalLocks(client, keys)
    taken = sum(slots.take("reconcile", timedelta(milliseconds=2)) is not None for _ in range(1000))
    assert taken > 1


def test_a_slot_that_was_given_back_can_be_taken(client: redis.Redis, keys: Keys) -> None:
    """Whoever could not do the work of a tick leaves it to the next who asks."""
    slots = IntervalLocks(client, keys)
    slot = slots.take("discover", A_DAY)
    assert slot is not None
    slots.give_back(slot)
    assert slots.take("discover", A_DAY)


def test_giving_back_frees_no_later_slot(client: redis.Redis, keys: Keys) -> None:
    """Work that ends in the next interval gives its own one back."""
    slots = IntervalLocks(client, keys)
    every = timedelta(milliseconds=200)
    late = slots.take("discover", every)
    assert late is not None
    while (following := slots.take("discover", every)) is None or following.key == late.key:
        time.sleep(0.01)
    slots.give_back(late)
    assert client.get(following.key) == b"running"


def test_a_killed_workers_slot_comes_free_before_its_interval_ends(client: redis.Redis, keys: Keys) -> None:
    """Until the work is done its slot has the shorter lifetime."""
    slots = IntervalLocks(client, keys)
    slot = slots.take("discover", A_DAY)
    assert slot is not None
    assert 0 < client.ttl(slot.key) <= MAX_RUNNING.total_seconds()


def test_a_slot_that_is_done_does_not_stay(client: redis.Redis, keys: Keys) -> None:
    """A slot's key has a lifetime longer than the slot."""
    slots = IntervalLocks(client, keys)
    slot = slots.take("reconcile", A_DAY)
    assert slot is not None
    slots.done(slot)
    assert A_DAY.total_seconds() < client.ttl(slot.key) <= 2 * A_DAY.total_seconds()
    assert slots.take("reconcile", A_DAY) is None
