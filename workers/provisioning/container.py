"""What the provisioning worker is made of. Its PowerSchool client can only read."""

import random
from datetime import timedelta
from functools import cached_property, partial
from threading import Event, Lock
from zoneinfo import ZoneInfo

from redis import Redis

from shared.adapters.canvas import canvas_sis_imports
from shared.adapters.canvas.sis_import.client import CanvasSisImports
from shared.adapters.http.client import RESPONSE_TIMEOUT_S
from shared.adapters.powerschool import IndexingFeed, roster_feed
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.pauses import Pauses
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.adapters.redis.sync_queue.store import LEASE_DURATION, SyncQueue
from shared.clock import Clock
from shared.config import Settings
from shared.domain.metrics import CounterName
from shared.ports.passback import Count
from workers.provisioning.course_resync import TouchedCourseResync
from workers.provisioning.imports.corrections import Corrector
from workers.provisioning.imports.importer import MAX_IMPORT_DURATION, Importer
from workers.provisioning.imports.upload_planner import UploadPlanner
from workers.provisioning.outcome_handler import RunOutcomeHandler
from workers.provisioning.planning import PlanBuilder, upload_rules
from workers.provisioning.run import ProvisionRun
from workers.provisioning.runner import ProvisioningRunner, StopCheck
from workers.provisioning.schedule import CHECK_INTERVAL, ProvisionSchedule, ScheduleConfig
from workers.runtime.lease_renewal import renewing


class RequestCount:
    """Counts requests by system until they are taken, beside all that it passes on to `count`. Thread-safe."""

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

    def take(self) -> dict[str, int]:
        """Return how many were counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts


class ProvisioningContainer:
    """Everything the worker, and a dry run without it, need of both systems; made when it is first asked for."""

    def __init__(
        self,
        settings: Settings,
        redis: Redis,
        keys: Keys,
        clock: Clock,
        runs: ProvisionRuns,
        changes: SyncQueue,
        records: CourseStates,
        dead_letters: DeadLetters,
        pauses: Pauses,
        stopping: Event,
        count: Count,
    ) -> None:
        self._settings = settings
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._runs = runs
        self._changes = changes
        self._records = records
        self._dead_letters = dead_letters
        self._pauses = pauses
        self.spent = RequestCount(count)
        self.pause: StopCheck = lambda duration: stopping.wait(duration.total_seconds())

    @cached_property
    def feed(self) -> IndexingFeed:
        """PowerSchool's rosters, which can only be read."""
        return roster_feed(self._settings, self._redis, self._keys, self._clock, self.spent)

    @cached_property
    def imports(self) -> CanvasSisImports:
        """Canvas's SIS Import."""
        return canvas_sis_imports(self._settings, self._redis, self._keys, self._clock, self.spent)

    def zone(self) -> ZoneInfo:
        """Return the district's time zone: as set, else PowerSchool's own."""
        return self._settings.district_time_zone or self.feed.time_zone()

    @cached_property
    def planner(self) -> PlanBuilder:
        """What turns rosters into rows."""
        return PlanBuilder(self._settings, self.zone, self._clock)

    @cached_property
    def provision_run(self) -> ProvisionRun:
        """The use case of a run."""
        s = self._settings
        uploading = UploadPlanner(upload_rules(s), s.redis_prefix, self.planner.today)
        uploader = Importer(
            self.imports,
            self._runs,
            self._clock,
            uploading,
            Corrector(self.imports, self._runs),
            timedelta(seconds=RESPONSE_TIMEOUT_S),
            MAX_IMPORT_DURATION,
            s.redis_prefix,
        )
        looks = TouchedCourseResync(self._runs, self._changes, self._records, self._clock)
        return ProvisionRun(
            self.feed, self.planner, self._runs, uploader, looks, self._clock, uploading, self.zone, self.imports
        )

    @cached_property
    def provisioner(self) -> ProvisioningRunner:
        """What a tick does."""
        s = self._settings
        timetable = ScheduleConfig(s.provision_schedule, CHECK_INTERVAL)
        return ProvisioningRunner(
            self._runs,
            ProvisionSchedule(self._runs, self.feed, self._pauses, self._clock, timetable, self.zone),
            self.provision_run,
            RunOutcomeHandler(self._runs, self._dead_letters, self._clock, s.retry_waits, random.random),
            self._pauses,
            self._clock,
            hold=partial(renewing, self._runs.renew, lease_for=LEASE_DURATION),
            pause=self.pause,
            take_spent=self.spent.take,
        )

    def close(self) -> None:
        """Close every connection that was opened."""
        for name in ("feed", "imports"):
            if name in self.__dict__:
                getattr(self, name).close()
