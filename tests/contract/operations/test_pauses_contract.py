"""The contract of `Pauses`, and that nothing that is paused is claimed."""

from datetime import UTC, datetime

import pytest
from stores_under_test import MAX_WAIT, NO_WAIT, District

from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.sync_queue.store import QueueState, SyncQueue
from shared.domain.actions import (
    EVERYTHING,
    PROVISIONING,
    Pause,
    course_target,
)
from shared.domain.passback.changes import ChangeCause
from tests.manual_clock import ManualClock


@pytest.fixture
def pauses(district: District) -> Pauses:
    return Pauses(district.client, district.keys, ManualClock(district.time.now))


def test_a_paused_course_collects_its_changes(district: District, store: SyncQueue, pauses: Pauses) -> None:
    """A paused course is not claimed however long it is due, and is claimed once it is resumed."""
    pauses.pause(course_target("101"), "operator")
    district.change("101")
    store.aggregate("worker", 10, NO_WAIT)
    district.time.advance(MAX_WAIT)
    store.request("101", ChangeCause.PERSON)
    assert store.claim_due(10) == []
    assert store.time_until_next() is None
    assert store.state_of("101").queue_state is QueueState.DUE
    assert pauses.resume(course_target("101"))
    assert store.time_until_next() == NO_WAIT
    assert store.claim_due(10) == ["101"]


def test_paused_courses_do_not_stand_in_the_way(store: SyncQueue, pauses: Pauses) -> None:
    """Courses behind any number of paused ones are claimed, in their order and within the limit."""
    for number in range(20):
        store.request(f"1{number:02}", ChangeCause.PERSON)
        pauses.pause(course_target(f"1{number:02}"), "operator")
    for course_id in ("201", "202", "203"):
        store.request(course_id, ChangeCause.PERSON)
    assert store.time_until_next() == NO_WAIT
    assert store.claim_due(2) == ["201", "202"]


def test_a_pause_of_everything_claims_nothing(store: SyncQueue, pauses: Pauses) -> None:
    """While everything is paused no course is claimed and none is waited for; a pause of provisioning is no matter."""
    store.request("101", ChangeCause.PERSON)
    pauses.pause(PROVISIONING, "operator")
    pauses.pause(EVERYTHING, "operator")
    assert store.claim_due(10) == []
    assert store.time_until_next() is None
    pauses.resume(EVERYTHING)
    assert store.claim_due(10) == ["101"]


def test_a_pause_says_who_and_why(district: District, pauses: Pauses) -> None:
    """A pause has its moment, person and reason; a second one leaves the first as it is."""
    assert pauses.pause(course_target("101"), "operator", "gradebook under repair")
    assert not pauses.pause(course_target("101"), "somebody else")
    known = Pause("course:101", district.time.now, "operator", "gradebook under repair")
    assert pauses.all() == [known]
    assert pauses.of_course("101") == known
    assert pauses.of_course("202") is None


def test_what_holds_a_course_back(pauses: Pauses) -> None:
    """A course is held back by its own pause, else by that of everything."""
    pauses.pause(EVERYTHING, "operator")
    found = pauses.of_course("101")
    assert found is not None
    assert found.target == EVERYTHING
    assert not pauses.resume(course_target("101"))


def test_a_pause_of_an_earlier_version_is_read(district: District, pauses: Pauses) -> None:
    """Earlier versions stored the same JSON, without the target."""
    stored = '{"since":"2031-03-04T09:00:00.123456Z","actor":"operator","reason":"repair"}'
    district.client.hset(district.keys.paused, EVERYTHING, stored)
    since = datetime(2031, 3, 4, 9, 0, 0, 123456, tzinfo=UTC)
    assert pauses.all() == [Pause(EVERYTHING, since, "operator", "repair")]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"1",
        b'{"actor":"operator"}',
        b'{"since":"2031-03-04T09:00:00","actor":"operator","reason":""}',
        b'{"since":"2031-03-04T09:00:00Z","actor":"\xff","reason":""}',
        b"[" * 10_000,
    ],
)
def test_an_unreadable_pause_is_seen_and_resumed(district: District, pauses: Pauses, stored: bytes) -> None:
    """It holds its target back all the same; the other pauses are listed beside it."""
    pauses.pause(course_target("101"), "operator")
    district.client.hset(district.keys.paused, EVERYTHING, stored)
    assert [(pause.target, pause.actor) for pause in pauses.all()] == [
        (EVERYTHING, "unknown"),
        ("course:101", "operator"),
    ]
    assert pauses.resume(EVERYTHING)
