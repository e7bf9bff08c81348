"""The Celery app: strict queues, routes, and delivery settings that hold.

Course syncs are hints (see `deploy/decisions`): Redis keys of our own are the record, so that a message that Celery
on Redis loses or repeats delays an agreement and never prevents it.
"""

from celery import Celery
from kombu.entity import Queue as KombuQueue

from shared.adapters.redis.urls import broker_url
from shared.config import Settings
from shared.queues import ROUTES, Queue
from workers.schedule import beat_schedule

# Longer than any sync: its deadline plus the slowest answer of either system.
VISIBILITY_MARGIN_S = 120.0


def make_app(settings: Settings) -> Celery:
    """Return the Celery app for these settings. Making it opens no connection."""
    app = Celery("passback", broker=broker_url(settings.redis_url), include=["workers.grade_passback.tasks"])
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
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=True,
        worker_soft_shutdown_timeout=5.0,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "global_keyprefix": f"{settings.redis_prefix}:celery:",
            "visibility_timeout": settings.sync_deadline_s + VISIBILITY_MARGIN_S,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "socket_timeout": settings.redis_timeout_s + 3,
            "socket_connect_timeout": settings.redis_timeout_s,
            "socket_keepalive": True,
        },
        beat_schedule=beat_schedule(settings),
        # Kept in memory: what beat starts is decided by state in Redis, so there is nothing to remember on disk.
        beat_scheduler="celery.beat.Scheduler",
    )
    return app
