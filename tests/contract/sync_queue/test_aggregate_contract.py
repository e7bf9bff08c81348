"""The contract of `fold`: every message is folded, remembered as unknown, or kept as malformed; none is lost."""

from datetime import timedelta

import pytest
from redis.exceptions import ResponseError
from stores_under_test import CLAIM_FOR, NO_WAIT, QUIET, District

from shared.adapters.redis.client import load_script
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.sync_queue.store import QueueState, SyncQueue
from shared.adapters.redis.sync_queue.streams import AggregateResult, UnknownChanges
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord
from shared.queues import CONSUMER_GROUP, Stream

COURSE = "101"


def folded_changes(store: SyncQueue, course_id: str = COURSE) -> int:
    pending = store.state_of(course_id).pending
    return 0 if pending is None else pending.count


def tend(district: District, stream: str, kept_ms: int = 0, kept_entries: int = 0) -> None:
    """Drop all the history, and every consumer, that may be dropped."""
    load_script(district.client, "sync_queue/trim_stream")(
        keys=[stream], args=[CONSUMER_GROUP, kept_ms, kept_entries, -1]
    )


def test_both_streams_are_read(district: District, store: SyncQueue) -> None:
    """Grade changes and assignment changes of a course fold into one change set."""
    district.send(Change(ChangeKind.GRADE, COURSE, assignment_id="7"))
    district.send(Change(ChangeKind.ASSIGNMENT, COURSE, ChangeCause.WEBHOOK, assignment_id="8"))
    assert store.aggregate("worker", 100, NO_WAIT) == AggregateResult(aggregated=2, unknown=0, malformed=0)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.causes == {ChangeCause.EVENT, ChangeCause.WEBHOOK}
    assert pending.assignment_ids == {"7", "8"}
    assert pending.assignments_changed


def test_a_grade_alone_changes_no_assignment(district: District, store: SyncQueue) -> None:
    """What a change set says of its messages' kinds decides what a sync may take from memory."""
    district.send(Change(ChangeKind.GRADE, COURSE, assignment_id="7"))
    store.aggregate("worker", 100, NO_WAIT)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.only_grades


def test_graded_assignments_are_named(district: District, store: SyncQueue) -> None:
    """Whose scores may have changed is known as long as every grade names its assignment."""
    district.send(Change(ChangeKind.GRADE, COURSE, assignment_id="7"))
    district.send(Change(ChangeKind.GRADE, COURSE, ChangeCause.WEBHOOK, assignment_id="8"))
    store.aggregate("worker", 100, NO_WAIT)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.changed_assignment_ids == {"7", "8"}
    district.send(Change(ChangeKind.GRADE, COURSE, ChangeCause.WEBHOOK))
    store.aggregate("worker", 100, NO_WAIT)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.changed_assignment_ids is None
    assert pending.only_grades


def test_more_graded_assignments_than_are_kept_are_any(district: District, store: SyncQueue) -> None:
    """A change set is bounded: beyond, it does not say any more which assignments were graded."""
    for number in range(600):
        district.send(Change(ChangeKind.GRADE, COURSE, assignment_id=str(number % 400)))
    store.aggregate("worker", 1_000, NO_WAIT)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.changed_assignment_ids == {str(number) for number in range(400)}
    for number in range(400, 600):
        district.send(Change(ChangeKind.GRADE, COURSE, assignment_id=str(number)))
    store.aggregate("worker", 1_000, NO_WAIT)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.changed_assignment_ids is None


@pytest.mark.parametrize(
    "change",
    [Change(ChangeKind.ASSIGNMENT, COURSE), Change(ChangeKind.GRADE, COURSE)],
    ids=["a changed assignment", "an unnamed grade"],
)
def test_work_given_back_still_knows_what_to_read(district: District, store: SyncQueue, change: Change) -> None:
    """A sync that is put off does not lose why it has to read everything, nor what was graded."""
    district.send(change)
    district.send(Change(ChangeKind.GRADE, COURSE, assignment_id="7"))
    store.aggregate("worker", 100, NO_WAIT)
    district.time.advance(QUIET)
    store.claim_due(1)
    taken = store.start_sync(COURSE)
    assert taken is not None
    store.reschedule(taken[0], NO_WAIT, attempts=0)
    pending = store.state_of(COURSE).pending
    assert pending is not None
    assert pending.changed_assignment_ids is None
    assert (pending.assignments_changed, pending.assignment_ids) == (taken[1].assignments_changed, {"7"})


def test_an_empty_stream_is_no_failure(store: SyncQueue) -> None:
    """Where nothing was ever sent there is nothing to fold, and waiting for it ends."""
    assert store.aggregate("worker", 100, timedelta(milliseconds=5)) == AggregateResult(0, 0, 0)
    assert store.pending_messages() == 0


def test_messages_from_before_the_first_worker_count(district: District, store: SyncQueue) -> None:
    """What receivers wrote before any worker ever started is folded."""
    district.change(COURSE)
    assert store.pending_messages() == 1
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 1
    assert store.pending_messages() == 0


def test_no_message_is_folded_twice(district: District, store: SyncQueue) -> None:
    """Two processes share the messages, and what was folded is not read again."""
    district.change(COURSE)
    store.aggregate("worker", 100, NO_WAIT)
    assert district.process().aggregate("other", 100, NO_WAIT).aggregated == 0
    assert district.process().aggregate("worker", 100, NO_WAIT).aggregated == 0
    assert folded_changes(store) == 1


def test_folding_goes_on_in_portions(district: District, store: SyncQueue) -> None:
    """More messages than asked for are left for the next reading."""
    for _ in range(25):
        district.change(COURSE)
    results = [store.aggregate("worker", 20, NO_WAIT).aggregated for _ in range(4)]
    assert results == [10, 10, 5, 0]
    assert folded_changes(store) == 25


def test_a_process_that_read_and_died_reads_again(district: District, store: SyncQueue) -> None:
    """Messages read but not folded are folded when the process starts again, in portions and before newer ones."""
    store.aggregate("worker", 100, NO_WAIT)
    for _ in range(3):
        district.change(COURSE)
    district.read_and_die("worker")
    district.change(COURSE)
    again = district.process()
    assert [again.aggregate("worker", 4, NO_WAIT).aggregated for _ in range(4)] == [2, 1, 1, 0]


def test_a_failed_folding_is_made_up_for(district: District, store: SyncQueue) -> None:
    """Messages whose folding failed in a process that lives on are folded at its next try."""
    store.aggregate("worker", 100, NO_WAIT)
    district.change(COURSE)
    in_the_way = district.keys.last_event
    district.client.delete(in_the_way)
    district.client.lpush(in_the_way, "of another type")
    with pytest.raises(ResponseError):
        store.aggregate("worker", 100, NO_WAIT)
    district.client.delete(in_the_way)
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 1


def test_a_dead_workers_messages_are_adopted(district: District, store: SyncQueue) -> None:
    """What a process read and left is folded by another once it was idle for longer than a claim lasts."""
    store.aggregate("worker", 100, NO_WAIT)
    district.change(COURSE)
    district.read_and_die("dead")
    district.let_idle("dead", CLAIM_FOR / 2)
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 0
    district.let_idle("dead", CLAIM_FOR * 2)
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 1
    assert store.pending_messages() == 0


def test_consumers_that_are_gone_are_forgotten(district: District, store: SyncQueue) -> None:
    """A silent consumer is dropped, unless it left something unacknowledged."""
    store.aggregate("gone", 100, NO_WAIT)
    district.change(COURSE)
    district.read_and_die("dead")
    stream = district.keys.stream(Stream.GRADE_CHANGES)
    tend(district, stream)
    names = {consumer["name"] for consumer in district.client.xinfo_consumers(stream, CONSUMER_GROUP)}
    assert names == {b"dead"}


def test_no_history_hides_what_is_still_to_be_read(district: District, store: SyncQueue) -> None:
    """However old, a message is dropped neither before it was read nor before it was folded."""
    store.aggregate("worker", 100, NO_WAIT)
    for _ in range(150):
        district.change(COURSE)
    district.read_and_die("worker")
    for _ in range(150):
        district.change(COURSE)
    tend(district, district.keys.stream(Stream.GRADE_CHANGES))
    again = district.process()
    assert [again.aggregate("worker", 1000, NO_WAIT).aggregated for _ in range(2)] == [150, 150]


@pytest.mark.parametrize(("kept_ms", "kept_entries"), [(0, 10**6), (10**12, 0)])
def test_history_is_bounded(district: District, store: SyncQueue, kept_ms: int, kept_entries: int) -> None:
    """Folded messages are dropped by their age and by their number."""
    for _ in range(300):
        district.change(COURSE)
    store.aggregate("worker", 1000, NO_WAIT)
    stream = district.keys.stream(Stream.GRADE_CHANGES)
    tend(district, stream, kept_ms, kept_entries)
    assert district.client.xlen(stream) <= 100


def test_recent_history_is_kept(district: District, store: SyncQueue) -> None:
    """Folded messages of the last day stay readable, so that events can be replayed from a point in time."""
    seconds, _ = district.client.time()
    district.time.ms = seconds * 1000
    for _ in range(300):
        district.change(COURSE)
    store.aggregate("worker", 1000, NO_WAIT)
    district.client.delete(district.keys.streams_tended)
    store.aggregate("worker", 1000, NO_WAIT)
    assert district.client.xlen(district.keys.stream(Stream.GRADE_CHANGES)) == 300


def test_malformed_messages_are_kept_aside(district: District, store: SyncQueue) -> None:
    """A message nobody can read is kept as it came, acknowledged, and holds up no other."""
    district.send_broken({b"c": b"\xff\x00", b"u": b"event"})
    district.change(COURSE)
    assert store.aggregate("worker", 100, NO_WAIT) == AggregateResult(aggregated=1, unknown=0, malformed=1)
    assert store.pending_messages() == 0
    [(_, kept)] = district.client.xrange(district.keys.malformed)
    assert kept[b"f:c"] == b"\xff\x00"
    assert kept[b"stream"] == district.keys.stream(Stream.GRADE_CHANGES).encode()


def test_a_deleted_message_does_not_stop_the_reader(district: District, store: SyncQueue) -> None:
    """A message that was read, left, and deleted by hand is acknowledged as malformed."""
    store.aggregate("worker", 100, NO_WAIT)
    district.change(COURSE)
    district.read_and_die("worker")
    stream = district.keys.stream(Stream.GRADE_CHANGES)
    district.client.xtrim(stream, maxlen=0, approximate=False)
    again = district.process()
    assert again.aggregate("worker", 100, NO_WAIT).aggregated == 0
    assert again.aggregate("worker", 100, NO_WAIT) == AggregateResult(0, 0, 0)


def test_a_change_without_a_course_finds_it(district: District, store: SyncQueue) -> None:
    """A change that names only an assignment or a section is folded into the course that is known for it."""
    record = CourseRecord(COURSE, district.time.now, (AssignmentRecord("7", "Lab", ()),))
    CourseStates(district.client, district.keys).save(record, canvas_section_ids=["55"])
    district.send(Change(ChangeKind.ASSIGNMENT, None, assignment_id="7"))
    district.send(Change(ChangeKind.GRADE, None, section_id="55"))
    assert store.aggregate("worker", 100, NO_WAIT) == AggregateResult(aggregated=2, unknown=0, malformed=0)
    assert folded_changes(store) == 2


def test_a_change_of_unknown_course_is_remembered(district: District, store: SyncQueue) -> None:
    """A change whose course cannot be told is counted once however often it is heard, as of the last time."""
    unknown = UnknownChanges(district.client, district.keys)
    district.send(Change(ChangeKind.GRADE, None, assignment_id="7", section_id="8"))
    district.send(Change(ChangeKind.GRADE, None, section_id="8"))
    district.send(Change(ChangeKind.GRADE, None, enrollment_id="9"))
    assert store.aggregate("worker", 100, NO_WAIT) == AggregateResult(aggregated=0, unknown=3, malformed=0)
    assert (unknown.count(), unknown.oldest_at()) == (3, district.time.now)
    district.time.advance(QUIET)
    district.send(Change(ChangeKind.GRADE, None, enrollment_id="9"))
    store.aggregate("worker", 100, NO_WAIT)
    assert unknown.count() == 3
    assert unknown.discard_before(district.time.now) == 2
    assert unknown.oldest_at() == district.time.now


def test_what_was_heard_last_counts(district: District, store: SyncQueue) -> None:
    """A message that is folded after a newer one does not make the newer one older."""
    store.aggregate("worker", 100, NO_WAIT)
    district.send(Change(ChangeKind.GRADE, None, enrollment_id="9"))
    district.read_and_die("other")
    district.time.advance(QUIET)
    district.send(Change(ChangeKind.GRADE, None, enrollment_id="9"))
    store.aggregate("worker", 100, NO_WAIT)
    assert district.process().aggregate("other", 100, NO_WAIT).unknown == 1
    assert UnknownChanges(district.client, district.keys).oldest_at() == district.time.now
    assert store.last_event_at() == district.time.now


def test_a_changed_course_is_connected(district: District, store: SyncQueue) -> None:
    """Reconciliation visits every course that was ever heard of, those never synced first."""
    district.change(COURSE)
    store.aggregate("worker", 100, NO_WAIT)
    assert CourseStates(district.client, district.keys).least_recently_visited(district.time.now, 10) == [COURSE]


def test_silence_can_be_noticed(district: District, store: SyncQueue) -> None:
    """The last event's time is when the newest message was sent, whenever it is folded."""
    sent = district.time.now
    district.change(COURSE)
    district.time.advance(timedelta(hours=1))
    store.aggregate("worker", 100, NO_WAIT)
    assert store.last_event_at() == sent


def test_a_redis_that_lost_everything_is_used_again(district: District, store: SyncQueue) -> None:
    """After Redis was emptied, folding goes on without a restart."""
    district.change(COURSE)
    store.aggregate("worker", 100, NO_WAIT)
    district.client.flushall()
    district.time.advance(QUIET)
    district.change(COURSE)
    assert store.aggregate("worker", 100, NO_WAIT).aggregated == 1


def test_a_redis_that_forgot_the_scripts_is_taught_again(district: District, store: SyncQueue) -> None:
    """After a restart of Redis the scripts are loaded once more."""
    store.request(COURSE, ChangeCause.PERSON)
    district.client.script_flush()
    assert store.claim_due(1) == [COURSE]
    assert store.state_of(COURSE).queue_state is QueueState.CLAIMED
