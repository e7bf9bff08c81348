"""The worker's program with one part broken on purpose, named by the environment variable `BROKEN`."""

import os
import threading

from workers.cli import main


def raise_error(*_: object, **__: object) -> None:
    """Raise an unexpected error."""
    raise ValueError("broken on purpose")


def break_it(part: str) -> None:
    """Break the part before the worker starts, or soon after it did."""
    if part == "dispatcher":
        from shared.adapters.redis.sync_queue.store import SyncQueue

        SyncQueue.claim_due = raise_error  # type: ignore[method-assign,assignment]
    elif part == "lease renewal":
        from workers.runtime.jobs import LeaseRenewer

        LeaseRenewer.work = raise_error  # type: ignore[method-assign]
    elif part == "heartbeat":
        from workers.runtime.heartbeat import HeartbeatThread

        HeartbeatThread._send = raise_error  # type: ignore[method-assign]
    elif part == "consumer":
        from celery.worker import state

        threading.Timer(4, lambda: setattr(state, "should_stop", os.EX_OK)).start()


if __name__ == "__main__":
    break_it(os.environ["BROKEN"])
    main()
