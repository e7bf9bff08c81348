"""The worker: a Celery worker with the dispatcher beside its pool, which syncs courses and keeps house."""

from dataclasses import dataclass

import structlog
from celery import Celery, bootsteps

from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from workers.celery.worker import consumer_responds, run_celery_worker
from workers.container import get_container
from workers.grade_passback.dispatcher import Dispatcher
from workers.runtime.heartbeat import HeartbeatThread
from workers.runtime.identity import this_process

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _SyncDispatch:
    """Wakes a worker for a course: a Celery message that carries the id and nothing else."""

    app: Celery

    def __call__(self, course_id: str) -> None:
        self.app.send_task(Task.SYNC_COURSE, args=[course_id], queue=Queue.COURSE_SYNCS, ignore_result=True)


class DispatcherStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Runs the dispatcher, the lease keeper and the heart beside the worker's pool."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: object, **options: object) -> None:
        super().__init__(worker, **options)
        self._dispatcher: Dispatcher | None = None
        self._heartbeat: HeartbeatThread | None = None

    def start(self, worker: object) -> None:
        """Start the threads. The lease keeper's ends with the process, after the last sync."""
        service = get_container()
        app: Celery = worker.app  # type: ignore[attr-defined]
        self._dispatcher = Dispatcher(
            service.changes,
            _SyncDispatch(app),
            this_process("worker"),
            claims_at_once=2 * service.settings.worker_threads,
        )
        service.lease_renewer.start()
        self._dispatcher.start()
        threads = (self._dispatcher, service.lease_renewer)
        self._heartbeat = HeartbeatThread(
            service.heartbeats,
            this_process("worker"),
            lives=lambda: consumer_responds() and all(thread.is_running for thread in threads),
        )
        self._heartbeat.start()
        log.info(LogEvent.PROCESS_STARTED, process="worker")

    def stop(self, _worker: object) -> None:
        """Stop them; what is running gives way before its next write, and keeps its lease until then."""
        get_container().stopping.set()
        if self._dispatcher is not None:
            self._dispatcher.stop()
        if self._heartbeat is not None:
            self._heartbeat.stop()


def start_worker(settings: Settings) -> None:
    """Run a Celery worker with the dispatcher until it is told to stop."""
    queues = (Queue.COURSE_SYNCS, Queue.HOUSEKEEPING)
    run_celery_worker(settings, DispatcherStep, "passback", queues, settings.worker_threads)
