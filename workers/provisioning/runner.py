"""Runs a tick: one worker at a time opens the run that is due and continues the open ones, for a limited time.

A run is due at its scheduled time, late if that was missed, and when PowerSchool's rosters have changed: asking for
PowerSchool's data version is one request, rosters are read only where it changed.

A tick that was lost, repeated or killed does no harm: what is to be done follows from what is stored in Redis.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

import structlog

from shared.adapters.redis.client import Lease
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.provisioning.runs import ProvisionRuns, ScheduleState
from shared.clock import Clock, last_due
from shared.domain.actions import EVERYTHING, PROVISIONING
from shared.domain.causes import Cause
from shared.domain.outcome import Outcome, Retry, Snooze
from shared.domain.provisioning.run import Run, RunCause, RunKind
from shared.errors import LeaseLost, RunChanged
from shared.log_events import LogEvent
from shared.ports.provisioning import RosterFeed
from workers.provisioning.outcome_handler import RunOutcomeHandler
from workers.provisioning.run import ProvisionRun
from workers.runtime.jobs import REDIS_UNAVAILABLE_ERRORS, run_and_classify

log = structlog.get_logger()
# How often PowerSchool is asked whether rosters changed, which makes a run start early.
CHECK_INTERVAL = timedelta(minutes=15)
# PowerSchool notifies per record: one request answers the many notifications of a registrar at work.
MIN_CHECK_INTERVAL = timedelta(seconds=60)


class ProvisionSchedule:
    """Opens runs whose time has come.

    `schedule` is cron, on the clocks of the district; empty: nothing begins by itself, and `zone` is not asked for.
    """

    def __init__(
        self,
        runs: ProvisionRuns,
        feed: RosterFeed,
        pauses: Pauses,
        clock: Clock,
        schedule: str,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._runs = runs
        self._feed = feed
        self._pauses = pauses
        self._clock = clock
        self._schedule = schedule
        self._zone = zone

    def open_due_run(self, lease: Lease) -> None:
        """Open a run if one is due and none is under way. Raises the errors of `shared.errors`."""
        if not self._schedule or self._is_paused() or self._is_under_way():
            return
        state, now = self._runs.schedule_state(), self._clock.now()
        slot = last_due(self._schedule, now, self._zone())
        if state.slot is None or slot > state.slot:
            self._request_run(RunCause.SCHEDULE)
            notified_ms = self._runs.last_notification_ms()
            self._runs.save_schedule_state(lease, replace(state, slot=slot, checked_at=now, hint_ms=notified_ms))
        else:
            self._poll_data_version(lease, state, now)

    def _poll_data_version(self, lease: Lease, state: ScheduleState, now: datetime) -> None:
        notified_ms = self._runs.last_notification_ms()
        since = now - state.checked_at if state.checked_at else CHECK_INTERVAL
        is_notified = notified_ms > state.hint_ms and since >= MIN_CHECK_INTERVAL
        if not is_notified and since < CHECK_INTERVAL:
            return
        version = self._feed.changes_since(state.data_version)
        if version is not None and version.has_changed:
            # A notification alone expires no cache: it is not authenticated.
            self._runs.mark_rosters_changed()
            self._request_run(RunCause.NOTIFICATION if is_notified else RunCause.DATA_VERSION)
        elif version is None and is_notified:
            # This PowerSchool has no data versions.
            self._request_run(RunCause.NOTIFICATION)
        self._runs.save_schedule_state(lease, replace(state, checked_at=now, hint_ms=notified_ms))

    def _request_run(self, cause: RunCause) -> None:
        run = self._runs.open(RunKind.ROSTER, cause, self._clock.now())
        log.info(LogEvent.PROVISION_REQUESTED, run_id=run.id, kind=run.kind, cause=cause)

    def _is_paused(self) -> bool:
        return any(pause.target in (EVERYTHING, PROVISIONING) for pause in self._pauses.all())

    def _is_under_way(self) -> bool:
        return any(run.kind is RunKind.ROSTER for run in self._runs.open_runs())


# A tick ends when this has passed and the step under way is done; the next one continues.
MAX_TICK_DURATION = timedelta(seconds=60)
StopCheck = Callable[[timedelta], bool]
"""Waits for a duration; returns True if this process is told to stop meanwhile."""


class ProvisioningRunner:
    """Continues the open runs, one after the other, under the lease.

    `renewing` renews the lease inside a block; `drain_requests` returns how many requests were sent since the last
    call, by system.
    """

    def __init__(
        self,
        runs: ProvisionRuns,
        schedule: ProvisionSchedule,
        provision_run: ProvisionRun,
        outcome_handler: RunOutcomeHandler,
        pauses: Pauses,
        clock: Clock,
        renewing: Callable[[Lease], AbstractContextManager[None]],
        pause: StopCheck,
        drain_requests: Callable[[], Mapping[str, int]],
    ) -> None:
        self._runs = runs
        self._schedule = schedule
        self._provision_run = provision_run
        self._outcome_handler = outcome_handler
        self._pauses = pauses
        self._clock = clock
        self._renewing = renewing
        self._pause = pause
        self._drain_requests = drain_requests

    def tick(self) -> bool:
        """Run what can be run now; say whether there is more to do at once. Never raises for what a run did."""
        try:
            lease = self._runs.lease()
            if lease is None:
                return False
            with self._renewing(lease):
                return self._run(lease)
        except LeaseLost:
            log.warning(LogEvent.PROVISION_TICK_ERROR, cause=Cause.LEASE_LOST)
        except REDIS_UNAVAILABLE_ERRORS:
            # Without Redis nothing can be released: the lease expires, and the next tick continues.
            log.warning(LogEvent.PROVISION_TICK_ERROR, cause=Cause.REDIS_UNAVAILABLE)
        return False

    def _run(self, lease: Lease) -> bool:
        try:
            self._schedule_due(lease)
            return self._process_open_runs(lease, until=self._clock.now() + MAX_TICK_DURATION)
        finally:
            self._runs.release(lease)

    def _schedule_due(self, lease: Lease) -> None:
        """Open a run that is due. Where that fails, open runs are continued all the same."""
        outcome: Outcome | None = run_and_classify(
            lambda: self._schedule.open_due_run(lease), LogEvent.PROVISION_UNEXPECTED_ERROR, run_id=None
        )
        if outcome is not None:
            cause = outcome.cause if isinstance(outcome, Snooze) else _cause_of(outcome)
            log.warning(LogEvent.PROVISION_TICK_ERROR, cause=cause)

    def _process_open_runs(self, lease: Lease, until: datetime) -> bool:
        while (run := self._next()) is not None:
            now = self._clock.now()
            wait = (run.not_before - now) if run.not_before else timedelta(0)
            if now >= until or now + wait > until:
                # The next tick follows at once for a wait that fits into one; else beat starts it.
                return wait <= MAX_TICK_DURATION
            if wait > timedelta(0) and self._pause(wait):
                return False
            self._step(run, lease)
            if self._pause(timedelta(0)):
                return False
        return False

    def _step(self, run: Run, lease: Lease) -> None:
        after = self._outcome_handler.run_step(run, lease, lambda: self._provision_run.advance(run, lease))
        after = self._with_requests(after, lease)
        if not after.state.is_open:
            self._log_end(after)

    def _with_requests(self, run: Run, lease: Lease) -> Run:
        """Save how many requests a step sent; a person may decide meanwhile about a run that the step held."""
        spent = self._drain_requests()
        while spent:
            try:
                return self._runs.save(lease, replace(run, requests=_sum(run.requests, spent)))
            except RunChanged:
                run = self._runs.find(run.id) or run
        return run

    def _next(self) -> Run | None:
        """Return the next open run that is not paused; pausing provisioning stops no rollback and no dry run."""
        paused = {pause.target for pause in self._pauses.all()}
        if EVERYTHING in paused:
            return None
        may_go_on = (
            run for run in self._runs.open_runs() if run.kind is not RunKind.ROSTER or PROVISIONING not in paused
        )
        return next(may_go_on, None)

    def _log_end(self, run: Run) -> None:
        since = run.started_at or run.created_at
        log.info(
            LogEvent.PROVISION_FINISHED, run_id=run.id, kind=run.kind, state=run.state, imports=len(run.uploads),
            requests=dict(run.requests), duration_ms=round((self._clock.now() - since).total_seconds() * 1000),
        )  # fmt: skip


def _cause_of(outcome: Outcome) -> str:
    match outcome:
        case Retry(failures=failures):
            return failures[0].cause
        case Snooze(cause=cause):
            return cause
        case _:
            return getattr(getattr(outcome, "failure", None), "cause", "")


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
