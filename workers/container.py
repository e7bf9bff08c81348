"""Builds everything from the settings, once per process. Does nothing else."""

import random
import threading
from collections.abc import Iterator
from datetime import UTC, timedelta
from functools import cached_property, lru_cache, partial
from zoneinfo import ZoneInfo

from celery import Celery
from redis import Redis

from shared import config
from shared.adapters.canvas import canvas_api, canvas_client
from shared.adapters.canvas.account import CanvasAccount
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.canvas.grading import CanvasGrading
from shared.adapters.canvas.pagination import PagedApi
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.powerschool.gradebook.term_grades import read_formulas, read_section_grading
from shared.adapters.redis.cache import TokenEnd, UnavailableQueries
from shared.adapters.redis.client import connect, server_time
from shared.adapters.redis.course_data.audit import MAX_ENTRIES, Audit
from shared.adapters.redis.course_data.course_index import CourseIndex
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import CategoryMatches, Links
from shared.adapters.redis.course_data.proofs import ProofKeys, Proofs
from shared.adapters.redis.course_data.takeovers import TakeoverRuns, Takeovers
from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.dead_letters.store import DeadLetterBatches, DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import Actions, ErasureLog, Pauses
from shared.adapters.redis.operations.counters import CounterBuffer, Counters
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.adapters.redis.operations.lti import LtiStore
from shared.adapters.redis.operations.notifications import Notifications, TeacherDigests
from shared.adapters.redis.operations.processes import Heartbeats
from shared.adapters.redis.operations.readiness import ReadinessStore
from shared.adapters.redis.provisioning.runs import RUNS_TTL, ProvisionRuns
from shared.adapters.redis.remote_limits.remote_limiter import requests_wait
from shared.adapters.redis.sync_queue.store import CLAIM_DURATION, LEASE_DURATION, SyncQueue
from shared.adapters.redis.sync_queue.streams import UnknownChanges
from shared.clock import Clock, SharedClock, SystemClock
from shared.config import Settings
from shared.domain.passback.changes import DebounceWindow
from shared.setting_types import ClearedScores
from workers.celery.app import make_app, send_provision_task
from workers.dead_letters import DeadLetterQueue
from workers.erasure import Erasure
from workers.grade_passback.apply.context import MAX_SCORES_PER_REQUEST, WriteTargets
from workers.grade_passback.compare import SyncPolicy
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_sync import CourseSync
from workers.grade_passback.explain.activity import CourseActivities
from workers.grade_passback.explain.explainer import CourseExplainer
from workers.grade_passback.operations.bulk_sync import BulkSync
from workers.grade_passback.operations.categories import CategoryLinks
from workers.grade_passback.operations.takeover import CourseTakeover
from workers.grade_passback.operations.takeover_run import TakeoverRunner
from workers.grade_passback.operations.totals import TotalsReader
from workers.grade_passback.operations.verification.verifier import Verifier
from workers.grade_passback.readiness.check import ReadinessCheck, ReadinessSources, WeightReader
from workers.grade_passback.sync_job import SyncJob, SyncOutcomeHandler, count_sync
from workers.provisioning.container import ProvisioningContainer
from workers.provisioning.service import ProvisioningService
from workers.runtime.jobs import LeaseRenewer


class Container:
    """Everything one process needs: the stores at once, everything else when it is first used."""

    def __init__(self, settings: Settings, *, redis: Redis | None = None, clock: Clock | None = None) -> None:
        self.settings = settings
        self.keys = keys = Keys(settings.redis_prefix)
        self.redis = redis = redis or connect(settings)
        self.clock: Clock = clock or SharedClock(partial(server_time, redis), SystemClock())
        # Set when this process is asked to stop: a running sync then ends before its next write.
        self.stopping = threading.Event()
        self.changes = SyncQueue(
            redis,
            keys,
            windows_of(settings),
            CLAIM_DURATION,
            LEASE_DURATION,
            powerschool_interval=timedelta(milliseconds=settings.powerschool_min_interval_ms),
        )
        self.links = Links(redis, keys)
        self.takeovers = Takeovers(redis, keys)
        self.takeover_runs = TakeoverRuns(redis, keys, self.clock)
        self.associations = CategoryMatches(redis, keys)
        self.records = CourseStates(redis, keys)
        self.course_lists = CourseIndex(redis, keys)
        self.audit = Audit(redis, keys, timedelta(days=settings.audit_days), MAX_ENTRIES)
        self.proofs = Proofs(redis, keys, timedelta(days=settings.audit_days))
        self.proof_keys = ProofKeys(redis, keys)
        self.unknown_changes = UnknownChanges(redis, keys)
        self.dead_letters = DeadLetters(redis, keys)
        self.dead_messages = DeadMessages(redis, keys)
        self.dead_letter_batches = DeadLetterBatches(redis, keys, self.clock)
        self.pauses = Pauses(redis, keys, self.clock)
        self.actions = Actions(redis, keys)
        self.erasure_log = ErasureLog(redis, keys)
        self.lti = LtiStore(redis, keys)
        self.heartbeats = Heartbeats(redis, keys)
        self.counters = Counters(redis, keys)
        self.counter_buffer = CounterBuffer(redis, keys)
        self.unavailable_queries = UnavailableQueries(redis, keys, self.clock)
        self.readiness = ReadinessStore(redis, keys)
        self.notifications = Notifications(redis, keys)
        self.token_end = TokenEnd(redis, keys, settings.canvas_token.get_secret_value())
        self.teacher_digests = TeacherDigests(redis, keys)
        self.provision_runs = ProvisionRuns(redis, keys, RUNS_TTL, LEASE_DURATION)

    def close(self) -> None:
        """Write what is still counted, and close every connection that was opened."""
        self.counter_buffer.close()
        for name in ("canvas", "_canvas_api", "powerschool", "provisioning", "_celery"):
            if name in self.__dict__:
                getattr(self, name).close()
        self.redis.close()

    # The remote systems.

    @cached_property
    def canvas(self) -> CanvasClient:
        """The Canvas client."""
        return canvas_client(self.settings, self.redis, self.keys, self.clock, self.counter_buffer)

    @cached_property
    def _canvas_api(self) -> PagedApi:
        return canvas_api(self.settings, self.redis, self.keys, self.clock, self.counter_buffer)

    @cached_property
    def canvas_account(self) -> CanvasAccount:
        """Reads the courses of the account, and people for pages and messages."""
        return CanvasAccount(self._canvas_api, self.settings.canvas_account)

    @cached_property
    def canvas_grading(self) -> CanvasGrading:
        """Reads how courses grade, and the totals that Canvas shows."""
        return CanvasGrading(self._canvas_api)

    @cached_property
    def powerschool(self) -> PowerSchool:
        """The PowerSchool client."""
        return powerschool(self.settings, self.redis, self.keys, self.clock, self.counter_buffer)

    @property
    def zone(self) -> ZoneInfo:
        """The district's time zone: as set, else PowerSchool's own."""
        return self.settings.district_time_zone or self.powerschool.api.time_zone()

    @cached_property
    def _celery(self) -> Celery:
        return make_app(self.settings)

    # Syncs.

    @cached_property
    def sync_job(self) -> SyncJob:
        """Syncs a claimed course."""
        return SyncJob(
            self.changes,
            lambda: self.course_sync,
            SyncOutcomeHandler(self.changes, self.dead_letters, self.settings.retry_waits, random.random),
            self.lease_renewer,
            partial(count_sync, self.counter_buffer, self.counters),
            self.clock,
            self.stopping,
            partial(requests_wait, self.redis, self.keys, "powerschool"),
        )

    @cached_property
    def lease_renewer(self) -> LeaseRenewer:
        """Renews this process's leases; started by the worker."""
        return LeaseRenewer(self.changes.renew, LEASE_DURATION)

    @cached_property
    def course_reader(self) -> CourseReader:
        """Reads both sides of a course. Building it may ask PowerSchool for its time zone."""
        s = self.settings
        clear_scores = s.cleared_scores is ClearedScores.BLANK
        policy = SyncPolicy(self.zone, s.term_grace_days, s.default_category, clear_scores, s.name_max_chars)
        gradebook, roster = self.powerschool.gradebook, self.powerschool.roster
        return CourseReader(
            self.canvas, roster, gradebook, self.links, self.records, self.clock, policy, self.associations
        )

    @cached_property
    def course_sync(self) -> CourseSync:
        """Makes PowerSchool agree with Canvas for one course."""
        gradebook, roster = self.powerschool.gradebook, self.powerschool.roster
        targets = WriteTargets(gradebook, self.links, self.audit, self.takeovers, self.clock, MAX_SCORES_PER_REQUEST)
        return CourseSync(self.course_reader, targets, roster, self.records, self.associations, self.dead_letters)

    # What people ask for.

    @cached_property
    def explainer(self) -> CourseExplainer:
        """Explains why an assignment or a score is not in PowerSchool."""
        return CourseExplainer(
            lambda: self.course_reader,
            self.records,
            self.dead_letters,
            self.audit,
            self.changes,
            self.pauses,
            self.clock,
            self.activities.of_course,
        )

    @cached_property
    def activities(self) -> CourseActivities:
        """Reads what courses do now, and what they wait for."""
        rates = {"powerschool": timedelta(milliseconds=self.settings.powerschool_min_interval_ms)}
        zone = self.settings.district_time_zone or UTC
        return CourseActivities(
            self.redis, self.keys, self.changes, self.pauses, self.heartbeats, self.clock, rates, zone
        )

    @cached_property
    def category_links(self) -> CategoryLinks:
        """Behind `passback categories`."""
        gradebook, roster = self.powerschool.gradebook, self.powerschool.roster
        return CategoryLinks(self.canvas, roster, gradebook, self.associations, self.clock, self.zone)

    @cached_property
    def readiness_check(self) -> ReadinessCheck:
        """Checks what would keep grades back, course by course."""
        return ReadinessCheck(self.readiness, lambda: self._readiness_sources, self.clock)

    @cached_property
    def _readiness_sources(self) -> ReadinessSources:
        rosters, district, zone = self.powerschool.roster, self.powerschool.district.read, self.zone
        candidates = self._courses_to_check
        formulas = partial(read_formulas, self.powerschool.api)
        weights = WeightReader(self.canvas_grading, formulas, self.clock)
        return ReadinessSources(self.course_reader, self.canvas_account, district, rosters, weights, candidates, zone)

    def _courses_to_check(self) -> Iterator[str]:
        """Yield connected courses, and those with synced work that have not ended."""
        yield from self.records.connected()
        yield from self.canvas.courses_to_sync(self.clock.now())

    @cached_property
    def totals(self) -> TotalsReader:
        """Behind `passback totals`."""
        powerschool = self.powerschool
        section_grading = partial(read_section_grading, powerschool.api)
        return TotalsReader(
            lambda: self.course_reader,
            self.canvas_grading,
            powerschool.gradebook,
            section_grading,
            self.dead_letters,
            self.clock,
        )

    @cached_property
    def verifier(self) -> Verifier:
        """Behind `passback verify`: reads both sides of a course back, and proves what it finds."""
        return Verifier(
            lambda: self.course_reader,
            self.records,
            self.changes,
            self.pauses,
            self.proofs,
            self.proof_keys,
            self.clock,
            self.settings.canvas_url,
            self.settings.powerschool_url,
        )

    @cached_property
    def bulk_sync(self) -> BulkSync:
        """Behind `passback sync --all`: syncs many courses, and follows them to their end."""
        return BulkSync(self.records, self.dead_letters, self.activities.of_course, self.clock)

    @cached_property
    def takeover(self) -> CourseTakeover:
        """Behind `passback takeover`."""
        return CourseTakeover(
            lambda: self.course_reader,
            lambda: self.powerschool.gradebook,
            self.links,
            self.takeovers,
            self.audit,
            self.changes,
        )

    @cached_property
    def takeover_runner(self) -> TakeoverRunner:
        """Takes over the assignments of many courses."""
        return TakeoverRunner(
            self.takeover,
            self.takeovers,
            self.takeover_runs,
            self.records,
            self.course_lists,
            self.changes,
            self.pauses,
            self.dead_letters,
            self.clock,
        )

    @cached_property
    def dead_letter_queue(self) -> DeadLetterQueue:
        """Lists, retries and discards dead letters."""
        request = self.provisioning_service.request
        return DeadLetterQueue(self.dead_letters, self.dead_messages, self.changes, self.clock, request)

    @cached_property
    def erasure(self) -> Erasure:
        """Behind `passback purge`."""
        store = RedisErasure(self.redis, self.keys)
        return Erasure(store, self.erasure_log, self.pauses, self.heartbeats, self.changes.is_being_synced)

    # Provisioning.

    @cached_property
    def provisioning_service(self) -> ProvisioningService:
        """Shows and decides about provisioning runs."""
        request_tick = partial(send_provision_task, lambda: self._celery)
        return ProvisioningService(self.provision_runs, self.pauses, self.clock, request_tick)

    @cached_property
    def provisioning(self) -> ProvisioningContainer:
        """Reads PowerSchool's rosters and imports them into Canvas."""
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
            self.counter_buffer,
        )


def windows_of(settings: Settings) -> DebounceWindow:
    """Return the debounce window of these settings."""
    first = None if settings.first_change_s is None else timedelta(seconds=settings.first_change_s)
    return DebounceWindow(timedelta(seconds=settings.quiet_period_s), timedelta(seconds=settings.max_wait_s), first)


@lru_cache(maxsize=1)
def get_container() -> Container:
    """Return this process's container, made from its settings."""
    return Container(config.load())
