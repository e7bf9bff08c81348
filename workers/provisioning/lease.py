"""Keeping the lease of provisioning alive while one of its steps takes long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.provisioning.runs import ProvisionRuns, RunLease
from shared.errors import LeaseLost
from shared.log_events import LogEvent
from workers.runtime.vital_threads import VitalThread

log = structlog.get_logger()


@contextmanager
def renewing_lease(runs: ProvisionRuns, lease: RunLease, lease_for: timedelta) -> Iterator[None]:
    """Renew the lease inside the block, often enough that only a dead process loses it."""
    ended = threading.Event()
    every_s = lease_for.total_seconds() / 4
    thread = VitalThread(target=_renew, args=(runs, lease, every_s, ended), name="run-lease")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=every_s + 1)


def _renew(runs: ProvisionRuns, lease: RunLease, every_s: float, ended: threading.Event) -> None:
    while not ended.wait(every_s):
        try:
            runs.renew(lease)
        except LeaseLost:
            # The step under way finds out by itself when it keeps what it did.
            return
        except RedisError as error:
            log.warning(LogEvent.PROVISION_TICK_ERROR, cause=f"lease_not_renewed_{type(error).__name__}")
