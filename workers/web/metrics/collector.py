"""Reads the current value of every metric, a function per group, as Prometheus's library collects them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import accumulate
from typing import Any, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.adapters.redis.remote_limits.remote_limiter import SYSTEMS
from shared.domain.actions import EVERYTHING, PROVISIONING
from shared.domain.metrics import EVENT_BOUNDS_S, OVERFLOW, REQUEST_BOUNDS_S, SUM_MS, CounterName
from shared.domain.plugin import QUERY_FAULTS
from shared.domain.provisioning.run import RunKind, RunState
from shared.queues import Queue, Stream
from workers.container import Container
from workers.grade_passback.sync_job import REPAIRS
from workers.school_hours import SchoolHours
from workers.status import rates_of
from workers.web.metrics import definitions as of
from workers.web.metrics.definitions import METRICS, Metric

PROCESS_KINDS = ("web", "worker", "beat")
TOKEN_CALL = "POST /oauth/access_token"  # noqa: S105  # the name of a call
AUDIT_COUNT_INTERVAL = timedelta(minutes=5)
RUNS_LIMIT = 100


Histogram = tuple[list[tuple[str, float]], float]
"""Durations: by upper bound how many took no longer, and their sum in seconds."""
Value = float | Histogram
_FAMILIES = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}
Sample = tuple[Metric, tuple[str, ...], Value]


class MetricsCollector(Collector):
    """Reads the current value of every metric whenever it is asked."""

    def __init__(self, service: Container) -> None:
        self._service = service
        self._gauges = QueueStats(service.redis, service.keys)
        self._school_hours = SchoolHours(service)
        self._audit_counted: tuple[datetime, int] | None = None

    def samples(self) -> list[Sample]:
        """Return all of them; without Redis, those that need none."""
        try:
            return [*self._process(redis_up=True), *self._from_redis()]
        except RedisError:
            return list(self._process(redis_up=False))

    def collect(self) -> Iterator[Family]:
        """Yield a family per metric that has samples, in the order of the definitions."""
        by_metric: dict[Metric, list[Sample]] = {}
        for sample in self.samples():
            by_metric.setdefault(sample[0], []).append(sample)
        for metric in METRICS:
            if metric in by_metric:
                yield _family(metric, by_metric[metric])

    def _process(self, *, redis_up: bool) -> Iterator[Sample]:
        yield of.BUILD_INFO, (version("passback"),), 1
        yield of.REDIS_UP, (), int(redis_up)
        in_school = self._school_hours.now()
        if in_school is not None:
            yield of.SCHOOL_HOURS, (), int(in_school)

    def _from_redis(self) -> Iterator[Sample]:
        yield from self._events()
        yield from self._courses()
        yield from self._syncs()
        yield from self._remote_systems()
        yield from self._dead_letters()
        yield from self._processes()
        yield from provisioning_samples(self._service.provision_runs, self._service.clock.now())
        yield from self._memory()

    def _events(self) -> Iterator[Sample]:
        yield from self._counters(of.EVENTS, CounterName.EVENTS)
        service, now = self._service, self._gauges.now()
        last_event = service.changes.last_event_at()
        if last_event is not None:
            yield of.LAST_EVENT_AGE, (), _seconds(now - last_event)
        yield of.STREAM_LAG, (), service.changes.pending_messages()
        for stream in Stream:
            gauge = self._gauges.stream(stream)
            yield of.STREAM_ENTRIES, (stream,), gauge.entries
            yield of.STREAM_OLDEST, (stream,), _age(gauge.oldest_unfolded_at, now)
        for queue in Queue:
            yield of.QUEUE_MESSAGES, (queue,), self._gauges.queue(queue)
        yield of.UNKNOWN_CHANGES, (), service.unknown_changes.count()

    def _courses(self) -> Iterator[Sample]:
        service = self._service
        for state, count in service.changes.counts()._asdict().items():
            yield of.COURSES, (state,), count
        yield of.COURSES_CONNECTED, (), service.records.count()
        yield of.OLDEST_WAITING, (), _age(self._gauges.oldest_waiting(), self._gauges.now())
        targets = [pause.target for pause in service.pauses.all()]
        yield of.PAUSED, (EVERYTHING,), targets.count(EVERYTHING)
        yield of.PAUSED, (PROVISIONING,), targets.count(PROVISIONING)
        yield of.PAUSED, ("courses",), len(set(targets) - {EVERYTHING, PROVISIONING})

    def _syncs(self) -> Iterator[Sample]:
        yield from self._counters(of.SYNCS, CounterName.SYNCS)
        seconds = {labels[0]: number for labels, number in self._gauges.counter(CounterName.EVENT_SECONDS).items()}
        yield of.EVENT_SECONDS, (), _histogram(seconds, EVENT_BOUNDS_S)
        for metric, name in ((of.WRITTEN, CounterName.WRITTEN), (of.REPAIRS, REPAIRS)):
            counted = self._gauges.counter(name)
            for what in ("assignments", "scores"):
                yield metric, (what,), counted.get((what,), 0)

    def _remote_systems(self) -> Iterator[Sample]:
        yield from self._counters(of.REQUESTS, CounterName.REQUESTS)
        yield from self._tokens()
        seconds = self._gauges.counter(CounterName.REQUEST_SECONDS)
        for system in SYSTEMS:
            of_system = {labels[1]: number for labels, number in seconds.items() if labels[0] == system}
            yield of.REQUEST_SECONDS, (system,), _histogram(of_system, REQUEST_BOUNDS_S)
            gauge = self._gauges.system(system)
            yield of.SYSTEM_UNAVAILABLE, (system,), int(gauge.is_unavailable)
            yield of.SYSTEM_PAUSED, (system,), gauge.paused_s
            yield of.SYSTEM_FAILURES, (system,), gauge.failures
        for rate in rates_of(self._service):
            yield of.REQUEST_INTERVAL, (rate.system,), _seconds(rate.interval)
            yield of.REQUEST_INTERVAL_CONFIGURED, (rate.system,), _seconds(rate.configured)
        yield from self._counters(of.FAILURES, CounterName.FAILURES_BY_KIND)
        yield from self._counters(of.LTI_LAUNCHES, CounterName.LTI_LAUNCHES)
        faults = Counter(query.fault for query in self._service.unavailable_queries.all())
        for fault in QUERY_FAULTS.values():
            yield of.QUERIES_UNAVAILABLE, (fault,), faults[fault]

    def _tokens(self) -> Iterator[Sample]:
        fetches = Counter({"ok": 0, "failed": 0})
        for (_, call, status), number in self._gauges.counter(CounterName.REQUESTS).items():
            if call == TOKEN_CALL:
                fetches["ok" if status == "2xx" else "failed"] += number
        for result, number in fetches.items():
            yield of.TOKENS, (result,), number

    def _dead_letters(self) -> Iterator[Sample]:
        for cause, count in self._service.dead_letters.causes().items():
            yield of.DEAD_LETTERS, (cause,), count
        yield of.POISON, (), self._service.dead_messages.count()

    def _processes(self) -> Iterator[Sample]:
        heartbeats = self._service.heartbeats.all()
        counts = Counter((each.process.partition("@")[0], "gone" if each.is_stale else "alive") for each in heartbeats)
        for kind in sorted({*PROCESS_KINDS, *(kind for kind, _ in counts)}):
            for state in ("alive", "gone"):
                yield of.PROCESSES, (kind, state), counts[kind, state]
            ages = [each.age for each in heartbeats if each.process.partition("@")[0] == kind]
            if ages:
                yield of.HEARTBEAT_AGE, (kind,), _seconds(min(ages))

    def _memory(self) -> Iterator[Sample]:
        memory = self._gauges.memory()
        yield of.REDIS_MEMORY, (), memory.used
        if memory.ratio is not None:
            yield of.REDIS_MEMORY_LIMIT, (), memory.limit
            yield of.REDIS_MEMORY_RATIO, (), memory.ratio
        yield of.AUDIT_ENTRIES, (), self._audit_entries()

    def _audit_entries(self) -> int:
        now = self._service.clock.now()
        if self._audit_counted is None or now - self._audit_counted[0] >= AUDIT_COUNT_INTERVAL:
            self._audit_counted = now, self._gauges.audit_entries()
        return self._audit_counted[1]

    def _counters(self, metric: Metric, name: CounterName) -> Iterator[Sample]:
        for labels, number in self._gauges.counter(name).items():
            # Labels of another version, which this one does not know, are not shown under wrong names.
            if len(labels) == len(metric.labels):
                yield metric, labels, number


def provisioning_samples(runs: ProvisionRuns, now: datetime) -> Iterator[Sample]:
    """Yield the samples about runs; no age of a success where none of the newest runs succeeded."""
    rosters = [run for run in runs.newest(RUNS_LIMIT) if run.kind == RunKind.ROSTER]
    for state, count in Counter(str(run.state) for run in rosters).items():
        yield of.PROVISIONING_RUNS, (state,), count
    # What a person approved of one school says nothing about the others.
    of_district = (run for run in rosters if run.state == RunState.DONE and run.school_number is None)
    succeeded = [run.finished_at for run in of_district if run.finished_at is not None]
    if succeeded:
        yield of.PROVISIONING_SUCCESS_AGE, (), max(0.0, (now - max(succeeded)).total_seconds())
    awaiting_approval = Counter("district" if run.school_number is None else "school" for run in runs.held_runs())
    for scope in ("district", "school"):
        yield of.PROVISIONING_AWAITING_APPROVAL, (scope,), awaiting_approval[scope]


def _family(metric: Metric, samples: Iterable[Sample]) -> Family:
    family: Any = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
    for _, labels, value in samples:
        if isinstance(value, tuple):
            buckets, sum_s = value
            family.add_metric(labels, buckets=buckets, sum_value=sum_s)
        else:
            family.add_metric(labels, value)
    return cast("Family", family)


def _histogram(counted: Mapping[str, int], bounds: Sequence[float]) -> Histogram:
    names = [*(f"{bound:g}" for bound in bounds), OVERFLOW]
    running = accumulate(float(counted.get(name, 0)) for name in names)
    return list(zip(names, running, strict=True)), counted.get(SUM_MS, 0) / 1000


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else _seconds(now - since)


def _seconds(duration: timedelta) -> float:
    return round(max(timedelta(0), duration).total_seconds(), 3)
