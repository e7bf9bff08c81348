"""Opens runs at their scheduled time, late if that was missed, and when PowerSchool's rosters have changed.

Asking for PowerSchool's data version is one request; rosters are read only where it changed.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

import structlog

from shared.adapters.redis.client import Lease
from shared.adapters.redis.operations.pauses import Pauses
from shared.adapters.redis.provisioning.runs import ProvisionRuns, ScheduleState
from shared.clock import Clock, last_due
from shared.domain.pauses import EVERYTHING, PROVISIONING
from shared.domain.provisioning.run import RunCause, RunKind
from shared.log_events import LogEvent
from shared.ports.provisioning import RosterFeed

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
