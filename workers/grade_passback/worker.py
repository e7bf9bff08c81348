"""The passback worker: a Celery worker that syncs courses, with the dispatcher beside its pool, and its tasks."""

from functools import partial

import structlog
from celery import Celery, bootsteps, shared_task

from shared.adapters.http.client import RemoteApi
from shared.config import Settings
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from workers.celery.worker import consumer_responds, run_celery_worker
from workers.container import Container, get_container
from workers.grade_passback.dispatcher import Dispatcher
from workers.grade_passback.outage_probe import OutageProbe
from workers.grade_passback.scheduled import SCHEDULED, run_scheduled
from workers.runtime.heartbeat import HeartbeatThread, this_process
from workers.runtime.process_end import VitalThread

log = structlog.get_logger()


class DispatcherStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Runs the dispatcher, the lease renewal and the heartbeat beside the worker's pool."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: object, **options: object) -> None:
        super().__init__(worker, **options)
        self._threads: list[VitalThread] = []

    def start(self, worker: object) -> None:
        """Start the threads. The lease renewal ends with the process, after the last sync."""
        service, name = get_container(), this_process("worker")
        app: Celery = worker.app  # type: ignore[attr-defined]
        claims = 2 * service.settings.worker_threads
        dispatcher = Dispatcher(service.changes, partial(_send_sync, app), name, max_claims=claims)
        needed = (dispatcher, service.lease_renewer)
        heartbeat = HeartbeatThread(
            service.heartbeats,
            name,
            is_alive=lambda: consumer_responds() and all(thread.is_alive() for thread in needed),
        )
        probe = OutageProbe(service.redis, service.keys, service.clock, partial(_remote, service))
        self._threads = [probe, dispatcher, heartbeat]
        for thread in (probe, *needed, heartbeat):
            thread.start()
        log.info(LogEvent.PROCESS_STARTED, process="worker")

    def stop(self, _worker: object) -> None:
        """Stop them. Running syncs end before their next write, and keep their leases until then."""
        get_container().stopping.set()
        for thread in self._threads:
            thread.stop()


def _remote(service: Container, system: str) -> RemoteApi:
    return (service.canvas if system == "canvas" else service.powerschool.api).remote


def _send_sync(app: Celery, course_id: str) -> None:
    """Send a worker the course's id, and nothing else."""
    app.send_task(Task.SYNC_COURSE, args=[course_id], queue=Queue.COURSE_SYNCS, ignore_result=True)


def start_worker(settings: Settings) -> None:
    """Run a Celery worker with the dispatcher until it is asked to stop."""
    queues = (Queue.COURSE_SYNCS, Queue.HOUSEKEEPING)
    run_celery_worker(settings, DispatcherStep, "passback", queues, settings.worker_threads)


@shared_task(name=Task.SYNC_COURSE)
def sync_course(course_id: str) -> None:
    """Sync a course that was claimed. Does nothing if another worker already took the course."""
    get_container().sync_job.run(course_id)


def _register(task: Task) -> None:
    @shared_task(name=task)
    def scheduled_task() -> None:
        run_scheduled(get_container(), task)


for _task in SCHEDULED:
    _register(_task)
