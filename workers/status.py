"""Reads how the whole installation is doing: for `passback status`, the Overview page and the API. Reads Redis only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import ResponseError

from shared.adapters.redis.course_data.course_index import CourseListItem
from shared.adapters.redis.operations.processes import Heartbeat
from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.adapters.redis.remote_limits.outages import Outage, read_outages
from shared.adapters.redis.remote_limits.remote_limiter import SystemRate, system_rates
from shared.adapters.redis.sync_queue.store import Counts, LongWait, WaitingCourse
from shared.domain.actions import Action, Pause
from shared.domain.causes import Cause, Scope
from shared.domain.metrics import HourlyLatency
from shared.domain.notifications.state import NotificationState
from shared.domain.notifications.teachers import Digest
from shared.domain.passback.course_state import AssignmentStatus
from shared.domain.plugin import UnavailableQuery
from shared.domain.provisioning.run import Run, RunKind
from shared.queues import Queue, Stream
from workers.container import Container
from workers.grade_passback.explain.response import pause_json
from workers.grade_passback.sync_job import REPAIRS
from workers.school_hours import SchoolHours

# A course that waits longer is a problem that somebody should know of.
LONG_WAIT = timedelta(minutes=5)
# A course that so many passes over all courses did not compare is stale.
STALE_PASSES = 2
COURSES_LIMIT = 20
RUNS_LIMIT = 20
ACTIONS_LIMIT = 5
HOURS_LIMIT = 24
# The alert PassbackSilentInSchoolHours waits as long.
SILENCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class InstallationStatus:
    """The status as of `now`.

    `tasks` has the messages of each Celery queue, `statuses` the assignments of all courses by status. `last_run` is no
    dry run; `held_runs` wait for a person. `oldest_message_at` is None where every message was read; `stale_courses`
    were not compared for twice the time of a pass; `redis_memory` is the used part, None where that is not told.
    `token_refused_at` is since when Canvas refuses the token.
    """

    now: datetime
    courses: Counts
    connected: int
    with_problems: int
    statuses: dict[AssignmentStatus, int]
    waiting: list[WaitingCourse]
    messages: int
    oldest_message_at: datetime | None
    stale_courses: int
    redis_memory: float | None
    tasks: dict[str, int]
    unknown_changes: int
    dead_letters: int
    dead_letter_causes: Mapping[str, int]
    dead_letters_warning: str | None
    repairs: Mapping[str, int]
    last_event_at: datetime | None
    silence_matters: bool
    processes: list[Heartbeat]
    pauses: list[Pause]
    outages: list[Outage]
    rates: list[SystemRate]
    unavailable_queries: list[UnavailableQuery]
    long_waits: list[LongWait]
    hours: list[HourlyLatency]
    actions: list[Action]
    last_run: Run | None
    held_runs: Sequence[Run]
    notifications: NotificationState
    teacher_digest: Digest | None
    token_ends_at: datetime | None
    token_refused_at: datetime | None

    @property
    def retrying(self) -> int:
        """Return how many assignments will be retried: those with a newer dead letter will not."""
        return max(0, self.statuses[AssignmentStatus.RETRYING] - self.dead_letters)


def read_status(service: Container) -> InstallationStatus:
    """Return the status now."""
    now, reconcile_interval = service.clock.now(), timedelta(seconds=service.settings.reconcile_interval_s)
    changes, totals = service.changes, service.course_lists.totals()
    runs = (run for run in service.provision_runs.newest(RUNS_LIMIT) if run.kind is not RunKind.DRY_RUN)
    stats, celery = QueueStats(service.redis, service.keys), f"{service.settings.redis_prefix}:celery:"
    return InstallationStatus(
        now=now,
        courses=changes.counts(),
        connected=service.records.count(),
        with_problems=totals.with_problems,
        statuses=totals.assignments,
        waiting=changes.waiting(COURSES_LIMIT),
        messages=changes.pending_messages(),
        oldest_message_at=min(filter(None, (stats.stream(each).oldest_unfolded_at for each in Stream)), default=None),
        stale_courses=service.records.count_older_than(now - STALE_PASSES * reconcile_interval),
        redis_memory=_memory_share(stats),
        tasks={queue.value: service.redis.llen(f"{celery}{queue}") for queue in Queue},
        unknown_changes=service.unknown_changes.count(),
        dead_letters=service.dead_letter_queue.count(),
        dead_letter_causes=service.dead_letter_queue.counts_by_cause(),
        dead_letters_warning=service.dead_letter_queue.warning(),
        repairs=service.counters.read(REPAIRS),
        last_event_at=changes.last_event_at(),
        silence_matters=SchoolHours(service).have_lasted(SILENCE),
        processes=service.heartbeats.all(),
        pauses=service.pauses.all(),
        outages=read_outages(service.redis, service.keys),
        rates=rates_of(service),
        unavailable_queries=service.unavailable_queries.all(),
        long_waits=[wait for wait in changes.long_waits(timedelta(0)) if _is_problem(wait, now)],
        hours=service.counters.hours(now, HOURS_LIMIT),
        actions=service.actions.newest(ACTIONS_LIMIT),
        last_run=next(runs, None),
        held_runs=service.provision_runs.held_runs(),
        notifications=service.notifications.read(),
        teacher_digest=service.teacher_digests.read(),
        token_ends_at=service.token_end.read(),
        token_refused_at=service.token_end.refused_since(),
    )


def _memory_share(stats: QueueStats) -> float | None:
    """Return the used part of Redis's memory; None where the server has no INFO, as the fake one."""
    try:
        return stats.memory().ratio
    except ResponseError:
        return None


def _is_problem(wait: LongWait, now: datetime) -> bool:
    """Say whether somebody should know of a wait: at once where it concerns all courses, such as a refused token."""
    return now - wait.since >= LONG_WAIT or Cause(wait.cause).scope is Scope.DISTRICT


def status_json(status: InstallationStatus) -> dict[str, object]:
    """Return the status as `passback status --json` has it."""
    run, held = status.last_run, [run.id for run in status.held_runs]
    last = {} if run is None else {"run_id": run.id, "state": run.state.value, "at": run.created_at.isoformat()}
    return {
        "processes": [
            {"process": p.process, "state": "gone" if p.is_stale else "alive", "age_s": round(p.age.total_seconds(), 1)}
            for p in status.processes
        ],
        "messages": status.messages,
        "tasks": status.tasks,
        "courses": {
            "due": status.courses.due,
            "woken": status.courses.claimed,
            "syncing": status.courses.leased,
            "connected": status.connected,
        },
        "waiting": [
            {"course_id": w.course_id, "due_at": w.due_at.isoformat(), "changes": w.changes} for w in status.waiting
        ],
        "unknown_changes": status.unknown_changes,
        "dead_letters": status.dead_letters,
        "dead_letters_warning": status.dead_letters_warning,
        "paused": [pause_json(pause) for pause in status.pauses],
        "unavailable_queries": [
            {"query": q.name, "cause": q.fault.value, "since": q.since.isoformat(), "remedy": q.fault.remedy}
            for q in status.unavailable_queries
        ],
        "long_waits": [
            {"course_id": w.course_id, "cause": w.cause, "since": w.since.isoformat()} for w in status.long_waits
        ],
        "repairs": {"assignments": 0, "scores": 0, **status.repairs},
        "last_provisioning": {**last, "held": held[0] if held else None},
        "held_provisioning": [{"run_id": run.id, "school_number": run.school_number} for run in status.held_runs],
        "last_event_at": status.last_event_at.isoformat() if status.last_event_at else None,
        "request_interval_ms": {rate.system: rate_json(rate) for rate in status.rates},
        "paused_systems": {
            outage.system: max(0.0, (outage.paused_until - status.now).total_seconds())
            for outage in status.outages
            if outage.paused_until is not None
        },
        "unavailable_systems": [
            {"system": each.system, "cause": each.cause, "since": each.since.isoformat() if each.since else None}
            for each in status.outages
        ],
        "stale_courses": status.stale_courses,
        "canvas_token": {
            "ends_at": status.token_ends_at.isoformat() if status.token_ends_at else None,
            "refused_since": status.token_refused_at.isoformat() if status.token_refused_at else None,
        },
    }


def course_json(course: CourseListItem) -> dict[str, object]:
    """Return a course of the list; the results of its last sync are None before the first."""
    summary = course.summary
    last_sync = {
        name: getattr(summary, name, None)
        for name in (
            "name", "synced_at", "assignments", "scores_wanted", "scores_there", "students_held_back", "schools",
            "terms", "sections",
        )
    }  # fmt: skip
    counts = {"dead_letters": course.dead_letters, "has_problems": course.has_problems}
    return {"course_id": course.course_id, **last_sync, **counts}


def rates_of(service: Container) -> list[SystemRate]:
    """Return the rate at which all workers together call each system now, and the rate that the settings allow."""
    powerschool_interval = timedelta(milliseconds=service.settings.powerschool_min_interval_ms)
    return system_rates(service.redis, service.keys, {"powerschool": powerschool_interval})


def rate_json(rate: SystemRate) -> dict[str, object]:
    """Return the interval between two requests as it is now and as configured, in whole milliseconds."""
    now, configured = (round(interval / timedelta(milliseconds=1)) for interval in (rate.interval, rate.configured))
    return {"now": now, "configured": configured, "learnt": rate.is_learnt}
