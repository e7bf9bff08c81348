"""The passback worker: a Celery worker that syncs courses, with the dispatcher beside its pool."""

from functools import partial

import structlog
from celery import Celery, bootsteps

from shared.adapters.http.client import RemoteApi
from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from workers.celery.worker import consumer_responds, run_celery_worker
from workers.container import Container, get_container
from workers.grade_passback.dispatcher import Dispatcher
from workers.grade_passback.outage_probe import OutageProbe
from workers.runtime.heartbeat import HeartbeatThread, this_process

log = structlog.get_logger()


class DispatcherStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Runs the dispatcher, the lease renewal and the heartbeat beside the worker's pool."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: object, **options: object) -> None:
        super().__init__(worker, **options)
        self._dispatcher: Dispatcher | None = None
        self._heartbeat: HeartbeatThread | None = None
        self._outage_probe: OutageProbe | None = None

    def start(self, worker: object) -> None:
        """Start the threads. The lease renewal ends with the process, after the last sync."""
        service = get_container()
        app: Celery = worker.app  # type: ignore[attr-defined]
        self._dispatcher = Dispatcher(
            service.changes,
            partial(_send_sync, app),
            this_process("worker"),
            max_claims=2 * service.settings.worker_threads,
        )
        self._outage_probe = OutageProbe(service.redis, service.keys, service.clock, partial(_remote, service))
        self._outage_probe.start()
        service.lease_renewer.start()
        self._dispatcher.start()
        threads = (self._dispatcher, service.lease_renewer)
        self._heartbeat = HeartbeatThread(
            service.heartbeats,
            this_process("worker"),
            is_alive=lambda: consumer_responds() and all(thread.is_running for thread in threads),
        )
        self._heartbeat.start()
        log.info(LogEvent.PROCESS_STARTED, process="worker")

    def stop(self, _worker: object) -> None:
        """Stop them. Running syncs end before their next write, and keep their leases until then."""
        get_container().stopping.set()
        if self._outage_probe is not None:
            self._outage_probe.stop()
        if self._dispatcher is not None:
            self._dispatcher.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()


def _remote(service: Container, system: str) -> RemoteApi:
    return (service.canvas if system == "canvas" else service.powerschool.api).remote


def _send_sync(app: Celery, course_id: str) -> None:
    """Send a worker the course's id, and nothing else."""
    app.send_task(Task.SYNC_COURSE, args=[course_id], queue=Queue.COURSE_SYNCS, ignore_result=True)


def start_worker(settings: Settings) -> None:
    """Run a Celery worker with the dispatcher until it is asked to stop."""
    queues = (Queue.COURSE_SYNCS, Queue.HOUSEKEEPING)
    run_celery_worker(settings, DispatcherStep, "passback", queues, settings.worker_threads)
