"""Reads how the whole installation is doing: what `GET /` and `GET /api/v1/status` show. Reads Redis only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.adapters.redis.operations.heartbeats import Heartbeat
from shared.adapters.redis.remote_limits.remote_limiter import CircuitState, SystemRate, system_pauses
from shared.adapters.redis.sync_queue.store import Counts, LongWait, WaitingCourse
from shared.domain.actions import Action
from shared.domain.metrics import HourlyLatency
from shared.domain.passback.course_summary import AssignmentStatus
from shared.domain.pauses import Pause
from shared.domain.plugin_queries import UnavailableQuery
from shared.domain.provisioning.run import Run, RunKind
from workers.container import Container
from workers.status import TOO_LONG, rates_of
from workers.web.metrics.school_hours import SchoolHours

COURSES_LIMIT = 10
ACTIONS_LIMIT = 5
HOURS_LIMIT = 24
RUNS_LIMIT = 10
# As long as the alert PassbackSilentInSchoolHours waits.
SILENCE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the Overview shows, as of `now`."""

    now: datetime
    courses: Counts
    connected: int
    with_problems: int
    statuses: dict[AssignmentStatus, int]
    waiting: list[WaitingCourse]
    messages: int
    unknown_changes: int
    dead_letters: int
    dead_letters_warning: str | None
    last_event_at: datetime | None
    silence_matters: bool
    processes: list[Heartbeat]
    pauses: list[Pause]
    system_pauses: list[CircuitState]
    rates: list[SystemRate]
    unavailable_queries: list[UnavailableQuery]
    long_waits: list[LongWait]
    hours: list[HourlyLatency]
    actions: list[Action]
    last_run: Run | None
    held_runs: Sequence[Run]

    @property
    def retrying(self) -> int:
        """Return how many assignments will be retried: those with a newer dead letter will not."""
        return max(0, self.statuses[AssignmentStatus.RETRYING] - self.dead_letters)


def overview(service: Container) -> Overview:
    """Return the overview as of now."""
    now = service.clock.now()
    changes, totals = service.changes, service.course_lists.totals()
    return Overview(
        now=now,
        courses=changes.counts(),
        connected=service.records.count(),
        with_problems=totals.with_problems,
        statuses=totals.assignments,
        waiting=changes.waiting(COURSES_LIMIT),
        messages=changes.pending_messages(),
        unknown_changes=service.unknown_changes.count(),
        dead_letters=service.dead_letter_queue.count(),
        dead_letters_warning=service.dead_letter_queue.warning(),
        last_event_at=changes.last_event_at(),
        silence_matters=SchoolHours(service).have_lasted(SILENCE),
        processes=service.heartbeats.all(),
        pauses=service.pauses.all(),
        system_pauses=system_pauses(service.redis, service.keys),
        rates=rates_of(service),
        unavailable_queries=service.unavailable_queries.all(),
        long_waits=changes.long_waits(TOO_LONG),
        hours=service.timings.hours(now, HOURS_LIMIT),
        actions=service.actions.newest(ACTIONS_LIMIT),
        last_run=next(
            (run for run in service.provision_runs.newest(RUNS_LIMIT) if run.kind is not RunKind.DRY_RUN), None
        ),
        held_runs=service.provision_runs.held_runs(),
    )
