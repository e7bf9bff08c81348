"""Whatever dies whenever: no change is lost, no course is synced twice at once, and waiting is bounded.

Source: product promises "No lost change", "Never stale over fresh", "A change during a sync is not swallowed",
"Bounded wait".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from stores_under_test import CLAIM_FOR, FIRST_CHANGE, LEASE_FOR, MAX_WAIT, NO_WAIT, District

from shared.adapters.redis.client import Lease
from shared.adapters.redis.sync_queue.store import QueueState
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.errors import LeaseLost

COURSES = ("1", "2", "3")
WORKERS = ("worker-a", "worker-b")
AGES = timedelta(days=1)

course_ids = st.sampled_from(COURSES)
workers = st.sampled_from(WORKERS)
delays = st.integers(0, 20_000).map(lambda ms: timedelta(milliseconds=ms))


@dataclass
class Holder:
    """A worker that took a course: still working, or long dead and about to come back."""

    lease: Lease
    ends_at: datetime
    took_everything_until: int
    heard_meanwhile: bool = False


class Lifetimes(RuleBasedStateMachine):
    """Two workers and their messages, in any order, each step of which may be the last one of its process.

    Changes and requests are numbered. A course is settled up to the number that had been given out when it was
    taken for a sync that was then released.
    """

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        client.flushall()
        self.district = District(client, first_change=FIRST_CHANGE)
        self.processes = {worker: self.district.process() for worker in WORKERS}
        self.store = self.district.process()
        self.given_out = 0
        self.last_change = dict.fromkeys(COURSES, 0)
        self.settled = dict.fromkeys(COURSES, 0)
        self.holders: list[Holder] = []
        self.last_token = 0
        self.aggregate("worker-a")

    @property
    def now(self) -> datetime:
        return self.district.time.now

    @rule(course_id=course_ids, kind=st.sampled_from(ChangeKind), copies=st.integers(1, 3))
    def change(self, course_id: str, kind: ChangeKind, copies: int) -> None:
        self._number(course_id)
        for _ in range(copies):
            self.district.send(Change(kind, course_id))

    @rule(course_id=course_ids, cause=st.sampled_from([ChangeCause.PERSON, ChangeCause.RECONCILE]))
    def request(self, course_id: str, cause: ChangeCause) -> None:
        self._number(course_id)
        self.store.request(course_id, cause)
        self._heard(course_id)

    @rule(worker=workers, limit=st.sampled_from([2, 4, 100]))
    def aggregate(self, worker: str, limit: int = 100) -> None:
        before = self._counts()
        self.processes[worker].aggregate(worker, limit, NO_WAIT)
        for course_id, count in self._counts().items():
            if count != before[course_id]:
                self._heard(course_id)

    @rule(worker=workers)
    def die_between_reading_and_folding(self, worker: str) -> None:
        self.district.read_and_die(worker)
        self.processes[worker] = self.district.process()

    @rule(worker=workers)
    def stay_dead(self, worker: str) -> None:
        self.district.let_idle(worker, CLAIM_FOR * 2)

    @rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        """Claim and send no wake-up: `wake` takes courses whether or not one was sent."""
        claimed = self.store.counts().claimed
        for course_id in self.store.claim_due(limit):
            assert self._live(course_id) is None
        assert self.store.counts().claimed <= max(limit, claimed)

    @rule(course_id=course_ids)
    def wake(self, course_id: str) -> None:
        taken = self.store.start_sync(course_id)
        if taken is None:
            return
        lease, _ = taken
        assert self._live(course_id) is None
        assert lease.token > self.last_token
        self.last_token = lease.token
        self.holders.append(Holder(lease, self.now + LEASE_FOR, self.given_out))

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        holder = data.draw(st.sampled_from(self.holders))
        if self._is_live(holder):
            self.store.renew(holder.lease)
            holder.ends_at = self.now + LEASE_FOR
        else:
            with pytest.raises(LeaseLost):
                self.store.renew(holder.lease)

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        holder = data.draw(st.sampled_from(self.holders))
        alive = self._is_live(holder)
        assert self.store.release(holder.lease) == alive
        self.holders.remove(holder)
        if alive:
            course_id = holder.lease.course_id
            self.settled[course_id] = holder.took_everything_until
            expected = QueueState.DUE if holder.heard_meanwhile else QueueState.IDLE
            assert self.store.state_of(course_id).queue_state is expected

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), delay=delays, attempts=st.integers(0, 5))
    def put_off(self, data: st.DataObject, delay: timedelta, attempts: int) -> None:
        holder = data.draw(st.sampled_from(self.holders))
        alive = self._is_live(holder)
        assert self.store.reschedule(holder.lease, delay, attempts) == alive
        self.holders.remove(holder)
        if alive:
            assert self.store.state_of(holder.lease.course_id).queue_state is QueueState.DUE

    @rule(duration=delays)
    def wait(self, duration: timedelta) -> None:
        self.district.time.advance(duration)

    @invariant()
    def every_course_is_in_one_place(self) -> None:
        keys, client = self.district.keys, self.district.client
        queues = (keys.due, keys.yielding, keys.claimed, keys.leased)
        prompt, yielding, claimed, leased = (set(client.zrange(key, 0, -1)) for key in queues)
        due = prompt | yielding
        hashes = set(client.keys(keys.pending("*"))) | set(client.keys(keys.taken("*")))
        pending = {course_id.encode() for course_id in COURSES if keys.pending(course_id).encode() in hashes}
        taken = {course_id.encode() for course_id in COURSES if keys.taken(course_id).encode() in hashes}
        assert len(due | claimed | leased) == len(prompt) + len(yielding) + len(claimed) + len(leased)
        assert taken == leased
        assert due | claimed == pending - leased

    @invariant()
    def waiting_is_bounded(self) -> None:
        for course_id, due_at, first_at, *_ in self.store.waiting(len(COURSES)):
            fields = self.district.client.hkeys(self.district.keys.pending(course_id))
            assert due_at <= first_at + MAX_WAIT or (b"not_before" in fields and b"now" not in fields)

    def teardown(self) -> None:
        """When the dust settles every change is settled, and nothing is left."""
        for _ in range(3):
            for worker in WORKERS:
                self.district.let_idle(worker, CLAIM_FOR * 2)
            self.store.aggregate("survivor", 1000, NO_WAIT)
            self.district.time.advance(AGES)
            for course_id in self.store.claim_due(len(COURSES)):
                self.wake(course_id)
                lease = self.holders[-1].lease
                self.settled[course_id] = self.given_out
                assert self.store.release(lease)
        assert self.store.pending_messages() == 0
        assert self.store.counts() == (0, 0, 0)
        assert all(self.settled[course_id] >= self.last_change[course_id] for course_id in COURSES)

    def _number(self, course_id: str) -> None:
        self.given_out += 1
        self.last_change[course_id] = self.given_out

    def _counts(self) -> dict[str, int]:
        pending = {course_id: self.store.state_of(course_id).pending for course_id in COURSES}
        return {course_id: changes.count if changes else 0 for course_id, changes in pending.items()}

    def _heard(self, course_id: str) -> None:
        holder = self._live(course_id)
        if holder is not None:
            holder.heard_meanwhile = True

    def _is_live(self, holder: Holder) -> bool:
        return self.now < holder.ends_at

    def _live(self, course_id: str) -> Holder | None:
        return next((h for h in self.holders if h.lease.course_id == course_id and self._is_live(h)), None)


def test_no_change_is_lost_whatever_dies(client: redis.Redis) -> None:
    """In any order of messages, wake-ups, deaths and returns of the dead, every promise of the debounce holds."""
    run_state_machine_as_test(
        lambda: Lifetimes(client),
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            phases=[Phase.generate, Phase.shrink],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
