"""What the change store remembers beside the changes: when a course was heard of, and who asked."""

from datetime import timedelta

from stores_under_test import NO_WAIT, District

from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.domain.passback.changes import ChangeCause


def test_a_course_was_heard_when_its_newest_message_was_sent(district: District, store: SyncQueue) -> None:
    """The time is the message's, per course, and outlives the sync."""
    district.change("101")
    district.time.advance(timedelta(minutes=1))
    heard = district.time.now
    district.change("101")
    district.change("202")
    store.aggregate("worker", 10, NO_WAIT)
    district.time.advance(timedelta(minutes=1))
    assert (store.last_event_of("101"), store.last_event_of("202")) == (heard, heard)
    assert store.last_event_of("303") is None


def test_a_request_is_not_an_event(store: SyncQueue) -> None:
    """What a person asks for was not heard from Canvas."""
    store.request("101", ChangeCause.PERSON, actor="rivera")
    assert store.last_event_of("101") is None


def test_who_asked_travels_with_the_change_set(store: SyncQueue) -> None:
    """Everybody who asked is named once, beside causes and assignments."""
    store.request("101", ChangeCause.PERSON, ["7"], actor="rivera")
    store.request("101", ChangeCause.PERSON, actor="chen")
    store.request("101", ChangeCause.RECONCILE)
    store.claim_due(10)
    taken = store.start_sync("101")
    assert taken is not None
    assert taken[1].actors == {"rivera", "chen"}
    assert taken[1].assignment_ids == {"7"}
    assert taken[1].causes == {ChangeCause.PERSON, ChangeCause.RECONCILE}


def test_work_that_goes_on_later_is_still_the_persons(store: SyncQueue, district: District) -> None:
    """A sync that could not be finished keeps who asked for it."""
    store.request("101", ChangeCause.PERSON, actor="rivera")
    store.claim_due(10)
    taken = store.start_sync("101")
    assert taken is not None
    store.reschedule(taken[0], timedelta(seconds=5), 1)
    pending = store.state_of("101").pending
    assert pending is not None
    assert pending.actors == {"rivera"}
