"""What was told to whom, on fakeredis and on a real Redis with the rights that are deployed."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.cache import TokenEnd
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.notifications import Notifications, TeacherDigests
from shared.domain.notifications.state import (
    Condition,
    DeliveryFailure,
    Episode,
    Gap,
    NotificationState,
    TargetState,
)
from shared.domain.notifications.teachers import Digest, DigestPhase
from shared.errors import TransientError

AT = datetime(2031, 3, 4, 12, 0, 0, 250_000, tzinfo=UTC)
STATE = NotificationState(
    AT,
    {"silence": Episode(Condition("silence", "silence", "No event."), AT, None, AT, 3)},
    {"json 1": TargetState("json 1", frozenset({"silence"}), AT, 2, AT, DeliveryFailure.TIMED_OUT, AT, AT, AT, 1)},
    (Gap(AT, AT),),
)


def test_a_state_is_read_as_it_was_saved(client: redis.Redis, keys: Keys) -> None:
    """With every field."""
    store = Notifications(client, keys)
    assert store.read() == NotificationState()
    with store.lease() as token:
        assert token
        store.save(STATE, token)
    assert store.read() == STATE


def test_only_the_holder_of_the_lease_saves(client: redis.Redis, keys: Keys) -> None:
    """Once it is another's, or has ended, nothing is written; the other's lease stays."""
    store = Notifications(client, keys)
    with store.lease() as token:
        assert token
        client.set(keys.notifications_lease, "another")
        with pytest.raises(TransientError):
            store.save(STATE, token)
    assert client.get(keys.notifications_lease) == b"another"
    client.delete(keys.notifications_lease)
    with pytest.raises(TransientError):
        store.save(STATE, token)
    assert store.read() == NotificationState()


def test_a_save_renews_the_lease(client: redis.Redis, keys: Keys) -> None:
    """A check with many targets may last longer than one lease."""
    store = Notifications(client, keys)
    with store.lease() as token:
        assert token
        client.pexpire(keys.notifications_lease, 5000)
        store.save(STATE, token)
        assert client.pttl(keys.notifications_lease) > 5000


def test_a_digest_reads_its_courses_and_tells_each_teacher_once(client: redis.Redis, keys: Keys) -> None:
    """A teacher of several courses is one; what is taken is gone until it is put back."""
    store = TeacherDigests(client, keys)
    assert store.read() is None
    digest = Digest(AT, DigestPhase.READING, 1, 2, 3, 4, 5, 6, DeliveryFailure.TIMED_OUT, AT)
    store.begin(digest, map(str, range(700)))
    assert store.read() == digest
    read = 0
    while course_id := store.next_course():
        store.course_read(course_id, [f"T{int(course_id) % 300}"])
        read += 1
    assert (read, store.left()) == (700, 300)
    notified: dict[str, list[str]] = {}
    while teacher_id := store.next_teacher():
        notified[teacher_id] = store.courses_of(teacher_id)
        assert store.take(teacher_id)
        assert not store.take(teacher_id)
    assert len(notified) == 300
    assert sorted(notified["T7"]) == ["307", "607", "7"]
    store.put_back("T7", notified["T7"])
    assert (store.next_teacher(), store.courses_of("T7")) == ("T7", notified["T7"])
    store.begin(digest, [])
    assert (store.next_course(), store.next_teacher(), store.left()) == (None, None, 0)


def test_the_end_of_a_token_counts_for_that_token_alone(client: redis.Redis, keys: Keys) -> None:
    """A new token in the settings is not said to end when the one before did; the token itself is not stored."""
    old, new = TokenEnd(client, keys, "an old token"), TokenEnd(client, keys, "a new token")
    assert old.read() is None
    old.record(AT)
    assert (old.read(), new.read()) == (AT, None)
    assert not [key for key in client.scan_iter() if b"old token" in key]
    old.record(None)
    assert old.read() is None


def test_a_refusal_counts_for_that_token_alone_and_until_it_is_accepted(client: redis.Redis, keys: Keys) -> None:
    """Its beginning stays; a new token in the settings is not said to be refused."""
    old, new = TokenEnd(client, keys, "an old token"), TokenEnd(client, keys, "a new token")
    assert old.refused_since() is None
    assert [old.refuse(AT), old.refuse(AT + timedelta(hours=1))] == [True, False]
    assert (old.refused_since(), new.refused_since()) == (AT, None)
    old.accept()
    assert old.refused_since() is None
