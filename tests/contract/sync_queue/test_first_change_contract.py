"""The first change of a course at rest goes at once; what follows waits for the window. Times are moved by hand."""

from datetime import timedelta

import pytest
import redis
from stores_under_test import A_MOMENT, FIRST_CHANGE, LEASE_FOR, MAX_WAIT, NO_WAIT, QUIET, REST, District

from shared.adapters.redis.client import Lease
from shared.adapters.redis.sync_queue.store import QueueState, SyncQueue
from shared.domain.passback.changes import ChangeCause

COURSE = "101"


@pytest.fixture
def prompt(client: redis.Redis) -> District:
    return District(client, first_change=FIRST_CHANGE)


@pytest.fixture
def store(prompt: District) -> SyncQueue:
    process = prompt.process()
    process.aggregate("worker", 1, NO_WAIT)
    return process


def change(district: District, store: SyncQueue, course_id: str = COURSE) -> None:
    district.change(course_id)
    store.aggregate("worker", 100, NO_WAIT)


def taken(store: SyncQueue) -> Lease:
    assert store.claim_due(10) == [COURSE]
    found = store.start_sync(COURSE)
    assert found is not None
    return found[0]


def synced(district: District, store: SyncQueue) -> None:
    """Let a course at rest change, sync it at once, and end."""
    change(district, store)
    district.time.advance(FIRST_CHANGE)
    assert store.release(taken(store))


def test_the_first_change_is_due_after_a_short_gathering(prompt: District, store: SyncQueue) -> None:
    """Nothing of the course waits, and nothing was synced lately: there is nothing to wait for."""
    change(prompt, store)
    prompt.time.advance(FIRST_CHANGE - A_MOMENT)
    assert store.claim_due(10) == []
    assert store.time_until_next() == A_MOMENT
    prompt.time.advance(A_MOMENT)
    assert store.claim_due(10) == [COURSE]


def test_what_comes_while_it_is_gathered_goes_along(prompt: District, store: SyncQueue) -> None:
    """A class that is graded at once is one sync, and later changes do not put the first one off."""
    for _ in range(4):
        change(prompt, store)
        prompt.time.advance(FIRST_CHANGE / 4)
    assert store.claim_due(10) == [COURSE]
    found = store.start_sync(COURSE)
    assert found is not None
    assert found[1].count == 4


def test_each_course_is_at_rest_for_itself(prompt: District, store: SyncQueue) -> None:
    """Of one batch of messages, one course goes at once and another one waits."""
    synced(prompt, store)
    prompt.change(COURSE)
    prompt.change("202")
    store.aggregate("worker", 100, NO_WAIT)
    prompt.time.advance(FIRST_CHANGE)
    assert store.claim_due(10) == ["202"]


@pytest.mark.parametrize("after", [NO_WAIT, QUIET - A_MOMENT, QUIET, REST - A_MOMENT])
def test_soon_after_a_sync_a_change_waits_for_the_window(prompt: District, store: SyncQueue, after: timedelta) -> None:
    """It is part of the same burst, which costs at most one sync more than without first changes."""
    synced(prompt, store)
    prompt.time.advance(after)
    change(prompt, store)
    prompt.time.advance(QUIET - A_MOMENT)
    assert store.claim_due(10) == []
    prompt.time.advance(A_MOMENT)
    assert store.claim_due(10) == [COURSE]


def test_after_a_rest_the_next_change_is_a_first_one_again(prompt: District, store: SyncQueue) -> None:
    """Four quiet periods after the end of its last sync."""
    synced(prompt, store)
    prompt.time.advance(REST)
    change(prompt, store)
    prompt.time.advance(FIRST_CHANGE)
    assert store.claim_due(10) == [COURSE]


def test_a_sync_that_a_first_change_began_is_not_repeated_at_once(prompt: District, store: SyncQueue) -> None:
    """What changes meanwhile is pending at its end, and waits until the window says so."""
    change(prompt, store)
    prompt.time.advance(FIRST_CHANGE)
    lease = taken(store)
    for _ in range(3):
        prompt.time.advance(QUIET / 4)
        change(prompt, store)
    assert store.release(lease)
    assert store.claim_due(10) == []
    assert store.time_until_next() == QUIET
    prompt.time.advance(QUIET)
    assert store.claim_due(10) == [COURSE]


def test_a_stream_of_changes_costs_one_sync_more(prompt: District, store: SyncQueue) -> None:
    """A score a second for half a minute: the first at once, the others as without first changes."""
    syncs, second = [], timedelta(seconds=1)
    began = prompt.time.now
    for tenth in range(400):
        if tenth < 300 and tenth % 10 == 0:
            change(prompt, store)
        if store.claim_due(10):
            found = store.start_sync(COURSE)
            assert found is not None
            syncs.append((prompt.time.now - began) / second)
            assert store.release(found[0])
        prompt.time.advance(second / 10)
    assert syncs == [0.2, 16.0, 31.0]


def test_work_that_failed_keeps_its_backoff(prompt: District, store: SyncQueue) -> None:
    """A course that waits for its next attempt is not at rest, however long ago it was synced."""
    change(prompt, store)
    prompt.time.advance(FIRST_CHANGE)
    store.reschedule(taken(store), 10 * MAX_WAIT, attempts=1)
    prompt.time.advance(REST)
    change(prompt, store)
    prompt.time.advance(MAX_WAIT)
    assert store.claim_due(10) == []


def test_a_lost_lease_is_no_rest(prompt: District, store: SyncQueue) -> None:
    """The course is due at once anyway; its change set is whole."""
    change(prompt, store)
    prompt.time.advance(FIRST_CHANGE)
    taken(store)
    change(prompt, store)
    prompt.time.advance(LEASE_FOR)
    assert store.claim_due(10) == [COURSE]


def test_a_pass_over_all_courses_makes_no_first_change(prompt: District, store: SyncQueue) -> None:
    """A course that reconciliation asked for waits in its own line; a change that joins it comes as always."""
    store.request(COURSE, ChangeCause.RECONCILE)
    assert store.state_of(COURSE).queue_state is QueueState.DUE
    change(prompt, store)
    assert store.claim_due(10) == [COURSE]


def test_what_was_synced_lately_is_not_kept_for_long(prompt: District, store: SyncQueue) -> None:
    """The next sync's end drops it."""
    synced(prompt, store)
    prompt.time.advance(REST)
    store.request("202", ChangeCause.PERSON)
    assert store.claim_due(10) == ["202"]
    found = store.start_sync("202")
    assert found is not None
    store.release(found[0])
    assert prompt.client.zrange(prompt.keys.synced, 0, -1) == [b"202"]


def test_without_the_setting_nothing_is_a_first_change(client: redis.Redis) -> None:
    """Every change waits for the quiet period."""
    plain = District(client)
    store = plain.process()
    store.aggregate("worker", 1, NO_WAIT)
    change(plain, store)
    assert store.time_until_next() == QUIET


@pytest.mark.parametrize(("interval_ms", "room"), [(0, 20), (200, 20), (1000, 10), (4000, 4)])
def test_under_a_slow_rate_few_courses_sync_at_once(client: redis.Redis, interval_ms: int, room: int) -> None:
    """Each of them ends soon, and changes go on folding into those that wait."""
    slow = District(client, powerschool_interval=timedelta(milliseconds=interval_ms))
    store = slow.process()
    for number in range(30):
        store.request(str(number), ChangeCause.PERSON)
    claimed = store.claim_due(20)
    assert len(claimed) == room
    found = store.start_sync(claimed[0])
    assert found is not None
    assert len(store.claim_due(20)) == (1 if room == 20 else 0)
    store.release(found[0])
    assert len(store.claim_due(20)) == (0 if room == 20 else 1)


def test_a_learnt_rate_bounds_what_syncs_at_once(client: redis.Redis) -> None:
    """As a configured one does, the slower of the two."""
    learning = District(client, powerschool_interval=timedelta(milliseconds=100))
    client.hset(learning.keys.rate("powerschool"), "interval", "2000.000")
    store = learning.process()
    for number in range(30):
        store.request(str(number), ChangeCause.PERSON)
    assert len(store.claim_due(20)) == 5
