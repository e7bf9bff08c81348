"""A sync writes only while it has its lease and may go on."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.adapters.redis.client import Lease
from shared.errors import LeaseLost, ServiceUnavailable
from tests.fakes import FakeChanges, write_check
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import NOW
from workers.grade_passback.sync_job import SyncLimits

MINUTES = timedelta(minutes=5)
SLICE = timedelta(seconds=20)


def limits(changes: FakeChanges, clock: ManualClock, **checks: Callable[[], bool]) -> SyncLimits:
    """Return the limits of a sync that just took its lease."""
    return SyncLimits(changes, changes.lease("1"), clock, NOW + MINUTES, SLICE, **checks)  # type: ignore[arg-type]


def test_the_guard_renews() -> None:
    """Each question to the guard renews the lease, so that the write that follows has a whole lease ahead."""
    changes = FakeChanges()
    check = write_check(changes, changes.lease("1"), ManualClock(NOW), MINUTES)
    check()
    check()
    assert changes.faults.calls["renew"] == 2


def test_the_guard_stops_a_worker_without_its_lease() -> None:
    """A lease that somebody else has stops the write."""
    with pytest.raises(LeaseLost):
        write_check(FakeChanges(), Lease("1", 1), ManualClock(NOW), MINUTES)()


@pytest.mark.parametrize(("late", "stops"), [(timedelta(0), True), (timedelta(seconds=-1), False)])
def test_the_guard_keeps_the_deadline(late: timedelta, stops: bool) -> None:
    """From its deadline on a sync writes nothing more; the moment before it may."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    check = write_check(changes, changes.lease("1"), clock, MINUTES)
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
    check = limits(changes, ManualClock(NOW), stopping=lambda: stopping[0]).check_write
    check()
    stopping[0] = True
    with pytest.raises(ServiceUnavailable) as raised:
        check()
    assert (raised.value.cause, raised.value.delay) == ("worker_stopping", timedelta(0))


@pytest.mark.parametrize(("others_wait", "gives_way"), [(True, True), (False, False)])
def test_after_its_slice_a_course_gives_way_to_those_that_wait(others_wait: bool, gives_way: bool) -> None:
    """A huge course writes in slices, but only while somebody waits for the thread; it is due again at once."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    check = limits(changes, clock, others_wait=lambda: others_wait).check_write
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
    check = limits(changes, clock, others_wait=lambda: True).check_write
    clock.advance(2 * SLICE)
    check()
    assert changes.faults.calls["renew"] == 1


def test_a_write_that_had_to_wait_needs_the_lease() -> None:
    """It is sent though its slice is over by then, with a renewed lease; without the lease it is not sent."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    limited = limits(changes, clock, others_wait=lambda: True)
    limited.check_write()
    clock.advance(2 * SLICE)
    limited.request_context().check_write()
    assert changes.faults.calls["renew"] == 2
    changes.leases.clear()
    with pytest.raises(LeaseLost):
        limited.request_context().check_write()


@pytest.mark.parametrize("check", ["check_wait", "check_write"])
def test_nothing_waits_beyond_the_deadline(check: str) -> None:
    """Neither a read nor a write; what is under way may end."""
    changes, clock = FakeChanges(), ManualClock(NOW)
    context = limits(changes, clock).request_context()
    clock.advance(MINUTES - SLICE)
    assert context.max_wait() == SLICE
    getattr(context, check)()
    clock.advance(2 * SLICE)
    assert context.max_wait() == timedelta(0)
    with pytest.raises(ServiceUnavailable) as raised:
        getattr(context, check)()
    assert (raised.value.cause, raised.value.delay) == ("sync_deadline", timedelta(0))
    context.check_stop()


@pytest.mark.parametrize("check", ["check_wait", "check_write", "check_stop"])
def test_every_request_gives_way_to_a_stop(check: str) -> None:
    """Whether it waits, would be sent or is under way: the process ends soon, and the course is due at once."""
    stopping = [False]
    context = limits(FakeChanges(), ManualClock(NOW), stopping=lambda: stopping[0]).request_context()
    getattr(context, check)()
    stopping[0] = True
    with pytest.raises(ServiceUnavailable) as raised:
        getattr(context, check)()
    assert (raised.value.cause, raised.value.delay) == ("worker_stopping", timedelta(0))
