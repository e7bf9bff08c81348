"""The provisioning worker: a Celery worker of its own, which runs one tick at a time."""

import structlog
from celery import Celery, bootsteps

from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from workers.celery.worker import consumer_responds, run_celery_worker
from workers.container import get_container
from workers.provisioning.service import KIND
from workers.runtime.heartbeat import HeartbeatThread
from workers.runtime.identity import this_process

log = structlog.get_logger()


class ProvisionStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Runs the heart beside the worker's pool, and tells a running tick to stop."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: object, **options: object) -> None:
        super().__init__(worker, **options)
        self._heartbeat: HeartbeatThread | None = None

    def start(self, worker: object) -> None:
        """Start the heart, and look at once at what is to be done: beat's next tick may be half a minute away."""
        app: Celery = worker.app  # type: ignore[attr-defined]
        app.send_task(Task.PROVISION, queue=Queue.PROVISIONING, ignore_result=True)
        self._heartbeat = HeartbeatThread(get_container().heartbeats, this_process(KIND), lives=consumer_responds)
        self._heartbeat.start()
        log.info(LogEvent.PROCESS_STARTED, process=KIND)

    def stop(self, _worker: object) -> None:
        """Stop; the tick under way ends with its step, and what it came to is kept."""
        get_container().stopping.set()
        if self._heartbeat is not None:
            self._heartbeat.stop()


def start_provisioning_worker(settings: Settings) -> None:
    """Run a Celery worker for the queue `provisioning` until it is told to stop."""
    run_celery_worker(settings, ProvisionStep, "passback-provisioning", (Queue.PROVISIONING,), threads=1)
