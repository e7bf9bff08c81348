"""The dispatcher wakes workers for due courses, and a Redis that goes away loses nothing."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as ConnectionFailed
from structlog.testing import capture_logs

from shared.adapters.redis.client import RedisUnavailable
from tests.fakes import FakeChanges
from workers.grade_passback.dispatcher import MAX_BLOCK, MIN_BLOCK, Dispatcher

GONE = ConnectionFailed("refused")
PATIENCE_S = 10


def dispatcher(changes: FakeChanges, wake: Callable[[str], None], max_claims: int = 10) -> Dispatcher:
    pause = timedelta(milliseconds=5)
    return Dispatcher(changes, wake, "worker", max_claims, pause_after_failure=pause)


def test_messages_wake_each_course_once() -> None:
    """Many messages about two courses wake a worker twice."""
    changes, woken = FakeChanges(messages=["1", "2", "1", "1"]), []
    assert dispatcher(changes, woken.append).run_once() == 2
    assert woken == ["1", "2"]


def test_no_more_is_claimed_than_workers_can_take() -> None:
    """Courses beyond the limit stay due, visible to every other process."""
    changes, woken = FakeChanges(due=["1", "2", "3"]), []
    one = dispatcher(changes, woken.append, max_claims=2)
    assert (one.run_once(), one.run_once()) == (2, 0)
    assert changes.due == ["3"]


@pytest.mark.parametrize("method", ["aggregate", "claim_due"])
def test_a_step_that_redis_interrupts_loses_nothing(method: str) -> None:
    """What a failed step left is done by the next one."""
    changes, woken = FakeChanges(messages=["1", "2"]), []
    changes.faults.on(method, GONE)
    one = dispatcher(changes, woken.append)
    with pytest.raises(ConnectionFailed):
        one.run_once()
    one.run_once()
    assert woken == ["1", "2"]


def test_a_wake_up_that_cannot_be_sent_is_sent_again() -> None:
    """A course that was claimed and not woken is due again once its claim ends."""
    changes, woken = FakeChanges(due=["1", "2"]), []
    one = dispatcher(changes, _failing_once(woken))
    with pytest.raises(OperationalError):
        one.run_once()
    changes.claims_ended()
    one.run_once()
    assert woken == ["1", "2"]


@pytest.mark.parametrize(
    "error", [GONE, RedisUnavailable("XREADGROUP", GONE), OSError()], ids=lambda e: type(e).__name__
)
def test_the_thread_survives_redis(error: Exception) -> None:
    """The dispatcher goes on after an interruption, and says so in one warning."""
    changes, woken = FakeChanges(messages=["1"]), threading.Event()
    changes.faults.on("aggregate", error)
    one = dispatcher(changes, lambda _: woken.set())
    with capture_logs() as logs:
        one.start()
        assert woken.wait(PATIENCE_S)
        one.stop()
    interruptions = [line for line in logs if line["event"] == "dispatcher_error"]
    assert [(line["log_level"], line["error"]) for line in interruptions] == [("warning", type(error).__name__)]


def test_a_broker_that_is_gone_is_survived() -> None:
    """A wake-up that Celery cannot send does not end the dispatcher, which sends the next one."""
    changes, woken, done = FakeChanges(due=["1"]), [], threading.Event()
    one = dispatcher(changes, _failing_once(woken, done, then=changes.claims_ended))
    one.start()
    assert done.wait(PATIENCE_S)
    one.stop()
    assert woken == ["1"]


def test_an_idle_dispatcher_waits_in_redis() -> None:
    """With nothing due the wait for messages is long; with something due it is short, but never a busy loop."""
    changes = FakeChanges()
    one = dispatcher(changes, lambda _: None)
    assert one._max_block() == MAX_BLOCK
    changes.due.append("1")
    assert one._max_block() == MIN_BLOCK


def _failing_once(
    woken: list[str], done: threading.Event | None = None, then: Callable[[], None] = lambda: None
) -> Callable[[str], None]:
    """Return a wake-up that the broker refuses once; `then` happens meanwhile."""
    failures = iter([OperationalError("broker is gone")])

    def wake(course_id: str) -> None:
        error = next(failures, None)
        if error is not None:
            then()
            raise error
        woken.append(course_id)
        if done is not None:
            done.set()

    return wake
