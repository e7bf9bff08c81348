"""Runs a Celery worker once Redis is durable, with a boot step beside its pool, until it is asked to stop.

Replaces Celery's own `stats`, and traces each task.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import structlog
from celery import bootsteps, signals
from celery.worker.control import inspect_command

from shared.adapters.redis.schema import check_schema
from shared.adapters.telemetry.tracing import SetAttribute, span
from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue
from workers.celery.app import make_app
from workers.container import get_container
from workers.runtime.redis_durability import wait_for_durable_redis

log = structlog.get_logger()

REPORTED_BROKER_FIELDS = ("transport", "port", "virtual_host")
PULSE_EVERY_S = 1.0
PULSE_TIMEOUT = timedelta(seconds=30)


class ConsumerPulse(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Records that the consumer's event loop runs. A loop that hangs takes no message and answers no inspection."""

    # Not the event loop itself: it is the step after all others, and a cycle would leave their order to chance.
    requires = ("celery.worker.consumer.connection:Connection",)
    last_s: ClassVar[float | None] = None
    consumer: ClassVar[Any] = None

    def register_with_event_loop(self, consumer: Any, hub: Any) -> None:
        """Start the timer; Celery cancels it with the connection."""
        type(self).consumer = consumer
        self._record()
        hub.call_repeatedly(PULSE_EVERY_S, self._record)

    def _record(self) -> None:
        type(self).last_s = time.monotonic()


def consumer_responds() -> bool:
    """Say whether the event loop ran within the last half minute, or waits for Redis to come back."""
    last_s, consumer = ConsumerPulse.last_s, ConsumerPulse.consumer
    if last_s is None or consumer.connection is None:
        return True
    return time.monotonic() - last_s < PULSE_TIMEOUT.total_seconds()


def run_celery_worker(
    settings: Settings, step: type[bootsteps.StartStopStep], name: str, queues: Sequence[Queue], threads: int
) -> None:
    """Run a Celery worker on these queues, with the boot step beside its pool, until it is asked to stop.

    A worker that ends unasked exits with a code other than 0, so that its supervisor starts it
    again.
    """
    container = get_container()
    # One loop for both: Redis may go away between them.
    wait_for_durable_redis(container.redis, settings, prepare=partial(check_schema, container.redis, container.keys))
    stop_requested = threading.Event()

    def record_signal(**_: object) -> None:
        stop_requested.set()

    signals.worker_shutting_down.connect(record_signal)
    app = make_app(settings)
    app.set_default()
    app.steps["worker"].add(step)
    app.steps["consumer"].add(ConsumerPulse)
    try:
        # Celery returns the worker's exit code here, and 0 or None for a consumer that ended by itself.
        code = app.start(
            [
                "--quiet", "worker", "--pool=threads", f"--concurrency={threads}", f"--queues={','.join(queues)}",
                f"--hostname={name}-{os.getpid()}@%h", "--without-gossip", "--without-mingle",
                f"--loglevel={settings.log_level}",
            ]
        )  # fmt: skip
    finally:
        get_container().counter_buffer.close()
    if not stop_requested.is_set():
        log.error(LogEvent.WORKER_ENDED_BY_ITSELF, process=name)
        sys.exit(code or 1)


@inspect_command()  # type: ignore[untyped-decorator]  # Celery has no types
def stats(state: Any, **_options: object) -> dict[str, Any]:
    """Return the worker's statistics without most fields of its broker connection.

    Celery's own `stats`, which this replaces, returns the connection's parameters. These hold the password of Redis:
    in the host name of a socket, or in the alternates and transport options of Sentinels. Flower shows all of it.
    """
    statistics: dict[str, Any] = state.consumer.controller.stats()
    broker = statistics.get("broker")
    reported = {name: broker.get(name) for name in REPORTED_BROKER_FIELDS} if isinstance(broker, dict) else {}
    return {**statistics, "broker": reported}


_running = threading.local()


def trace_tasks() -> None:
    """Open and close spans with Celery's signals, which come in the thread that runs the task."""
    signals.task_prerun.connect(_open, weak=False, dispatch_uid="passback.spans.open")
    signals.task_postrun.connect(_close, weak=False, dispatch_uid="passback.spans.close")


def _open(task_id: str, task: Any, **_other: object) -> None:
    _running.span = span(task.name, {"celery.task_id": task_id})
    _running.set_attribute = _running.span.__enter__()


def _close(state: str, **_other: object) -> None:
    opened: AbstractContextManager[SetAttribute] | None = getattr(_running, "span", None)
    if opened is None:
        return
    _running.set_attribute("celery.state", state)
    opened.__exit__(None, None, None)
    _running.span = None
