"""The contract of `Counters`."""

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.counters import Counters


def test_all_processes_count_together(client: redis.Redis, keys: Keys) -> None:
    """What several add to a label is one number; other names and labels have their own."""
    one, other = Counters(client, keys), Counters(client, keys)
    one.add("repairs", "scores", 5)
    other.add("repairs", "scores", 2)
    other.add("repairs", "assignments")
    one.add("sleep", "sheep")
    assert one.read("repairs") == {"scores": 7, "assignments": 1}


def test_what_was_never_counted_is_not_there(client: redis.Redis, keys: Keys) -> None:
    """A name nobody counted under has no labels."""
    assert Counters(client, keys).read("repairs") == {}
