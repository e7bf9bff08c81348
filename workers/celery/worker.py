"""How a Celery worker runs: once Redis is durable, with a step of ours beside its pool, until it is told to stop."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import structlog
from celery import bootsteps, signals

from shared.adapters.redis.schema import check_schema
from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue
from workers.celery.app import make_app
from workers.container import get_container
from workers.runtime.redis_durability import await_durable_redis

log = structlog.get_logger()

PULSE_EVERY_S = 1.0
PULSE_TIMEOUT = timedelta(seconds=30)


class ConsumerPulse(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Notes that the consumer's event loop turns. A loop that hangs takes no message and answers no inspection."""

    # Not the event loop itself: it is the step after all others, and a cycle would leave their order to chance.
    requires = ("celery.worker.consumer.connection:Connection",)
    last_s: ClassVar[float | None] = None
    consumer: ClassVar[Any] = None

    def register_with_event_loop(self, consumer: Any, hub: Any) -> None:
        """Start the timer; Celery cancels it with the connection."""
        type(self).consumer = consumer
        self._note()
        hub.call_repeatedly(PULSE_EVERY_S, self._note)

    def _note(self) -> None:
        type(self).last_s = time.monotonic()


def consumer_responds() -> bool:
    """Say whether the event loop turned within the last half minute, or waits for Redis to come back."""
    last_s, consumer = ConsumerPulse.last_s, ConsumerPulse.consumer
    if last_s is None or consumer.connection is None:
        return True
    return time.monotonic() - last_s < PULSE_TIMEOUT.total_seconds()


def run_celery_worker(
    settings: Settings, step: type[bootsteps.StartStopStep], name: str, queues: Sequence[Queue], threads: int
) -> None:
    """Run a Celery worker on these queues, with the step beside its pool, until it is told to stop.

    A worker that ends without having been told to exits with a code other than 0, so that its supervisor starts it
    again.
    """
    container = get_container()
    await_durable_redis(container.redis, settings)
    check_schema(container.redis, container.keys)
    told_to_stop = threading.Event()

    def record_signal(**_: object) -> None:
        told_to_stop.set()

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
    if not told_to_stop.is_set():
        log.error(LogEvent.WORKER_ENDED_BY_ITSELF, process=name)
        sys.exit(code or 1)
