"""What Redis holds, in numbers."""

from datetime import timedelta

import pytest
import redis
from stores_under_test import District

from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.queues import Stream


@pytest.fixture
def gauges(client: redis.Redis, keys: Keys) -> QueueStats:
    return QueueStats(client, keys)


def hear(client: redis.Redis, keys: Keys, course_id: str) -> str:
    change = Change(ChangeKind.GRADE, course_id)
    return client.xadd(keys.stream(STREAM_OF[change.kind]), encode(change)).decode()


def test_the_oldest_message_counts_until_it_is_folded(
    client: redis.Redis, keys: Keys, gauges: QueueStats, store: SyncQueue
) -> None:
    """Unread or read, what nobody acknowledged has an age; history has none."""
    assert gauges.stream(Stream.GRADE_CHANGES).oldest_unfolded_at is None
    first = hear(client, keys, "1")
    before = gauges.stream(Stream.GRADE_CHANGES)
    store.aggregate("worker", 10, timedelta(0))
    second = hear(client, keys, "2")
    client.xreadgroup("passback", "dying", {keys.stream(Stream.GRADE_CHANGES): ">"})
    hear(client, keys, "3")
    after = gauges.stream(Stream.GRADE_CHANGES)
    told = [gauge.oldest_unfolded_at for gauge in (before, after)]
    assert [None if at is None else str(round(at.timestamp() * 1000)) for at in told] == [
        first.partition("-")[0],
        second.partition("-")[0],
    ]
    assert after.entries == 3


def test_the_course_that_waits_longest_counts_from_its_first_change(
    gauges: QueueStats, store: SyncQueue, district: District
) -> None:
    """Due and claimed courses count, those that let others go first do not."""
    assert gauges.oldest_waiting() is None
    store.request("1", ChangeCause.RECONCILE)
    assert gauges.oldest_waiting() is None
    store.request("2", ChangeCause.PERSON)
    waiting = [each for each in store.waiting(10) if each.course_id == "2"]
    assert gauges.oldest_waiting() == waiting[0].first_at
    assert set(store.claim_due(10)) == {"1", "2"}
    assert gauges.oldest_waiting() == waiting[0].first_at


def test_a_claimed_course_of_a_pass_is_waited_for_once_an_event_came(
    gauges: QueueStats, store: SyncQueue, district: District
) -> None:
    """The first pass over all courses of a new installation takes hours, and is no delay of anybody's grade."""
    store.request("1", ChangeCause.RECONCILE, origin=ChangeCause.DISCOVERY)
    assert store.claim_due(10) == ["1"]
    assert gauges.oldest_waiting() is None
    district.time.advance(timedelta(hours=1))
    district.change("1")
    store.aggregate("worker", 10, timedelta(0))
    assert gauges.oldest_waiting() == district.time.now


def test_dead_letters_are_counted_by_cause(client: redis.Redis, keys: Keys) -> None:
    """Each open letter once; closed ones no more."""
    letters = DeadLetters(client, keys)
    for course in ("1", "2", "3"):
        letters.add(course, None, "powerschool_500" if course != "3" else "canvas_404", "", 1)
    letters.close("1", None)
    assert letters.causes() == {"powerschool_500": 1, "canvas_404": 1}
