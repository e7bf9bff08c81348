"""The Celery app: queues, routes, delivery settings and the schedule of beat.

Course syncs are hints (see `deploy/decisions`): Redis keys of our own are the record, so that a message that Celery
on Redis loses or repeats delays an agreement and never prevents it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import Celery
from kombu.entity import Queue as KombuQueue

from shared.adapters.http.client import RESPONSE_TIMEOUT_S
from shared.adapters.redis.urls import TIMEOUT_S as REDIS_TIMEOUT_S
from shared.adapters.redis.urls import broker_sentinel_options, broker_tls, broker_url
from shared.config import Settings
from shared.queues import ROUTES, Queue, Task
from workers.celery import transport

# A sync that takes longer stops and goes on later.
MAX_SYNC_DURATION = timedelta(minutes=5)
# A sync looks at its deadline before each write: it may still be waiting for answers when the deadline passes.
VISIBILITY_MARGIN_S = 60.0
# After this an unacknowledged message is delivered again. It is longer than any sync takes.
VISIBILITY_TIMEOUT_S = MAX_SYNC_DURATION.total_seconds() + 2 * RESPONSE_TIMEOUT_S + VISIBILITY_MARGIN_S
RECONCILE_TICK_S = 30.0
PROVISION_TICK_S = 30.0
# Beat's clock sets when a tick expires, and the worker's decides: they may differ by almost as much as this.
TICK_EXPIRES_S = 3600.0
TASK_MODULES = ["workers.grade_passback.worker", "workers.notifications.tasks", "workers.provisioning.worker"]


def make_app(settings: Settings) -> Celery:
    """Return the Celery app for these settings. Making it opens no connection."""
    transport.register()
    app = Celery("passback", broker=broker_url(settings), include=TASK_MODULES)
    app.conf.update(
        task_queues=[KombuQueue(name) for name in Queue],
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        task_create_missing_queues=False,
        task_default_queue=Queue.HOUSEKEEPING,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # No soft shutdown: the threads pool cannot cancel tasks. When the worker stops, syncs end by themselves.
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=True,
        worker_consumer="workers.celery.undecodable:DeadLetteringConsumer",
        broker_connection_retry_on_startup=True,
        # However long Redis is away: a worker that gives up only makes its supervisor start another.
        broker_connection_max_retries=None,
        broker_use_ssl=broker_tls(settings),
        broker_transport_options={
            **broker_sentinel_options(settings),
            "global_keyprefix": f"{settings.redis_prefix}:celery:",
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "socket_timeout": REDIS_TIMEOUT_S + 3,
            "socket_connect_timeout": REDIS_TIMEOUT_S,
            "socket_keepalive": True,
        },
        beat_schedule=beat_schedule(settings),
        # In memory: the state in Redis decides what runs, so that beat needs no file.
        beat_scheduler="celery.beat.Scheduler",
    )
    return app


def send_provision_task(app: Callable[[], Celery]) -> None:
    """Start a tick of provisioning now."""
    app().send_task(Task.PROVISION, queue=Queue.PROVISIONING, ignore_result=True)


def reconcile_tick_s(settings: Settings) -> float:
    """Return how often each scheduled task is sent, in seconds."""
    return min(RECONCILE_TICK_S, settings.reconcile_interval_s / 16)


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return beat's entries. Several beats may run: a lock in Redis lets a task run once per interval.

    Ticks expire, so that they do not pile up while no worker runs; late enough for hosts whose clocks differ.
    """
    tick = reconcile_tick_s(settings)
    ticking = {task: tick for task, queue in ROUTES.items() if queue is Queue.HOUSEKEEPING}
    ticking[Task.PROVISION] = PROVISION_TICK_S
    return {task.value: _entry(task, every) for task, every in ticking.items()}


def _entry(task: Task, every: float) -> dict[str, Any]:
    return {"task": task, "schedule": every, "options": {"queue": ROUTES[task], "expires": max(every, TICK_EXPIRES_S)}}
