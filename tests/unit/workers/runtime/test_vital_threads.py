"""A process without one of its vital threads ends, so that its supervisor starts it again."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.redis.client import Lease
from workers.grade_passback.dispatcher import Dispatcher
from workers.runtime.heartbeat import HeartbeatThread
from workers.runtime.jobs import LeaseRenewer

OFTEN = timedelta(milliseconds=5)
PATIENCE_S = 30.0


class Broken:
    """A store whose every method raises what nobody foresaw."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*_: object, **__: object) -> object:
            raise ValueError("broken on purpose")

        return fail


BROKEN: Any = Broken()


def dispatch() -> None:
    Dispatcher(BROKEN, BROKEN.wake, "worker@here:1", 1).start()
    time.sleep(PATIENCE_S)


def renew() -> None:
    renewer = LeaseRenewer(BROKEN.renew, OFTEN)
    renewer.start()
    with renewer.holding(Lease("1", 1)):
        time.sleep(PATIENCE_S)


def beat() -> None:
    HeartbeatThread(BROKEN, "worker@here:1", every=OFTEN).start()
    time.sleep(PATIENCE_S)


@pytest.mark.parametrize("process", [dispatch, renew, beat])
def test_a_dead_vital_thread_ends_its_process(process: Callable[[], None]) -> None:
    """Whether dispatcher, lease renewal or heartbeat failed: the process is asked to stop, not left without it."""
    child = multiprocessing.get_context("spawn").Process(target=process)
    child.start()
    child.join(PATIENCE_S)
    assert child.exitcode == -signal.SIGTERM
