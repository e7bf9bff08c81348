"""Of several beats one counts."""

from datetime import timedelta

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.schedule_slot import ScheduleSlots

A_DAY = timedelta(days=1)


def test_one_of_several_beats_counts(client: redis.Redis, keys: Keys) -> None:
    """Of all who take the slot of one tick, the first one gets it; another task has slots of its own."""
    one, other = ScheduleSlots(client, keys), ScheduleSlots(client, keys)
    assert one.take("reconcile", A_DAY)
    assert not other.take("reconcile", A_DAY)
    assert other.take("provision", A_DAY)


def test_the_next_tick_has_a_slot_of_its_own(client: redis.Redis, keys: Keys) -> None:
    """Once a slot is over the next one can be taken."""
    slots = ScheduleSlots(client, keys)
    taken = sum(slots.take("reconcile", timedelta(milliseconds=2)) for _ in range(1000))
    assert taken > 1


def test_a_slot_that_was_given_back_can_be_taken(client: redis.Redis, keys: Keys) -> None:
    """Whoever could not do the work of a tick leaves it to the next who asks."""
    slots = ScheduleSlots(client, keys)
    slots.take("discover", A_DAY)
    slots.give_back("discover", A_DAY)
    assert slots.take("discover", A_DAY)


def test_slots_do_not_stay(client: redis.Redis, keys: Keys) -> None:
    """A slot's key has a lifetime longer than the slot."""
    ScheduleSlots(client, keys).take("reconcile", A_DAY)
    [key] = client.keys(f"{keys.prefix}:*")
    assert A_DAY.total_seconds() < client.ttl(key) <= 2 * A_DAY.total_seconds()
