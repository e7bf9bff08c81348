"""Leases are renewed while their holders work, and a lost one is noticed."""

import threading
from datetime import timedelta

import pytest
from redis.exceptions import ConnectionError as ConnectionFailed
from structlog.testing import capture_logs

from shared.adapters.redis.client import Lease, RedisUnavailable
from tests.fakes import FakeChanges
from workers.runtime.jobs import LeaseRenewer, renewing

LEASE_FOR = timedelta(milliseconds=20)
PATIENCE_S = 10.0


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
    renewer = LeaseRenewer(changes.renew, LEASE_FOR)
    with capture_logs() as logs:
        renewer.start()
        with renewer.holding(lease):
            assert changes.enough.wait(PATIENCE_S)
        renewer.stop()
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
    renewer = LeaseRenewer(changes.renew, LEASE_FOR)
    with capture_logs() as logs:
        renewer.start()
        with renewer.holding(alive), renewer.holding(lost):
            assert changes.enough.wait(PATIENCE_S)
        renewer.stop()
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
    renewer = LeaseRenewer(changes.renew, LEASE_FOR)
    with renewer.holding(first):
        pass
    renewer.start()
    with renewer.holding(second):
        assert changes.enough.wait(PATIENCE_S)
    renewer.stop()
    assert set(changes.renewed) == {second}


def test_a_job_that_hangs_loses_its_lease() -> None:
    """Once the longest time of a job has passed its lease is renewed no more, which is a warning; others are."""
    changes = WatchedChanges(renewals=3)
    hanging, working = changes.lease("1"), changes.lease("2")
    renewer = LeaseRenewer(changes.renew, LEASE_FOR)
    with (
        capture_logs() as logs,
        renewer.holding(hanging, timedelta(0)),
        renewer.holding(working, timedelta(hours=1)),
    ):
        renewer.start()
        assert changes.enough.wait(PATIENCE_S)
        renewer.stop()
    assert [(line["event"], line["course_id"], line["error"]) for line in logs] == [
        ("lease_not_renewed", "1", "sync_deadline")
    ]
    assert set(changes.renewed) == {working}


def test_a_late_ending_does_not_let_go_of_the_next_lease() -> None:
    """A sync that lost its course may end while the same process syncs it again: the new lease is still renewed."""
    changes = WatchedChanges(renewals=3)
    renewer = LeaseRenewer(changes.renew, LEASE_FOR)
    old, new = Lease("1", 1), Lease("1", 2)
    changes.leases.add(new)
    with renewer.holding(new):
        with renewer.holding(old):
            pass
        renewer.start()
        assert changes.enough.wait(PATIENCE_S)
    renewer.stop()
    assert set(changes.renewed) == {new}


def test_one_lease_is_renewed_by_a_thread_of_its_own() -> None:
    """Provisioning holds one lease at a time; an unanswered renewal is logged and tried again."""
    renewed = threading.Event()
    answers = iter([ConnectionFailed("x")])

    def renew(_: Lease) -> None:
        error = next(answers, None)
        if error is not None:
            raise error
        renewed.set()

    with capture_logs() as logs, renewing(renew, Lease("", 7), LEASE_FOR):
        assert renewed.wait(PATIENCE_S)
    assert [(line["event"], line["token"]) for line in logs] == [("lease_not_renewed", 7)]
