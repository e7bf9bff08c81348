"""Leases are renewed while their courses sync, and a lost one is noticed."""

import threading
from datetime import timedelta

import pytest
from redis.exceptions import ConnectionError as ConnectionFailed
from structlog.testing import capture_logs

from shared.adapters.redis.client import RedisUnavailable
from shared.adapters.redis.sync_queue.store import Lease
from shared.clock import ManualClock
from shared.errors import LeaseLost, ServiceUnavailable
from tests.fakes import FakeChanges, whole_turn
from tests.unit.workers.grade_passback.school import NOW
from workers.grade_passback.lease import LeaseRenewer, SyncTimeSlice, write_guard

LEASE_FOR = timedelta(milliseconds=20)
PATIENCE_S = 10.0
MINUTES = timedelta(minutes=5)
SLICE = timedelta(seconds=20)


class WatchedChanges(FakeChanges):
    """A change store that tells when a lease was renewed or found lost some times."""

    def __init__(self, renewals: int) -> None:
        super().__init__()
        self.renewed: list[Lease] = []
        self.missing = renewals
        self.enough = threading.Event()

    def renew(self, lease: Lease) -> None:
        self.missing -= 1
        if self.missing <= 0:
            self.enough.set()
        super().renew(lease)
        self.renewed.append(lease)


def held(changes: WatchedChanges, lease: Lease) -> list[dict[str, object]]:
    """Hold the lease until the store has seen its renewals; return what was logged."""
    keeper = LeaseRenewer(changes, LEASE_FOR)
    with capture_logs() as logs:
        keeper.start()
        with keeper.hold(lease):
            assert changes.enough.wait(PATIENCE_S)
        keeper.stop()
    return [dict(line) for line in logs]


def test_a_held_lease_is_renewed_again_and_again() -> None:
    """While a block holds a lease, it is renewed."""
    changes = WatchedChanges(renewals=3)
    lease = changes.lease("1")
    assert held(changes, lease) == []
    assert set(changes.renewed) == {lease}


def test_a_lost_lease_is_told_once() -> None:
    """A renewal that finds the lease lost writes one warning, and renews no more."""
    changes = WatchedChanges(renewals=4)
    alive, lost = changes.lease("1"), Lease("2", 99)
    keeper = LeaseRenewer(changes, LEASE_FOR)
    with capture_logs() as logs:
        keeper.start()
        with keeper.hold(alive), keeper.hold(lost):
            assert changes.enough.wait(PATIENCE_S)
        keeper.stop()
    assert [(line["event"], line["course_id"]) for line in logs] == [("lease_lost", "2")]
    assert set(changes.renewed) == {alive}


@pytest.mark.parametrize("error", [ConnectionFailed("x"), RedisUnavailable("EVALSHA", ConnectionFailed("x"))])
def test_a_renewal_that_fails_is_tried_again(error: Exception) -> None:
    """A Redis that does not answer once does not end the renewing."""
    changes = WatchedChanges(renewals=3)
    lease = changes.lease("1")
    changes.faults.on("renew", error)
    logs = held(changes, lease)
    assert [(line["event"], line["log_level"]) for line in logs] == [("lease_not_renewed", "warning")]
    assert lease in changes.renewed


def test_a_lease_let_go_is_renewed_no_more() -> None:
    """After its block a lease ends by itself."""
    changes = WatchedChanges(renewals=2)
    first, second = changes.lease("1"), changes.lease("2")
    keeper = LeaseRenewer(changes, LEASE_FOR)
    with keeper.hold(first):
        pass
    keeper.start()
    with keeper.hold(second):
        assert changes.enough.wait(PATIENCE_S)
    keeper.stop()
    assert set(changes.renewed) == {second}


def test_a_late_ending_does_not_let_go_of_the_next_lease() -> None:
    """A sync that lost its course may end while the same process syncs it again: the new lease is still renewed."""
    changes = WatchedChanges(renewals=3)
    keeper = LeaseRenewer(changes, LEASE_FOR)
    old, new = Lease("1", 1), Lease("1", 2)
    changes.leases.add(new)
    with keeper.hold(new):
        with keeper.hold(old):
            pass
        keeper.start()
        assert changes.enough.wait(PATIENCE_S)
    keeper.stop()
    assert set(changes.renewed) == {new}


def test_the_guard_renews() -> None:
    """Each question to the guard renews the lease, so that the write that follows has a whole lease ahead."""
    changes = FakeChanges()
    check = write_guard(changes, changes.lease("1"), whole_turn(ManualClock(NOW), MINUTES))
    check()
    check()
    assert changes.faults.calls["renew"] == 2


def test_the_guard_stops_a_worker_without_its_lease() -> None:
    """A lease that somebody else has stops the write."""
    with pytest.raises(LeaseLost):
        write_guard(FakeChanges(), Lease("1", 1), whole_turn(ManualClock(NOW), MINUTES))()


@pytest.mark.parametrize(("late", "stops"), [(timedelta(0), True), (timedelta(seconds=-1), False)])
def test_the_guard_keeps_the_deadline(late: timedelta, stops: bool) -> None:
    """From its deadline on a sync writes nothing more; the moment before it may."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    check = write_guard(changes, changes.lease("1"), whole_turn(clock, MINUTES))
    clock.advance(MINUTES + late)
    if not stops:
        check()
        return
    with pytest.raises(ServiceUnavailable) as raised:
        check()
    assert (raised.value.cause, raised.value.delay) == ("sync_deadline", timedelta(0))


def test_the_guard_gives_way_to_a_stop() -> None:
    """Once its process is told to stop, a sync writes nothing more and is due again at once."""
    changes = FakeChanges()
    stopping = [False]
    check = write_guard(changes, changes.lease("1"), whole_turn(ManualClock(NOW), MINUTES), lambda: stopping[0])
    check()
    stopping[0] = True
    with pytest.raises(ServiceUnavailable) as raised:
        check()
    assert (raised.value.cause, raised.value.delay) == ("worker_stopping", timedelta(0))


@pytest.mark.parametrize(("others_wait", "gives_way"), [(True, True), (False, False)])
def test_after_its_slice_a_course_gives_way_to_those_that_wait(others_wait: bool, gives_way: bool) -> None:
    """A huge course writes in slices, but only while somebody waits for the thread; it is due again at once."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    time_slice = SyncTimeSlice(clock, NOW + MINUTES, SLICE, lambda: others_wait)
    check = write_guard(changes, changes.lease("1"), time_slice)
    check()
    clock.advance(SLICE - timedelta(milliseconds=1))
    check()
    clock.advance(timedelta(milliseconds=1))
    if not gives_way:
        check()
        return
    with pytest.raises(ServiceUnavailable) as raised:
        check()
    assert (raised.value.cause, raised.value.delay) == ("sync_slice", timedelta(0))


def test_a_slice_begins_with_the_first_write() -> None:
    """A course that took long to read still writes in its turn, so that it gets on however many wait."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    check = write_guard(changes, changes.lease("1"), SyncTimeSlice(clock, NOW + MINUTES, SLICE, lambda: True))
    clock.advance(2 * SLICE)
    check()
    assert changes.faults.calls["renew"] == 1
