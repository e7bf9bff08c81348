"""What the pages keep in Redis about people: actions, guesses and batches of letters."""

from datetime import timedelta

import redis
from stores_under_test import START

from shared.adapters.redis.actions import RedisActions
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.letter_batches import SILENT_AFTER, BatchState, RedisLetterBatches
from shared.adapters.redis.sign_in import MOST_GUESSES, Guesses, session_secret
from shared.clock import ManualClock
from shared.domain.actions import Verb


def test_the_newest_actions_come_first(client: redis.Redis, keys: Keys) -> None:
    """With who did what to what."""
    actions = RedisActions(client, keys)
    for number in range(3):
        actions.add("rivera", Verb.SYNC, f"course:{number}")
    actions.add("operator", Verb.RETRY, "batch:1", 7)
    newest, *others = actions.newest(3)
    assert (newest.actor, newest.verb, newest.target, newest.count) == ("operator", Verb.RETRY, "batch:1", 7)
    assert [action.target for action in others] == ["course:2", "course:1"]


def test_every_process_has_the_same_secret(client: redis.Redis, keys: Keys) -> None:
    """The first one makes it; it is long."""
    secret = session_secret(client, keys)
    assert len(secret) > 40
    assert session_secret(client, keys) == secret


def test_guesses_are_counted_by_address(client: redis.Redis, keys: Keys) -> None:
    """One that guessed too often waits, others do not; nothing of the address is in a key's name."""
    guesses = Guesses(client, keys)
    for _ in range(MOST_GUESSES):
        assert guesses.wait_for("192.0.2.1") is None
        guesses.note_wrong("192.0.2.1")
    wait = guesses.wait_for("192.0.2.1")
    assert wait is not None
    assert timedelta(0) < wait <= timedelta(minutes=10)
    assert guesses.wait_for("192.0.2.2") is None
    assert not [key for key in client.scan_iter() if b"192.0" in key]
    guesses.forget("192.0.2.1")
    assert guesses.wait_for("192.0.2.1") is None


def test_a_batch_tells_how_far_it_is(client: redis.Redis, keys: Keys) -> None:
    """It goes on until somebody cancels it, and is cancelled once."""
    batches = RedisLetterBatches(client, keys, ManualClock(START))
    batches.begin("b1", Verb.RETRY, "operator", 5)
    assert batches.go_on("b1", 2, 1)
    batch = batches.find("b1")
    assert batch is not None
    assert (batch.state, batch.total, batch.done, batch.refused) == (BatchState.RUNNING, 5, 2, 1)
    assert batches.cancel("b1")
    assert not batches.go_on("b1", 3, 1)
    batches.end("b1", BatchState.CANCELLED)
    assert not batches.cancel("b1")
    assert batches.find("b2") is None
    assert not batches.cancel("b2")


def test_a_batch_that_falls_silent_is_interrupted(client: redis.Redis, keys: Keys) -> None:
    """Its process is gone; nobody waits for it for ever."""
    clock = ManualClock(START)
    batches = RedisLetterBatches(client, keys, clock)
    batches.begin("b1", Verb.DISCARD, "operator", 5)
    clock.advance(SILENT_AFTER + timedelta(seconds=1))
    batch = batches.find("b1")
    assert batch is not None
    assert batch.state is BatchState.INTERRUPTED
