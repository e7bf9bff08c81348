"""The contract of one bad entry in a key of passback's: it is put aside, and every other course goes on."""

from datetime import timedelta

import pytest
import redis
from stores_under_test import CLAIM_FOR, LEASE_FOR, MAX_WAIT, NO_WAIT, QUIET, District

from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.keys import SET_ASIDE, Keys
from shared.adapters.redis.operations.actions import UNKNOWN_ACTOR, Pauses
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter, system_rates
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import SystemClock
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.queues import Stream

COURSE, OTHER = "101", "102"
GARBAGE = [b"", b"x" * 500, b"\xff\xfe", b"12 34", b"course:101", b"99999999999999"]


@pytest.mark.parametrize("queue", ["due", "yielding", "claimed", "leased"])
def test_a_member_that_can_be_no_course_is_kept_as_a_dead_letter(
    district: District, store: SyncQueue, client: redis.Redis, queue: str
) -> None:
    """Garbage in a sorted set of courses is removed once it is due, and the course beside it is claimed."""
    client.zadd(getattr(district.keys, queue), dict.fromkeys(GARBAGE, 1.0))
    store.request(COURSE, ChangeCause.PERSON)
    assert store.time_until_next() == NO_WAIT
    # One that yields is looked at by each claim.
    claimed = [course for _ in range(len(GARBAGE) + 1) for course in store.claim_due(4)]
    assert COURSE in claimed
    left = client.zrange(getattr(district.keys, queue), 0, -1)
    assert not set(left) & set(GARBAGE)
    kept = DeadMessages(client, district.keys).all()
    assert [letter.cause for letter in kept] == ["malformed_course_id"] * len(GARBAGE)


@pytest.mark.parametrize("score", [float("inf"), float("-inf"), 1e300])
def test_a_time_beyond_the_calendar_stops_nobody(district: District, store: SyncQueue, score: float) -> None:
    """A due time that no calendar has is the nearest one that it has."""
    district.client.zadd(district.keys.due, {OTHER: score})
    assert store.time_until_next() is not None
    store.request(COURSE, ChangeCause.PERSON)
    assert COURSE in store.claim_due(4)
    assert [waiting.course_id for waiting in store.waiting(10)] in ([], [OTHER])


@pytest.mark.parametrize("when", ["folded", "due", "claimed"])
def test_a_pending_key_of_another_type_is_set_aside(
    district: District, store: SyncQueue, client: redis.Redis, when: str
) -> None:
    """A course whose pending changes are no hash is synced with everything read; the batch with it is folded."""
    key = district.keys.pending(COURSE)
    if when != "folded":
        store.request(COURSE, ChangeCause.EVENT)
        store.request(OTHER, ChangeCause.EVENT)
        district.time.advance(MAX_WAIT)
        if when == "claimed":
            assert set(store.claim_due(4)) == {COURSE, OTHER}
        client.delete(key)
    client.set(key, "no hash")
    if when == "folded":
        district.change(OTHER)
        district.change(COURSE, "7")
        assert store.aggregate("worker", 100, NO_WAIT).aggregated == 2
        district.time.advance(MAX_WAIT)
    if when != "claimed":
        assert set(store.claim_due(4)) == {COURSE, OTHER}
    taken = store.start_sync(COURSE)
    assert taken is not None
    assert taken[1].assignments_changed
    assert taken[1].unnamed_grades
    assert client.get(f"{key}{SET_ASIDE}") == b"no hash"
    assert store.start_sync(OTHER) is not None


def test_a_taken_key_of_another_type_is_set_aside(district: District, store: SyncQueue, client: redis.Redis) -> None:
    """A course whose taken changes are no hash comes back when its lease ends, with everything to read."""
    store.request(COURSE, ChangeCause.RECONCILE)
    district.time.advance(QUIET)
    assert store.claim_due(4) == [COURSE]
    assert store.start_sync(COURSE) is not None
    client.set(district.keys.taken(COURSE), "no hash")
    store.request(OTHER, ChangeCause.PERSON)
    assert store.claim_due(4) == [OTHER]
    district.time.advance(LEASE_FOR + timedelta(seconds=1))
    assert store.claim_due(4) == [COURSE]
    again = store.start_sync(COURSE)
    assert again is not None
    assert again[1].assignments_changed


def test_numbers_that_are_none_are_ignored(district: District, store: SyncQueue, client: redis.Redis) -> None:
    """Fields of a change set that should be numbers, and causes of a later version, do no harm."""
    store.request(COURSE, ChangeCause.EVENT)
    fields = {"first": "x", "last": b"\xff", "count": "many", "attempts": "x", "failed": "x,1,y", "c:later": "1"}
    client.hset(district.keys.pending(COURSE), mapping=fields)  # type: ignore[arg-type]
    assert store.state_of(COURSE).pending is not None
    district.change(COURSE)
    store.aggregate("worker", 100, NO_WAIT)
    district.time.advance(MAX_WAIT)
    assert store.claim_due(4) == [COURSE]
    taken = store.start_sync(COURSE)
    assert taken is not None
    assert taken[1].causes == {ChangeCause.EVENT}


@pytest.mark.parametrize("name", ["due", "yielding", "claimed", "leased", "courses", "unknown", "heard", "paused"])
def test_a_whole_key_of_another_type_is_set_aside(district: District, store: SyncQueue, name: str) -> None:
    """One of the keys of all courses that has another type is renamed; what comes then is folded and claimed."""
    key = getattr(district.keys, name)
    district.client.set(key, "of another type")
    district.change(COURSE)
    district.send(Change(ChangeKind.GRADE, None, assignment_id="7"))
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 1
    district.time.advance(MAX_WAIT)
    assert store.claim_due(4) == [COURSE]
    assert district.client.get(f"{key}{SET_ASIDE}") == b"of another type"


@pytest.mark.parametrize("stream", list(Stream))
def test_a_stream_of_another_type_is_set_aside(district: District, store: SyncQueue, stream: Stream) -> None:
    """A key of messages that is no stream is renamed, and messages are read from then on."""
    key = district.keys.stream(stream)
    district.client.set(key, "no stream")
    store.aggregate("worker", 100, NO_WAIT)
    district.change(COURSE)
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 1
    assert district.client.get(f"{key}{SET_ASIDE}") == b"no stream"


def test_a_pause_that_nobody_can_read_is_shown_and_resumed(
    district: District, store: SyncQueue, client: redis.Redis
) -> None:
    """Garbage in the hash of pauses holds back nobody else, is listed, and can be removed."""
    client.hset(district.keys.paused, mapping={b"\xff": b"\xfe", "course:102": "no JSON"})  # type: ignore[arg-type]
    store.request(COURSE, ChangeCause.PERSON)
    store.request(OTHER, ChangeCause.PERSON)
    assert store.time_until_next() == NO_WAIT
    assert store.claim_due(4) == [COURSE]
    pauses = Pauses(client, district.keys, SystemClock())
    assert {(pause.target, pause.actor) for pause in pauses.all()} == {
        ("\\xff", UNKNOWN_ACTOR),
        ("course:102", UNKNOWN_ACTOR),
    }
    assert pauses.resume("course:102")
    district.time.advance(CLAIM_FOR)
    assert OTHER in store.claim_due(4)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 6, 7])
def test_a_key_of_the_rate_limiter_of_another_type_is_set_aside(client: redis.Redis, number: int) -> None:
    """A key of what all workers know about a system, of another type, is renamed, and requests go on."""
    keys = Keys()
    gate = RemoteLimiter(client, keys, "powerschool", SystemClock(), timedelta(milliseconds=1), max_in_flight=1)
    key = gate._keys[number]
    client.delete(key)
    client.set(key, "x") if number > 3 else client.lpush(key, "x")
    permit = gate.acquire()
    gate.release(permit, succeeded=True)
    gate.release(gate.acquire(), succeeded=False)


@pytest.mark.parametrize("garbage", ["x", "-1", "1e300", "nan", "inf", ""])
def test_garbage_in_a_rate_is_no_long_wait(client: redis.Redis, garbage: str) -> None:
    """Fields of a learnt rate that are no times, or times beyond bounds, keep nobody from a request for long."""
    keys = Keys()
    client.hset(keys.rate("powerschool"), mapping=dict.fromkeys(["interval", "limit", "good", "calm"], garbage))  # type: ignore[arg-type]
    now = [1_000_000]
    gate = RemoteLimiter(client, keys, "powerschool", SystemClock(), timedelta(milliseconds=1), now_ms=lambda: now[0])
    gate.release(gate.acquire(), succeeded=True)
    now[0] += 60_000
    gate.release(gate.acquire(), succeeded=True)
    rates = {rate.system: rate.interval for rate in system_rates(client, keys, {})}
    assert timedelta(0) <= rates["powerschool"] <= timedelta(seconds=10)
