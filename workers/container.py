"""The composition root: settings to adapters to use cases, once per process."""

import random
import threading
from datetime import timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import structlog
from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from shared import config
from shared.adapters.canvas import canvas_client
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.http.client import RESPONSE_TIMEOUT_S, max_exchange
from shared.adapters.http.exchange import use_context
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.redis.client import connect
from shared.adapters.redis.clock import SharedClock
from shared.adapters.redis.course_data.audit import MAX_ENTRIES, Audit
from shared.adapters.redis.course_data.category_matches import CategoryMatches
from shared.adapters.redis.course_data.course_index import CourseIndex
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.dead_letters.batches import DeadLetterBatches
from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import Actions
from shared.adapters.redis.operations.counter_buffer import CounterBuffer
from shared.adapters.redis.operations.counters import Counters
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.adapters.redis.operations.erasure_log import ErasureLog
from shared.adapters.redis.operations.heartbeats import Heartbeats
from shared.adapters.redis.operations.latency_histogram import LatencyHistogram
from shared.adapters.redis.operations.pauses import Pauses
from shared.adapters.redis.provisioning.runs import RUNS_TTL, ProvisionRuns
from shared.adapters.redis.remote_limits.remote_limiter import SystemRate, requests_wait, system_rates
from shared.adapters.redis.remote_limits.unavailable_queries import UnavailableQueries
from shared.adapters.redis.sync_queue.store import CLAIM_DURATION, LEASE_DURATION, Lease, QueueState, SyncQueue
from shared.adapters.redis.sync_queue.unknown_changes import UnknownChanges
from shared.adapters.telemetry.tracing import span
from shared.clock import SystemClock
from shared.config import Settings
from shared.domain.outcome import Outcome
from shared.domain.passback.changes import FIRST_CHANGE_WAIT, DebounceWindow, PendingChanges
from shared.log_events import LogEvent
from shared.queues import Queue, Task
from shared.setting_types import ClearedScores
from workers.celery.app import MAX_SYNC_DURATION, make_app
from workers.dead_letters.filters import MAX_AGE, MAX_DEAD_LETTERS, Bounds
from workers.dead_letters.service import DeadLetterQueue
from workers.erasure import Erasure
from workers.grade_passback.apply.applier import MAX_SCORES_PER_REQUEST, PlanApplier
from workers.grade_passback.course_reader import CourseComparer, SyncPolicy
from workers.grade_passback.explain.explainer import CourseExplainer
from workers.grade_passback.lease import TIME_SLICE, SyncTimeSlice, WriteGuard, request_context, write_guard
from workers.grade_passback.operations.category_mapping import CategoryLinks
from workers.grade_passback.operations.link_maintenance import LinkMaintenance
from workers.grade_passback.outcome_handler import SyncOutcomeHandler, SyncReport
from workers.grade_passback.scheduled.repairs import count_reconciliation_writes
from workers.grade_passback.sync_job import SyncJob
from workers.grade_passback.sync_metrics import SyncMetrics
from workers.provisioning.container import ProvisioningContainer
from workers.provisioning.service import ProvisioningService
from workers.runtime.lease_renewal import LeaseRenewer

log = structlog.get_logger()


class Container:
    """Everything one process needs, made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = Keys(settings.redis_prefix)
        self.redis: Redis = connect(settings)
        self.clock = SharedClock(self.redis, SystemClock())
        # Set when this process is told to stop: a running sync then ends before its next write.
        self.stopping = threading.Event()

    @cached_property
    def changes(self) -> SyncQueue:
        """The debounce."""
        s = self.settings
        return SyncQueue(
            self.redis,
            self.keys,
            windows_of(s),
            CLAIM_DURATION,
            LEASE_DURATION,
            powerschool_interval=timedelta(milliseconds=s.powerschool_min_interval_ms),
        )

    @cached_property
    def links(self) -> Links:
        """The links."""
        return Links(self.redis, self.keys)

    @cached_property
    def associations(self) -> CategoryMatches:
        """The associations of assignment groups and categories."""
        return CategoryMatches(self.redis, self.keys)

    @cached_property
    def category_links(self) -> CategoryLinks:
        """The use case behind `passback categories`."""
        return CategoryLinks(
            self.canvas, self.powerschool.roster, self.powerschool.gradebook, self.associations, self.clock, self.zone
        )

    @cached_property
    def records(self) -> CourseStates:
        """The courses' records."""
        return CourseStates(self.redis, self.keys)

    @cached_property
    def course_lists(self) -> CourseIndex:
        """Lists of courses."""
        return CourseIndex(self.redis, self.keys)

    @cached_property
    def timings(self) -> LatencyHistogram:
        """How long changes take to PowerSchool."""
        return LatencyHistogram(self.redis, self.keys)

    @cached_property
    def actions(self) -> Actions:
        """What people did."""
        return Actions(self.redis, self.keys)

    @cached_property
    def letter_batches(self) -> DeadLetterBatches:
        """Many dead letters at once."""
        return DeadLetterBatches(self.redis, self.keys, self.clock)

    @cached_property
    def audit(self) -> Audit:
        """What was written to PowerSchool."""
        s = self.settings
        return Audit(self.redis, self.keys, timedelta(days=s.audit_days), MAX_ENTRIES)

    @cached_property
    def heartbeats(self) -> Heartbeats:
        """Which processes are alive."""
        return Heartbeats(self.redis, self.keys)

    @cached_property
    def counters(self) -> Counters:
        """What all processes count together."""
        return Counters(self.redis, self.keys)

    @cached_property
    def tally(self) -> CounterBuffer:
        """What this process counts, for watching."""
        return CounterBuffer(self.redis, self.keys)

    @cached_property
    def measures(self) -> SyncMetrics:
        """What counts syncs."""
        return SyncMetrics(self.tally, self.timings.observe)

    @cached_property
    def unavailable_queries(self) -> UnavailableQueries:
        """The plugin's queries that PowerSchool does not run."""
        return UnavailableQueries(self.redis, self.keys, self.clock)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The dead letters."""
        return DeadLetters(self.redis, self.keys)

    @cached_property
    def dead_messages(self) -> DeadMessages:
        """The messages that nobody could read."""
        return DeadMessages(self.redis, self.keys)

    @cached_property
    def dead_letter_queue(self) -> DeadLetterQueue:
        """What a person does about dead letters."""
        bounds = Bounds(MAX_AGE, MAX_DEAD_LETTERS)
        request = self.provisioning_service.request
        return DeadLetterQueue(self.dead_letters, self.dead_messages, self.changes, self.clock, bounds, request)

    @cached_property
    def pauses(self) -> Pauses:
        """What a person holds back."""
        return Pauses(self.redis, self.keys, self.clock)

    @cached_property
    def provision_runs(self) -> ProvisionRuns:
        """What provisioning remembers."""
        return ProvisionRuns(self.redis, self.keys, RUNS_TTL, LEASE_DURATION)

    @cached_property
    def provisioning_service(self) -> ProvisioningService:
        """What a person sees of provisioning, and may do about it."""
        return ProvisioningService(self.provision_runs, self.pauses, self.clock, self._wake_provisioning)

    @cached_property
    def provisioning(self) -> ProvisioningContainer:
        """What reads PowerSchool's rosters and imports them into Canvas."""
        self.settings.require(*config.CANVAS_SETTINGS, *config.POWERSCHOOL_SETTINGS)
        return ProvisioningContainer(
            self.settings,
            self.redis,
            self.keys,
            self.clock,
            self.provision_runs,
            self.changes,
            self.records,
            self.dead_letters,
            self.pauses,
            self.stopping,
            self.tally,
        )

    @cached_property
    def purges(self) -> ErasureLog:
        """What was purged."""
        return ErasureLog(self.redis, self.keys)

    @cached_property
    def purge(self) -> Erasure:
        """What erases."""
        erasure = RedisErasure(self.redis, self.keys)
        return Erasure(erasure, self.purges, self.pauses, self.heartbeats, self.is_being_synced)

    @cached_property
    def unknown_changes(self) -> UnknownChanges:
        """Changes of unknown course."""
        return UnknownChanges(self.redis, self.keys)

    @cached_property
    def canvas(self) -> CanvasClient:
        """The Canvas client."""
        self.settings.require(*config.CANVAS_SETTINGS)
        return canvas_client(self.settings, self.redis, self.keys, self.clock, self.tally)

    @cached_property
    def powerschool(self) -> PowerSchool:
        """The PowerSchool client."""
        self.settings.require(*config.POWERSCHOOL_SETTINGS)
        return powerschool(self.settings, self.redis, self.keys, self.clock, self.tally)

    @property
    def zone(self) -> ZoneInfo:
        """The district's time zone: as set, else PowerSchool's own."""
        return self.settings.district_time_zone or self.powerschool.district_time_zone()

    @cached_property
    def comparer(self) -> CourseComparer:
        """The reading half of a sync."""
        s = self.settings
        clear_scores = s.cleared_scores is ClearedScores.BLANK
        policy = SyncPolicy(
            self.zone,
            s.term_grace_days,
            s.default_category,
            clear_scores=clear_scores,
            max_name_chars=s.name_max_chars,
        )
        gradebook, roster = self.powerschool.gradebook, self.powerschool.roster
        return CourseComparer(
            self.canvas, roster, gradebook, self.links, self.records, self.clock, policy, self.associations
        )

    @cached_property
    def explainer(self) -> CourseExplainer:
        """What explains why an assignment or a score is not in PowerSchool."""
        return CourseExplainer(
            lambda: self.comparer,
            self.records,
            self.dead_letters,
            self.audit,
            self.changes,
            self.pauses,
            self.clock,
        )

    @cached_property
    def sync_course(self) -> SyncJob:
        """The use case of a sync."""
        applier = PlanApplier(self.powerschool.gradebook, self.links, MAX_SCORES_PER_REQUEST, self.audit, self.clock)
        roster = self.powerschool.roster
        return SyncJob(self.comparer, applier, roster, self.records, self.clock, self.associations, self.dead_letters)

    @cached_property
    def link_care(self) -> LinkMaintenance:
        """What compares links with PowerSchool."""
        return LinkMaintenance(self.comparer, self.powerschool.gradebook, self.records, self.clock)

    @cached_property
    def settler(self) -> SyncOutcomeHandler:
        """What acts on outcomes."""
        return SyncOutcomeHandler(self.changes, self.dead_letters, self.settings.retry_waits, random.random)

    @cached_property
    def lease_renewer(self) -> LeaseRenewer[Lease]:
        """What keeps this process's leases alive; started by the worker."""
        return LeaseRenewer(self.changes.renew, LEASE_DURATION)

    def close(self) -> None:
        """Write what is still counted, and close every connection that was opened."""
        if "tally" in self.__dict__:
            self.tally.close()
        for name in ("canvas", "powerschool", "provisioning"):
            if name in self.__dict__:
                getattr(self, name).close()
        if "_celery" in self.__dict__:
            self._celery.close()
        self.redis.close()

    def is_being_synced(self, course_id: str) -> bool:
        """Say whether a worker has the course, or was woken for it."""
        return self.changes.state_of(course_id).queue_state in (QueueState.CLAIMED, QueueState.LEASED)

    def sync(self, course_id: str) -> None:
        """Take a claimed course, sync it and settle. Does nothing if it is not claimed any more."""
        taken = self.changes.start_sync(course_id)
        if taken is None:
            return
        lease, changes = taken
        deadline = self.clock.now() + MAX_SYNC_DURATION
        time_slice = SyncTimeSlice(self.clock, deadline, TIME_SLICE, self._somebody_waits)
        check = write_guard(self.changes, lease, time_slice, self.stopping.is_set)
        with (
            structlog.contextvars.bound_contextvars(course_id=course_id),
            # A write may begin right before the deadline.
            self.lease_renewer.holding(lease, MAX_SYNC_DURATION + max_exchange(RESPONSE_TIMEOUT_S)),
            use_context(request_context(self.changes, lease, time_slice, self.stopping.is_set)),
        ):
            with span("sync", {"course_id": course_id}) as set_attribute:
                reports: list[SyncReport] = []
                outcome = self.settler.run(lease, changes, lambda: self._synced(lease, changes, check, reports))
                set_attribute("outcome", type(outcome).__name__.lower())
            self._count_sync(changes, outcome, reports)

    def system_rates(self) -> list[SystemRate]:
        """Return how fast all workers together call each system now, and how fast the settings let them."""
        powerschool_interval = timedelta(milliseconds=self.settings.powerschool_min_interval_ms)
        return system_rates(self.redis, self.keys, {"powerschool": powerschool_interval})

    def _somebody_waits(self) -> bool:
        """Say whether a course waits for a thread, or a request of anybody for its turn at PowerSchool."""
        return self.changes.has_ready_courses() or requests_wait(self.redis, self.keys, "powerschool")

    def _wake_provisioning(self) -> None:
        self._celery.send_task(Task.PROVISION, queue=Queue.PROVISIONING, ignore_result=True)

    @cached_property
    def _celery(self) -> Celery:
        return make_app(self.settings)

    def _synced(
        self, lease: Lease, changes: PendingChanges, check: WriteGuard, reports: list[SyncReport]
    ) -> SyncReport:
        report = self.sync_course.run(changes, check, lease.token)
        reports.append(report)
        return report

    def _count_sync(self, changes: PendingChanges, outcome: Outcome, reports: list[SyncReport]) -> None:
        """Count a settled sync. What cannot be counted makes no failure of it."""
        self.measures.ended(outcome)
        try:
            for report in reports:
                count_reconciliation_writes(self.counters, changes, report)
                self.measures.wrote(changes, report)
        except RedisError as error:
            log.warning(LogEvent.METRICS_FLUSH_FAILED, error=type(error).__name__)


def windows_of(settings: Settings) -> DebounceWindow:
    """Return the debounce window of these settings."""
    return DebounceWindow(
        timedelta(seconds=settings.quiet_period_s), timedelta(seconds=settings.max_wait_s), FIRST_CHANGE_WAIT
    )


@lru_cache(maxsize=1)
def get_container() -> Container:
    """Return this process's passback, made from its settings."""
    return Container(config.load())
