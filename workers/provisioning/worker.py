"""The provisioning worker: a Celery worker of its own, which runs one tick at a time."""

import structlog
from celery import Celery, bootsteps, shared_task

from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from workers.celery.worker import consumer_responds, run_celery_worker
from workers.container import get_container
from workers.provisioning.service import KIND
from workers.runtime.heartbeat import HeartbeatThread, this_process

log = structlog.get_logger()


class ProvisioningStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Sends heartbeats beside the worker's pool, and stops a running tick."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: object, **options: object) -> None:
        super().__init__(worker, **options)
        self._heartbeat: HeartbeatThread | None = None

    def start(self, worker: object) -> None:
        """Start the heartbeat and a tick: the next one of beat may be half a minute away."""
        app: Celery = worker.app  # type: ignore[attr-defined]
        app.send_task(Task.PROVISION, queue=Queue.PROVISIONING, ignore_result=True)
        self._heartbeat = HeartbeatThread(get_container().heartbeats, this_process(KIND), is_alive=consumer_responds)
        self._heartbeat.start()
        log.info(LogEvent.PROCESS_STARTED, process=KIND)

    def stop(self, _worker: object) -> None:
        """Stop; the tick under way ends with its step, which is saved."""
        get_container().stopping.set()
        if self._heartbeat is not None:
            self._heartbeat.stop()


def start_provisioning_worker(settings: Settings) -> None:
    """Run a Celery worker for the queue `provisioning` until it is stopped."""
    run_celery_worker(settings, ProvisioningStep, "passback-provisioning", (Queue.PROVISIONING,), threads=1)


@shared_task(name=Task.PROVISION)
def provision() -> None:
    """Run a tick, and start another where there is more to do at once."""
    if get_container().provisioning.provisioner.tick():
        provision.apply_async(queue=Queue.PROVISIONING, ignore_result=True)
