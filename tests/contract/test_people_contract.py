"""What the pages keep in Redis about people: actions, guesses and batches of letters."""

from datetime import timedelta

import redis
from stores_under_test import START

from shared.adapters.redis.dead_letters.store import SILENT_AFTER, BatchState, DeadLetterBatches
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import Actions
from shared.adapters.redis.operations.sign_in import (
    MAX_FAILED_LOGINS,
    MAX_FAILED_LOGINS_OF_ACCOUNT,
    MAX_FAILED_LOGINS_OF_SENDER,
    LoginThrottle,
    SessionStore,
    session_secret,
)
from shared.domain.actions import Verb
from tests.manual_clock import ManualClock


def test_the_newest_actions_come_first(client: redis.Redis, keys: Keys) -> None:
    """With who did what to what."""
    actions = Actions(client, keys)
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


def test_guesses_are_counted_before_they_are_checked(client: redis.Redis, keys: Keys) -> None:
    """One that guessed too often waits, others do not; nothing of the address is in a key's name."""
    guesses = LoginThrottle(client, keys)
    waits = [guesses.count("operator", "192.0.2.1") for _ in range(MAX_FAILED_LOGINS + 5)]
    assert waits[:MAX_FAILED_LOGINS] == [None] * MAX_FAILED_LOGINS
    for wait in waits[MAX_FAILED_LOGINS:]:
        assert wait is not None
        assert timedelta(0) < wait <= timedelta(minutes=10)
    assert guesses.count("operator", "192.0.2.2") is None
    assert guesses.count("viewer", "192.0.2.1") is None
    assert not [key for key in client.scan_iter() if b"192.0" in key]


def test_a_right_password_clears_its_own_count_alone(client: redis.Redis, keys: Keys) -> None:
    """Of another account from the same sender, nothing is forgotten."""
    guesses = LoginThrottle(client, keys)
    for account in ("operator", "viewer"):
        for _ in range(MAX_FAILED_LOGINS - 1):
            guesses.count(account, "192.0.2.1")
    guesses.count("viewer", "192.0.2.1")
    guesses.forgive("viewer", "192.0.2.1")
    assert guesses.count("operator", "192.0.2.1") is None
    assert guesses.count("operator", "192.0.2.1") is not None
    assert guesses.count("viewer", "192.0.2.1") is None


def test_a_sender_has_a_count_for_all_accounts(client: redis.Redis, keys: Keys) -> None:
    """Whoever may sign in as viewer clears the viewer's count, and still guesses no more than that."""
    guesses = LoginThrottle(client, keys)
    checked = 0
    for _ in range(MAX_FAILED_LOGINS_OF_SENDER + 5):
        checked += guesses.count("unknown", "192.0.2.1") is None
        client.delete(guesses._names("unknown", "192.0.2.1")[0])
    assert checked == MAX_FAILED_LOGINS_OF_SENDER


def test_an_account_is_not_guessed_from_everywhere(client: redis.Redis, keys: Keys) -> None:
    """Many senders together have a count, too; who signed in from a sender before is not locked out by it."""
    guesses = LoginThrottle(client, keys)
    guesses.count("operator", "192.0.2.1")
    guesses.forgive("operator", "192.0.2.1")
    waits = [guesses.count("operator", f"198.51.100.{number}") for number in range(MAX_FAILED_LOGINS_OF_ACCOUNT + 1)]
    assert waits[:-1] == [None] * MAX_FAILED_LOGINS_OF_ACCOUNT
    assert waits[-1] is not None
    assert guesses.count("operator", "192.0.2.1") is None


def test_a_session_ends(client: redis.Redis, keys: Keys) -> None:
    """By itself, or when it is ended; who reads Redis finds no cookie there."""
    sessions = SessionStore(client, keys)
    sessions.save("the-cookie", {"role": "viewer"}, timedelta(hours=12))
    assert sessions.find("the-cookie") == {"role": "viewer"}
    (key,) = client.scan_iter(f"{keys.prefix}:session:*")
    assert b"the-cookie" not in key
    assert 0 < client.pttl(key) <= 12 * 3_600_000
    sessions.end("the-cookie")
    assert sessions.find("the-cookie") == {}


def test_a_batch_tells_how_far_it_is(client: redis.Redis, keys: Keys) -> None:
    """It goes on until somebody cancels it, and is cancelled once."""
    batches = DeadLetterBatches(client, keys, ManualClock(START))
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
    batches = DeadLetterBatches(client, keys, clock)
    batches.begin("b1", Verb.DISCARD, "operator", 5)
    clock.advance(SILENT_AFTER + timedelta(seconds=1))
    batch = batches.find("b1")
    assert batch is not None
    assert batch.state is BatchState.INTERRUPTED
