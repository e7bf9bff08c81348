"""A course that takes its worker with it every time does not go on for ever; a busy one does not push others aside."""

from datetime import timedelta

from stores_under_test import LEASE_FOR, NO_WAIT, District

from shared.adapters.redis.client import Lease
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.sync_queue.store import MAX_LOST_LEASES, QueueState, SyncQueue
from shared.domain.causes import Cause
from shared.domain.passback.changes import ChangeCause

COURSE = "101"


def take_and_die(district: District, store: SyncQueue) -> None:
    assert store.claim_due(10) == [COURSE]
    assert store.start_sync(COURSE) is not None
    district.time.advance(LEASE_FOR)


def take(store: SyncQueue, course_id: str = COURSE) -> Lease:
    taken = store.start_sync(course_id)
    assert taken is not None
    return taken[0]


def test_leases_lost_again_and_again_make_a_dead_letter(district: District, store: SyncQueue) -> None:
    """After five leases in a row that nobody ended the course is a dead letter, with their times, and rests."""
    store.request(COURSE, ChangeCause.EVENT)
    for _ in range(MAX_LOST_LEASES):
        take_and_die(district, store)
    assert store.claim_due(10) == []
    [letter] = DeadLetters(district.client, district.keys).all()
    assert (letter.course_id, letter.assignment_id, letter.cause, letter.attempts) == (
        COURSE,
        None,
        Cause.LEASE_LOST_REPEATEDLY,
        5,
    )
    assert len(letter.attempt_times) == MAX_LOST_LEASES
    assert letter.last_failed_at == district.time.now
    assert store.state_of(COURSE) == (QueueState.IDLE, None, None)


def test_only_leases_lost_in_a_row_count(district: District, store: SyncQueue) -> None:
    """A worker that gives the course back is alive, so the count begins anew."""
    store.request(COURSE, ChangeCause.EVENT)
    for _ in range(MAX_LOST_LEASES - 1):
        take_and_die(district, store)
    assert store.claim_due(10) == [COURSE]
    assert store.reschedule(take(store), NO_WAIT, 0)
    for _ in range(MAX_LOST_LEASES - 1):
        take_and_die(district, store)
    assert store.claim_due(10) == [COURSE]


def test_a_person_gives_a_course_another_chance(district: District, store: SyncQueue) -> None:
    """After a person's request the course may lose as many leases again."""
    store.request(COURSE, ChangeCause.EVENT)
    for _ in range(MAX_LOST_LEASES - 1):
        take_and_die(district, store)
    store.request(COURSE, ChangeCause.PERSON)
    for _ in range(MAX_LOST_LEASES - 1):
        take_and_die(district, store)
    assert store.claim_due(10) == [COURSE]


def test_a_huge_course_goes_on_behind_the_others(district: District, store: SyncQueue) -> None:
    """A course that reached its deadline waits behind those that became due while it was syncing."""
    store.request(COURSE, ChangeCause.PERSON)
    assert store.claim_due(1) == [COURSE]
    lease = take(store)
    for course_id in ("202", "303"):
        district.time.advance(timedelta(seconds=1))
        store.request(course_id, ChangeCause.EVENT)
    district.time.advance(timedelta(seconds=1))
    assert store.reschedule(lease, NO_WAIT, 0)
    assert store.claim_due(2) == ["202", "303"]
    assert store.claim_due(3) == [COURSE]
