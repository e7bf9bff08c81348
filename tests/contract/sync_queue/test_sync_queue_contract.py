"""The contract of `SyncQueue`: windows, claims, leases. Times are moved by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest
from stores_under_test import A_MOMENT, CLAIM_FOR, LEASE_FOR, MAX_WAIT, NO_WAIT, QUIET, District

from shared.adapters.redis.client import Lease
from shared.adapters.redis.sync_queue.store import LongWait, QueueState, SyncQueue
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.errors import LeaseLost

COURSE = "101"
OTHER = "202"


def change(district: District, store: SyncQueue, course_id: str = COURSE, assignment: str | None = None) -> None:
    district.change(course_id, assignment)
    store.aggregate("worker", 100, NO_WAIT)


def leased(store: SyncQueue, course_id: str = COURSE) -> tuple[Lease, PendingChanges]:
    store.request(course_id, ChangeCause.PERSON)
    return claimed_and_taken(store, course_id)


def claimed_and_taken(store: SyncQueue, course_id: str = COURSE) -> tuple[Lease, PendingChanges]:
    assert course_id in store.claim_due(10)
    taken = store.start_sync(course_id)
    assert taken is not None
    return taken


def test_nothing_waits_at_first(store: SyncQueue) -> None:
    """An empty store has nothing to claim and no next due course."""
    assert store.claim_due(10) == []
    assert store.time_until_next() is None
    assert store.last_event_at() is None
    assert store.state_of(COURSE) == (QueueState.IDLE, None, None)


def test_due_after_the_quiet_period(district: District, store: SyncQueue) -> None:
    """A changed course is due exactly when the quiet period has passed."""
    change(district, store)
    district.time.advance(QUIET - A_MOMENT)
    assert store.claim_due(10) == []
    assert store.time_until_next() == A_MOMENT
    district.time.advance(A_MOMENT)
    assert store.time_until_next() == NO_WAIT
    assert store.claim_due(10) == [COURSE]


def test_every_change_begins_the_quiet_period_anew(district: District, store: SyncQueue) -> None:
    """A second change within the window postpones the sync."""
    change(district, store)
    district.time.advance(QUIET - A_MOMENT)
    change(district, store)
    district.time.advance(A_MOMENT)
    assert store.claim_due(10) == []
    assert store.time_until_next() == QUIET - A_MOMENT


def test_never_later_than_the_maximum_wait(district: District, store: SyncQueue) -> None:
    """A stream of changes without a pause is synced after the maximum wait."""
    waited = timedelta(0)
    while waited < MAX_WAIT:
        change(district, store)
        assert store.claim_due(10) == []
        district.time.advance(QUIET / 2)
        waited += QUIET / 2
    assert store.claim_due(10) == [COURSE]


def test_a_change_set_says_what_happened(district: District, store: SyncQueue) -> None:
    """The change set has first and last time, count, causes and assignments of all changes since the last one."""
    began = district.time.now
    change(district, store, assignment="7")
    district.time.advance(QUIET / 2)
    change(district, store, assignment="8")
    last = district.time.now
    store.request(COURSE, ChangeCause.PERSON, ["9"])
    _, changes = claimed_and_taken(store)
    assert changes == PendingChanges(
        COURSE, began, last, 3, frozenset({ChangeCause.EVENT, ChangeCause.PERSON}), frozenset({"7", "8", "9"}),
        first_event_at=began,
    )  # fmt: skip


def test_times_ahead_of_redis_are_not_believed(district: District, store: SyncQueue) -> None:
    """A message from the future counts as one of now, so that it cannot keep its course waiting."""
    now = district.time.now
    district.time.advance(timedelta(hours=1))
    district.change(COURSE)
    district.time.advance(-timedelta(hours=1))
    store.aggregate("worker", 100, NO_WAIT)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.last_at == now
    assert store.time_until_next() == QUIET


def test_touched_assignments_are_bounded(store: SyncQueue) -> None:
    """A change set lists some five hundred assignments at the most; causes are always listed."""
    store.request(COURSE, ChangeCause.SCHEDULE, [str(number) for number in range(2000)])
    store.request(COURSE, ChangeCause.PERSON)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert 500 <= len(pending.assignment_ids) <= 520
    assert pending.causes == {ChangeCause.SCHEDULE, ChangeCause.PERSON}


def test_a_request_is_due_at_once(store: SyncQueue) -> None:
    """Whoever asks for a sync does not wait for a window."""
    store.request(COURSE, ChangeCause.SCHEDULE)
    assert store.claim_due(10) == [COURSE]


def test_a_persons_request_overtakes_the_window(district: District, store: SyncQueue) -> None:
    """A person's request makes a course due that waits for its quiet period; later changes do not postpone it."""
    change(district, store)
    store.request(COURSE, ChangeCause.PERSON)
    change(district, store)
    assert store.claim_due(10) == [COURSE]


def test_reconciliation_leaves_a_waiting_course_alone(district: District, store: SyncQueue) -> None:
    """A request that is not a person's does not shorten the window of a course that waits anyway."""
    change(district, store)
    store.request(COURSE, ChangeCause.RECONCILE)
    assert store.claim_due(10) == []
    assert store.time_until_next() == QUIET


def test_asking_again_does_not_put_back(district: District, store: SyncQueue) -> None:
    """A course that has waited for longer than the maximum keeps its place when a person asks for it."""
    changed_at = district.time.now
    change(district, store)
    district.time.advance(MAX_WAIT * 2)
    store.request(COURSE, ChangeCause.PERSON)
    assert [course.due_at for course in store.waiting(10)] == [changed_at + MAX_WAIT]


def test_the_longest_due_is_claimed_first(district: District, store: SyncQueue) -> None:
    """Courses are claimed in the order in which they became due."""
    change(district, store, OTHER)
    district.time.advance(A_MOMENT)
    change(district, store, COURSE)
    district.time.advance(QUIET)
    assert store.claim_due(10) == [OTHER, COURSE]


def test_claims_are_limited_in_all(district: District, store: SyncQueue) -> None:
    """However often courses are claimed, no more than the limit are claimed at once; a taken one makes room."""
    for number in range(5):
        store.request(str(number), ChangeCause.PERSON)
        district.time.advance(A_MOMENT)
    assert store.claim_due(2) == ["0", "1"]
    assert store.claim_due(2) == []
    store.start_sync("0")
    assert store.claim_due(2) == ["2"]


def test_a_claimed_course_is_not_claimed_again(district: District, store: SyncQueue) -> None:
    """A change to a claimed course joins what its worker will take."""
    store.request(COURSE, ChangeCause.PERSON)
    store.claim_due(10)
    change(district, store)
    district.time.advance(MAX_WAIT)
    assert store.claim_due(10) == []
    taken = store.start_sync(COURSE)
    assert taken is not None
    assert taken[1].count == 2
    assert store.release(taken[0])
    assert store.time_until_next() is None


def test_only_a_claimed_course_can_be_taken(district: District, store: SyncQueue) -> None:
    """A wake-up for a course that is idle, waiting or already taken finds nothing to do."""
    assert store.start_sync(COURSE) is None
    change(district, store)
    assert store.start_sync(COURSE) is None
    leased(store)
    assert store.start_sync(COURSE) is None


def test_a_request_during_a_sync_causes_one_more(district: District, store: SyncQueue) -> None:
    """A course asked for while it syncs is due as soon as it is released."""
    lease, _ = leased(store)
    store.request(COURSE, ChangeCause.SCHEDULE)
    assert store.claim_due(10) == []
    assert store.release(lease)
    assert store.claim_due(10) == [COURSE]


def test_changes_during_a_sync_cause_exactly_one_more(district: District, store: SyncQueue) -> None:
    """However many changes come while a course syncs, one more sync answers them all."""
    lease, _ = leased(store)
    for _ in range(3):
        change(district, store)
    district.time.advance(QUIET)
    assert store.claim_due(10) == []
    assert store.release(lease)
    lease, changes = claimed_and_taken(store)
    assert changes.count == 3
    assert store.release(lease)
    assert store.state_of(COURSE) == (QueueState.IDLE, None, None)


def test_a_settled_course_leaves_nothing_behind(district: District, store: SyncQueue) -> None:
    """Once its work is done, nothing of a course's change sets is kept."""
    lease, _ = leased(store)
    store.release(lease)
    assert district.client.keys(f"{district.keys.prefix}:course:*") == []


def test_a_renewed_lease_lasts(district: District, store: SyncQueue) -> None:
    """A lease that is renewed in time outlives its first length."""
    lease, _ = leased(store)
    for _ in range(3):
        district.time.advance(LEASE_FOR - A_MOMENT)
        store.renew(lease)
    assert store.claim_due(10) == []
    assert store.release(lease)


def test_work_for_later_waits_out_its_delay(district: District, store: SyncQueue) -> None:
    """Work put off comes back after its delay, with its change set and its attempts."""
    lease, changes = leased(store)
    delay = timedelta(minutes=5)
    assert store.reschedule(lease, delay, attempts=2)
    district.time.advance(delay - A_MOMENT)
    assert store.claim_due(10) == []
    district.time.advance(A_MOMENT)
    _, again = claimed_and_taken(store)
    assert again == replace(changes, attempts=2, failed_at=(district.time.now - delay,))


def test_what_waits_for_long_is_known_with_its_cause(district: District, store: SyncQueue) -> None:
    """Since its first wait in a row, with the newest cause, until its work is done."""
    began = district.time.now
    lease, _ = leased(store)
    store.reschedule(lease, QUIET, 0, "canvas_unavailable")
    district.time.advance(QUIET)
    lease, _ = leased(store)
    store.reschedule(lease, QUIET, 0, "canvas_401")
    assert store.long_waits(QUIET) == [LongWait(COURSE, began, "canvas_401")]
    assert store.wait_of(COURSE) == LongWait(COURSE, began, "canvas_401")
    assert store.long_waits(QUIET + A_MOMENT) == []
    district.time.advance(QUIET)
    lease, _ = leased(store)
    store.release(lease)
    assert store.long_waits(timedelta(0)) == []
    assert store.wait_of(COURSE) is None


def test_a_change_does_not_shorten_the_backoff(district: District, store: SyncQueue) -> None:
    """Neither a change nor a reconciliation makes a course due before its backoff ends."""
    lease, _ = leased(store)
    delay = timedelta(minutes=5)
    store.reschedule(lease, delay, attempts=1)
    change(district, store)
    store.request(COURSE, ChangeCause.RECONCILE)
    district.time.advance(MAX_WAIT)
    assert store.claim_due(10) == []
    assert store.time_until_next() == delay - MAX_WAIT


def test_a_person_ends_the_backoff(store: SyncQueue) -> None:
    """A person's request makes a course due now and forgets its attempts."""
    lease, _ = leased(store)
    store.reschedule(lease, timedelta(minutes=5), attempts=4)
    _, changes = leased(store)
    assert changes.attempts == 0


def test_a_person_who_asks_during_a_failing_sync_is_heard(district: District, store: SyncQueue) -> None:
    """A person's request that came during a sync wins over the backoff of that sync and over its attempts."""
    lease, _ = leased(store)
    store.reschedule(lease, QUIET, attempts=3)
    district.time.advance(QUIET)
    lease, _ = claimed_and_taken(store)
    store.request(COURSE, ChangeCause.PERSON)
    store.reschedule(lease, timedelta(minutes=5), attempts=4)
    _, changes = claimed_and_taken(store)
    assert changes.attempts == 0


def test_a_reconciliation_during_a_failing_sync_waits(district: District, store: SyncQueue) -> None:
    """What nobody asked for in person waits out the backoff, also if it came during the failing sync."""
    lease, _ = leased(store)
    store.request(COURSE, ChangeCause.RECONCILE)
    store.reschedule(lease, timedelta(minutes=5), attempts=1)
    assert store.claim_due(10) == []
    assert store.time_until_next() == timedelta(minutes=5)


def test_a_claim_nobody_took_ends(district: District, store: SyncQueue) -> None:
    """A course whose wake-up was lost is claimed again once its claim has ended."""
    store.request(COURSE, ChangeCause.PERSON)
    store.claim_due(10)
    district.time.advance(CLAIM_FOR - A_MOMENT)
    assert store.claim_due(10) == []
    district.time.advance(A_MOMENT)
    assert store.claim_due(10) == [COURSE]


def test_a_late_wake_up_still_counts(district: District, store: SyncQueue) -> None:
    """A claim that ended but was not renewed by anyone can still be taken."""
    store.request(COURSE, ChangeCause.PERSON)
    store.claim_due(10)
    district.time.advance(CLAIM_FOR * 2)
    assert store.start_sync(COURSE) is not None


def test_a_lost_lease_gives_its_changes_back(district: District, store: SyncQueue) -> None:
    """A course whose worker died is due at once, with what was taken and what came since, and its attempts."""
    asked_at = district.time.now
    lease, _ = leased(store)
    store.reschedule(lease, QUIET, attempts=3)
    district.time.advance(QUIET)
    claimed_and_taken(store)
    change(district, store, assignment="7")
    district.time.advance(LEASE_FOR)
    _, changes = claimed_and_taken(store)
    assert changes == PendingChanges(
        COURSE, asked_at, asked_at + QUIET, 2, frozenset({ChangeCause.PERSON, ChangeCause.EVENT}), frozenset({"7"}),
        attempts=3, failed_at=(asked_at, district.time.now), first_event_at=asked_at + QUIET,
    )  # fmt: skip


@pytest.mark.parametrize("another_has_it", [False, True])
def test_an_ended_lease_gives_no_right(district: District, store: SyncQueue, another_has_it: bool) -> None:
    """Whose lease ended can neither renew nor release, whether or not someone else has the course by now."""
    old, _ = leased(store)
    district.time.advance(LEASE_FOR)
    if another_has_it:
        store.claim_due(10)
        store.start_sync(COURSE)
    with pytest.raises(LeaseLost):
        store.renew(old)
    assert not store.release(old)
    assert not store.reschedule(old, NO_WAIT, attempts=1)


def test_the_former_holder_does_not_disturb_the_next(district: District, store: SyncQueue) -> None:
    """What a worker with an ended lease tries leaves the next holder's lease as it is."""
    old, _ = leased(store)
    district.time.advance(LEASE_FOR)
    new, _ = claimed_and_taken(store)
    store.release(old)
    store.reschedule(old, timedelta(hours=1), attempts=5)
    store.renew(new)
    assert store.release(new)


def test_tokens_grow(district: District, store: SyncQueue) -> None:
    """Every lease has a greater token than all before it, of whatever course."""
    tokens = [leased(store, course_id)[0].token for course_id in ("1", "2", "3")]
    district.time.advance(LEASE_FOR)
    taken = [store.start_sync(course_id) for course_id in store.claim_due(10)]
    tokens += [lease.token for lease, _ in filter(None, taken)]
    assert len(tokens) == 6
    assert tokens == sorted(set(tokens))


def test_tokens_grow_although_redis_lost_everything(district: District, store: SyncQueue) -> None:
    """A Redis that was emptied gives no token a second time: the old holder stays locked out."""
    old, _ = leased(store)
    district.client.flushall()
    district.time.advance(A_MOMENT)
    new, _ = leased(store)
    assert new.token > old.token
    with pytest.raises(LeaseLost):
        store.renew(old)


def test_where_a_course_is_can_be_asked(district: District, store: SyncQueue) -> None:
    """A course is seen waiting, claimed and leased, with the end of each and what is pending."""
    change(district, store)
    waiting = store.state_of(COURSE)
    assert waiting[:2] == (QueueState.DUE, district.time.now + QUIET)
    assert waiting.pending is not None
    store.request(COURSE, ChangeCause.PERSON)
    store.claim_due(10)
    assert store.state_of(COURSE)[:2] == (QueueState.CLAIMED, district.time.now + CLAIM_FOR)
    store.start_sync(COURSE)
    assert store.state_of(COURSE) == (QueueState.LEASED, district.time.now + LEASE_FOR, None)


def test_an_event_counts_from_its_own_time(district: District, store: SyncQueue) -> None:
    """A pass over all courses made the course due long before, and nobody waited for that."""
    store.request(COURSE, ChangeCause.RECONCILE, origin=ChangeCause.DISCOVERY)
    assert [course.lets_others_go_first for course in store.waiting(10)] == [True]
    asked_at = district.time.now
    district.time.advance(timedelta(hours=1))
    heard_at = district.time.now
    change(district, store)
    change(district, store)
    assert [course.lets_others_go_first for course in store.waiting(10)] == [False]
    lease, _ = claimed_and_taken(store)
    store.reschedule(lease, NO_WAIT, attempts=0)
    _, changes = claimed_and_taken(store)
    assert (changes.first_at, changes.first_event_at) == (asked_at, heard_at)
    assert changes.causes == {ChangeCause.RECONCILE, ChangeCause.DISCOVERY, ChangeCause.EVENT}


def test_a_person_who_retries_is_a_person(store: SyncQueue) -> None:
    """Both causes are noted, and a person's request forgets the attempts."""
    lease, _ = leased(store)
    store.reschedule(lease, QUIET, attempts=3)
    store.request(COURSE, ChangeCause.PERSON, actor="rivera", origin=ChangeCause.RETRY)
    _, changes = claimed_and_taken(store)
    assert changes.causes == {ChangeCause.PERSON, ChangeCause.RETRY}
    assert (changes.asked_for_by_person, changes.attempts) == (True, 0)


def test_what_waits_can_be_listed(district: District, store: SyncQueue) -> None:
    """Status shows how many courses are at each step, and the next ones with due time, first change and count."""
    change(district, store, "1")
    change(district, store, "1")
    district.time.advance(A_MOMENT)
    change(district, store, "2")
    leased(store, "3")
    store.request("4", ChangeCause.PERSON)
    store.claim_due(10)
    first = district.time.now - A_MOMENT
    assert store.counts() == (2, 1, 1)
    assert store.waiting(1) == [("1", first + QUIET, first, 2, False)]
    assert [course.course_id for course in store.waiting(10)] == ["1", "2"]


def test_a_dead_worker_is_noticed_in_time(district: District, store: SyncQueue) -> None:
    """While a course is claimed or leased, the next due time is when that would end."""
    store.request(COURSE, ChangeCause.PERSON)
    store.claim_due(10)
    assert store.time_until_next() == CLAIM_FOR
    store.start_sync(COURSE)
    assert store.time_until_next() == LEASE_FOR


def test_a_change_goes_before_a_pass_over_all_courses(district: District, store: SyncQueue) -> None:
    """Courses that nothing but a pass made due have a quarter of the claims; a change is claimed beside them."""
    for number in range(20):
        store.request(str(1000 + number), ChangeCause.SCHEDULE if number % 2 else ChangeCause.RECONCILE)
    change(district, store)
    district.time.advance(QUIET)
    assert sorted(store.claim_due(16)) == ["1000", "1001", "1002", "1003", COURSE]
    assert store.claim_due(16) == []
    assert store.counts() == (16, 5, 0)
    assert store.has_ready_courses()


def test_a_pass_goes_on_as_its_courses_end(district: District, store: SyncQueue) -> None:
    """The quarter counts what is claimed and what is leased, and is filled again when a course ends."""
    for number in range(3):
        store.request(str(1000 + number), ChangeCause.RECONCILE)
    assert store.claim_due(4) == ["1000"]
    taken = store.start_sync("1000")
    assert taken is not None
    assert store.claim_due(4) == []
    assert store.time_until_next() == NO_WAIT
    store.release(taken[0])
    assert store.claim_due(4) == ["1001"]


@pytest.mark.parametrize("cause", [ChangeCause.PERSON, ChangeCause.DUE_DATE])
def test_who_asks_for_a_yielding_course_makes_it_prompt(
    district: District, store: SyncQueue, cause: ChangeCause
) -> None:
    """A course of a pass that somebody begins to wait for goes with the others, once and in one place."""
    store.request(OTHER, ChangeCause.RECONCILE)
    store.request(COURSE, ChangeCause.RECONCILE)
    store.request(COURSE, cause)
    district.time.advance(QUIET)
    assert sorted(store.claim_due(4)) == [COURSE, OTHER]
    assert store.counts() == (0, 2, 0)


def test_a_changed_course_of_a_pass_waits_out_its_window_no_longer(district: District, store: SyncQueue) -> None:
    """A change in a course that a pass made due does not put it off."""
    store.request(OTHER, ChangeCause.RECONCILE)
    store.request(COURSE, ChangeCause.RECONCILE)
    change(district, store)
    assert sorted(store.claim_due(4)) == [COURSE, OTHER]


def test_nobody_waits_for_a_pass(district: District, store: SyncQueue) -> None:
    """Courses that yield are no reason for a running one to give way; a due change is."""
    store.request(OTHER, ChangeCause.RECONCILE)
    assert not store.has_ready_courses()
    change(district, store)
    assert not store.has_ready_courses()
    district.time.advance(QUIET)
    assert store.has_ready_courses()
