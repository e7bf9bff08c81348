"""What the provisioning worker is made of. Its PowerSchool client can only read."""

import random
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Event, Lock
from zoneinfo import ZoneInfo

from redis import Redis

from shared.adapters.canvas import canvas_sis_imports
from shared.adapters.canvas.sis_import import CanvasSisImports
from shared.adapters.powerschool import roster_feed
from shared.adapters.powerschool.provisioning.reader import PowerSchoolRosterFeed
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.adapters.redis.sync_queue.store import LEASE_DURATION, SyncQueue
from shared.clock import Clock
from shared.config import Settings
from shared.domain.metrics import CounterName
from shared.ports.passback import Count
from workers.provisioning.changed_rows import resync_touched_courses
from workers.provisioning.comparison import PlanComparer
from workers.provisioning.importer import Importer
from workers.provisioning.outcome_handler import RunOutcomeHandler
from workers.provisioning.planning import PlanBuilder, import_options
from workers.provisioning.run import ProvisionRun
from workers.provisioning.runner import ProvisioningRunner, ProvisionSchedule, StopCheck
from workers.provisioning.upload_planner import UploadPlanner
from workers.runtime.jobs import renewing


class RequestCounter:
    """Counts requests by system until they are drained, and passes everything on to `count`. Thread-safe."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._lock = Lock()
        self._counts: dict[str, int] = {}

    def __call__(self, name: str, *labels: str, amount: int = 1) -> None:
        """Count it, as a `Count`."""
        self._count(name, *labels, amount=amount)
        if name == CounterName.REQUESTS:
            with self._lock:
                self._counts[labels[0]] = self._counts.get(labels[0], 0) + amount

    def drain(self) -> dict[str, int]:
        """Return how many were counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts


@dataclass
class ProvisioningContainer:
    """Everything the worker, and a dry run without it, need of both systems; built on first use."""

    settings: Settings
    redis: Redis
    keys: Keys
    clock: Clock
    runs: ProvisionRuns
    sync_queue: SyncQueue
    course_states: CourseStates
    dead_letters: DeadLetters
    pauses: Pauses
    stopping: Event
    count: Count

    def __post_init__(self) -> None:
        self._request_counter = RequestCounter(self.count)
        self.pause: StopCheck = lambda duration: self.stopping.wait(duration.total_seconds())

    @cached_property
    def feed(self) -> PowerSchoolRosterFeed:
        """PowerSchool's rosters, which can only be read."""
        return roster_feed(self.settings, self.redis, self.keys, self.clock, self._request_counter)

    @cached_property
    def imports(self) -> CanvasSisImports:
        """Canvas's SIS Import."""
        return canvas_sis_imports(self.settings, self.redis, self.keys, self.clock, self._request_counter)

    def zone(self) -> ZoneInfo:
        """Return the district's time zone: as set, else PowerSchool's own."""
        return self.settings.district_time_zone or self.feed.time_zone()

    @cached_property
    def planner(self) -> PlanBuilder:
        """What turns rosters into rows."""
        return PlanBuilder(self.settings, self.zone, self.clock)

    @cached_property
    def _uploads(self) -> UploadPlanner:
        s = self.settings
        return UploadPlanner(import_options(s), s.provision_remaster_days, s.redis_prefix, self.planner.today)

    @cached_property
    def comparer(self) -> PlanComparer:
        """What compares the rosters with what Canvas was given last."""
        return PlanComparer(self.feed, self.planner, self.runs, self.imports, self._uploads, self.clock, self.zone)

    @cached_property
    def provision_run(self) -> ProvisionRun:
        """The use case of a run."""
        importer = Importer(self.imports, self.runs, self.clock, self._uploads)
        resync = partial(resync_touched_courses, self.runs, self.sync_queue, self.course_states, self.clock)
        return ProvisionRun(self.feed, self.comparer, self.runs, importer, self._uploads, self.clock, resync)

    @cached_property
    def provisioner(self) -> ProvisioningRunner:
        """What a tick does."""
        s = self.settings
        return ProvisioningRunner(
            self.runs,
            ProvisionSchedule(self.runs, self.feed, self.pauses, self.clock, s.provision_schedule, self.zone),
            self.provision_run,
            RunOutcomeHandler(self.runs, self.dead_letters, self.clock, s.retry_waits, random.random),
            self.pauses,
            self.clock,
            renewing=partial(renewing, self.runs.renew, lease_for=LEASE_DURATION),
            pause=self.pause,
            drain_requests=self._request_counter.drain,
        )

    def close(self) -> None:
        """Close every connection that was opened."""
        for name in ("feed", "imports"):
            if name in self.__dict__:
                getattr(self, name).close()
