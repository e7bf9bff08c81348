"""The contract of `DeadMessages`: what nobody could read is kept, and goes back whole or not at all."""

import pytest
from stores_under_test import NO_WAIT, District

from shared.adapters.redis.dead_letters.dead_messages import MAX_BYTES, DeadMessages
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.domain.outcome import DeadLetterKind
from shared.queues import Queue, Stream

BROKEN = {b"c": b"\xff\x00", b"u": b"event"}


@pytest.fixture
def messages(district: District) -> DeadMessages:
    return DeadMessages(district.client, district.keys)


def fold_broken(district: District, store: SyncQueue, fields: dict[bytes, bytes]) -> None:
    district.send_broken(fields)
    assert store.aggregate("worker", 100, NO_WAIT).malformed == 1


def test_a_malformed_message_is_a_dead_letter(district: District, store: SyncQueue, messages: DeadMessages) -> None:
    """A message of a stream that nobody can read is a letter of its stream, with its bytes as they came."""
    fold_broken(district, store, BROKEN)
    [letter] = messages.all()
    assert (letter.kind, letter.cause, letter.source) == (
        DeadLetterKind.MESSAGE,
        "malformed_message",
        Stream.GRADE_CHANGES,
    )
    assert messages.content(letter.id) == BROKEN
    assert (messages.count(), messages.oldest_at()) == (1, letter.first_failed_at)


def test_a_message_goes_back_to_its_stream(district: District, store: SyncQueue, messages: DeadMessages) -> None:
    """A retry republishes the message as it came and removes the letter in one step; once."""
    fold_broken(district, store, BROKEN)
    [letter] = messages.all()
    assert messages.republish(letter.id)
    assert not messages.republish(letter.id)
    assert messages.count() == 0
    assert district.client.xrange(district.keys.stream(Stream.GRADE_CHANGES))[-1][1] == BROKEN


def test_what_is_too_large_is_cut(district: District, store: SyncQueue, messages: DeadMessages) -> None:
    """Of a huge message only a part is kept, so that it can be looked at and discarded, but not put back."""
    fold_broken(district, store, {**BROKEN, b"x": b"x" * (MAX_BYTES + 1)})
    [letter] = messages.all()
    assert messages.content(letter.id) == BROKEN
    assert not messages.republish(letter.id)
    assert messages.discard([letter.id]) == 1
    assert messages.count() == 0


def test_a_message_of_a_thousand_fields_holds_nothing_up(
    district: District, store: SyncQueue, messages: DeadMessages
) -> None:
    """However many fields a message has, it is folded aside and the one behind it is read."""
    district.change("101")
    fold_broken(district, store, {f"f{n}".encode(): b"" for n in range(9000)})
    assert messages.count() == 1
    assert store.pending_messages() == 0


def test_a_celery_message_goes_back_to_its_queue(district: District, messages: DeadMessages) -> None:
    """A Celery message is put back where workers take it from; one of no queue of ours never is."""
    messages.add(Queue.HOUSEKEEPING, "task_unknown", "passback.later", b"\x00payload")
    messages.add("elsewhere", "task_unknown", "passback.later", b"payload")
    ours, foreign = messages.all()
    assert (ours.source, ours.answer) == (Queue.HOUSEKEEPING, "passback.later")
    assert messages.republish(ours.id)
    assert not messages.republish(foreign.id)
    assert district.client.lrange(f"{district.keys.prefix}:celery:{Queue.HOUSEKEEPING}", 0, -1) == [b"\x00payload"]
    assert messages.all() == [foreign]


def test_of_a_huge_celery_message_only_its_task_is_kept(messages: DeadMessages) -> None:
    """What is too large to keep is told and not kept."""
    messages.add(Queue.HOUSEKEEPING, "message_undecodable", "unnamed", b"x" * (MAX_BYTES + 1))
    [letter] = messages.all()
    assert messages.content(letter.id) == {}
    assert not messages.republish(letter.id)
