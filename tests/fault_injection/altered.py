"""passback's own program with something altered on purpose: its clock, its constants, or a defect to be found.

    python -m tests.fault_injection.altered --ahead-min=40 worker
    python -m tests.fault_injection.altered --defect=writes_without_lease worker
    python -m tests.fault_injection.altered --constant=shared.adapters.redis.sync_queue.store:LEASE_DURATION=3 worker

A suite must find these defects, or finding nothing proves nothing.
"""

import argparse
import contextlib
import importlib
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import shared.clock
from shared.errors import LeaseLost


def put_clock_ahead(by: timedelta) -> None:
    """Set this process's time ahead: passback's clock, and Python's, which Celery uses."""
    python_time, own = time.time, shared.clock.SystemClock.now

    def now(clock: shared.clock.SystemClock) -> datetime:
        return own(clock) + by

    time.time = lambda: python_time() + by.total_seconds()
    shared.clock.SystemClock.now = now  # type: ignore[method-assign]


def set_constant(assignment: str) -> None:
    """Give a constant another value: `module:NAME=number`, in seconds where the constant is a duration.

    The module must not be imported yet: later imports of the name get the new value.
    """
    target, _, number = assignment.partition("=")
    module_name, _, name = target.partition(":")
    module = importlib.import_module(module_name)
    kind = type(getattr(module, name))
    setattr(module, name, timedelta(seconds=float(number)) if kind is timedelta else kind(number))


def writes_without_lease() -> None:
    """Let a worker continue to write after another one has leased its course."""
    from shared.adapters.redis.client import Lease
    from shared.adapters.redis.sync_queue.store import SyncQueue

    renew = SyncQueue.renew

    def renew_or_not(store: SyncQueue, lease: Lease) -> None:
        with contextlib.suppress(LeaseLost):
            renew(store, lease)

    SyncQueue.renew = renew_or_not  # type: ignore[method-assign]


def swallows_changes_during_a_sync() -> None:
    """Delete, at the end of a sync, the changes that arrived while it ran."""
    from shared.adapters.redis.client import Lease
    from shared.adapters.redis.sync_queue.store import SyncQueue

    release = SyncQueue.release

    def release_and_delete(store: SyncQueue, lease: Lease) -> bool:
        held = release(store, lease)
        keys = store._keys
        store._redis.delete(keys.pending(lease.course_id))
        for queue in (keys.due, keys.yielding):
            store._redis.zrem(queue, lease.course_id)
        return held

    SyncQueue.release = release_and_delete  # type: ignore[method-assign]


def forgets_work_of_outages() -> None:
    """Record a sync during an outage as done."""
    from shared.adapters.redis.client import Lease
    from shared.adapters.redis.sync_queue.store import SyncQueue

    def release_instead(store: SyncQueue, lease: Lease, _delay: timedelta, _attempts: int, _cause: str = "") -> bool:
        return store.release(lease)

    SyncQueue.reschedule = release_instead  # type: ignore[method-assign]


def drops_the_last_row() -> None:
    """Leave the last row out of every batch of scores that has several."""
    from shared.adapters.powerschool.gradebook.client import Gradebook
    from shared.ports.passback import ScoreRow

    put = Gradebook.write_scores

    def put_some(gradebook: Gradebook, users_dcid: int, rows: list[ScoreRow]) -> None:
        put(gradebook, users_dcid, rows[:-1] or rows)

    Gradebook.write_scores = put_some  # type: ignore[method-assign,assignment]


DEFECTS: dict[str, Callable[[], None]] = {
    defect.__name__: defect
    for defect in (
        writes_without_lease,
        swallows_changes_during_a_sync,
        forgets_work_of_outages,
        drops_the_last_row,
    )
}


def main() -> None:
    """Alter, then run `passback` with the remaining arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ahead-min", type=float, default=0, help="how many minutes this process's clock is ahead")
    parser.add_argument("--defect", choices=sorted(DEFECTS), help="what to break")
    parser.add_argument("--constant", action="append", default=[], help="module:NAME=number")
    wanted, arguments = parser.parse_known_args()
    for assignment in wanted.constant:
        set_constant(assignment)
    if wanted.ahead_min:
        put_clock_ahead(timedelta(minutes=wanted.ahead_min))
    if wanted.defect:
        DEFECTS[wanted.defect]()
    from workers.cli import main as passback

    sys.argv = ["passback", *arguments]
    passback()


if __name__ == "__main__":
    main()
