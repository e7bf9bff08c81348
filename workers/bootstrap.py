"""The composition root: settings to adapters to use cases, once per process."""

import os
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import structlog
from celery import Celery, bootsteps
from redis import Redis

from shared import config
from shared.adapters.canvas import canvas_client
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.redis.change_store import RedisChangeStore
from shared.adapters.redis.connection import connect
from shared.adapters.redis.dead_letters import RedisDeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.links import RedisLinks
from shared.adapters.redis.records import RedisRecords
from shared.adapters.redis.schedule_slot import ScheduleSlots
from shared.adapters.redis.unknown_changes import RedisUnknownChanges
from shared.clock import SystemClock
from shared.config import Settings
from shared.domain.changes import Windows
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from workers.celery_app import make_app
from workers.grade_passback.applying import Applier
from workers.grade_passback.dispatcher import Dispatcher
from workers.grade_passback.explain import Explain
from workers.grade_passback.leases import LeaseKeeper, guard
from workers.grade_passback.reconcile import Reconciliation
from workers.grade_passback.survey import Policy, Surveyor
from workers.grade_passback.sync_course import SyncCourse
from workers.identity import this_process
from workers.schedule import reconcile_tick_s
from workers.settle import Settler

log = structlog.get_logger()


class Passback:
    """Everything one process needs, made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.keys = Keys(settings.redis_prefix)
        self.redis: Redis = connect(settings)

    @cached_property
    def changes(self) -> RedisChangeStore:
        """The debounce."""
        s = self.settings
        windows = Windows(timedelta(seconds=s.quiet_period_s), timedelta(seconds=s.max_wait_s))
        return RedisChangeStore(
            self.redis, self.keys, windows, timedelta(seconds=s.claim_s), timedelta(seconds=s.lease_s)
        )

    @cached_property
    def links(self) -> RedisLinks:
        """The links."""
        return RedisLinks(self.redis, self.keys)

    @cached_property
    def records(self) -> RedisRecords:
        """The courses' records."""
        return RedisRecords(self.redis, self.keys)

    @cached_property
    def dead_letters(self) -> RedisDeadLetters:
        """The dead letters."""
        return RedisDeadLetters(self.redis, self.keys)

    @cached_property
    def unknown_changes(self) -> RedisUnknownChanges:
        """Changes of unknown course."""
        return RedisUnknownChanges(self.redis, self.keys)

    @cached_property
    def canvas(self) -> CanvasClient:
        """The Canvas client."""
        self.settings.require(*config.CANVAS_SETTINGS)
        return canvas_client(self.settings, self.redis, self.keys, self.clock)

    @cached_property
    def powerschool(self) -> PowerSchool:
        """The PowerSchool client."""
        self.settings.require(*config.POWERSCHOOL_SETTINGS)
        return powerschool(self.settings, self.redis, self.keys, self.clock)

    @property
    def zone(self) -> ZoneInfo:
        """The district's time zone: as set, else PowerSchool's own."""
        return self.settings.district_time_zone or self.powerschool.district_time_zone()

    @cached_property
    def surveyor(self) -> Surveyor:
        """The reading half of a sync."""
        policy = Policy(self.zone, self.settings.term_grace_days, self.settings.default_category)
        gradebook, roster = self.powerschool.gradebook, self.powerschool.roster
        return Surveyor(self.canvas, roster, gradebook, self.links, self.records, self.clock, policy)

    @cached_property
    def explain(self) -> Explain:
        """The answers to "why is it not there?"."""
        return Explain(self.surveyor, self.records, self.dead_letters, self.clock)

    @cached_property
    def sync_course(self) -> SyncCourse:
        """The use case of a sync."""
        applier = Applier(self.powerschool.gradebook, self.links, self.settings.powerschool_score_batch)
        return SyncCourse(self.surveyor, applier, self.powerschool.roster, self.records, self.clock)

    @cached_property
    def settler(self) -> Settler:
        """What acts on outcomes."""
        return Settler(self.changes, self.dead_letters, self.settings.retry_waits, random.random)

    @cached_property
    def lease_keeper(self) -> LeaseKeeper:
        """What keeps this process's leases alive; started by the worker."""
        return LeaseKeeper(self.changes, timedelta(seconds=self.settings.lease_s))

    def close(self) -> None:
        """Close every connection that was opened."""
        for name in ("canvas", "powerschool"):
            if name in self.__dict__:
                getattr(self, name).close()
        self.redis.close()

    def sync(self, course_id: str) -> None:
        """Take a claimed course, sync it and settle. Does nothing if it is not claimed any more."""
        taken = self.changes.take(course_id)
        if taken is None:
            return
        lease, changes = taken
        deadline = self.clock.now() + timedelta(seconds=self.settings.sync_deadline_s)
        check = guard(self.changes, lease, self.clock, deadline)
        with structlog.contextvars.bound_contextvars(course_id=course_id), self.lease_keeper.hold(lease):
            self.settler.run(lease, changes, lambda: self.sync_course.run(changes, check))

    def reconcile(self) -> None:
        """Run one tick of the reconciliation, unless another beat's tick of the same slot already ran."""
        tick = timedelta(seconds=reconcile_tick_s(self.settings))
        if not ScheduleSlots(self.redis, self.keys).take(Task.RECONCILE, tick):
            return
        interval = timedelta(seconds=self.settings.reconcile_interval_s)
        done = Reconciliation(self.changes, self.records, self.unknown_changes, self.clock, interval, tick).run()
        if done.courses or done.answered:
            log.info(LogEvent.RECONCILE_ENQUEUED, courses=done.courses, answered=done.answered)


@lru_cache(maxsize=1)
def passback() -> Passback:
    """Return this process's passback, made from its settings."""
    return Passback(config.load())


@dataclass(frozen=True, slots=True)
class _Wake:
    """Wakes a worker for a course: a Celery message that carries the id and nothing else."""

    app: Celery

    def __call__(self, course_id: str) -> None:
        self.app.send_task(Task.SYNC_COURSE, args=[course_id], queue=Queue.COURSE_SYNCS, ignore_result=True)


class DispatchStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Runs the dispatcher and the lease keeper beside the worker's pool."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: object, **options: object) -> None:
        super().__init__(worker, **options)
        self._dispatcher: Dispatcher | None = None

    def start(self, worker: object) -> None:
        """Start both threads."""
        service = passback()
        app: Celery = worker.app  # type: ignore[attr-defined]
        self._dispatcher = Dispatcher(
            service.changes, _Wake(app), this_process("worker"), claims_at_once=2 * service.settings.worker_threads
        )
        service.lease_keeper.start()
        self._dispatcher.start()
        log.info(LogEvent.PROCESS_STARTED, process="worker")

    def stop(self, _worker: object) -> None:
        """Stop both; what is running keeps its lease until it ends or the process does."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
        passback().lease_keeper.stop()


def start_worker(settings: Settings) -> None:
    """Run a Celery worker with the dispatcher until it is told to stop."""
    app = make_app(settings)
    app.set_default()
    app.steps["worker"].add(DispatchStep)
    app.worker_main(
        [
            "worker", "--pool=threads", f"--concurrency={settings.worker_threads}",
            f"--queues={Queue.COURSE_SYNCS},{Queue.HOUSEKEEPING}",
            f"--hostname=passback-{os.getpid()}@%h", "--without-gossip", "--without-mingle",
            f"--loglevel={settings.log_level}",
        ]
    )  # fmt: skip
