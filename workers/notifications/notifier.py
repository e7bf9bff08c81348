"""Checks what needs people, and tells each target what it was not told yet.

A message is sent at least once: that it is on its way is stored before, and that it arrived after. If the process ends
in between, or the server did not answer in time, it is sent again and says so. Nothing is sent twice otherwise.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from shared.adapters.redis.operations.notifications import Notifications
from shared.clock import Clock
from shared.domain.notifications.messages import Message, message_of
from shared.domain.notifications.rules import (
    Pending,
    begun,
    checked,
    delivered,
    failed,
    failing_key,
    gaps_of,
    is_due,
    may_have_arrived,
    pending,
    with_extra,
    without_extra,
)
from shared.domain.notifications.state import DeliveryFailure, NotificationState, TargetState
from shared.log_events import LogEvent
from workers.alerts import not_judged
from workers.notifications.delivery import Deliver, MessageKind, Target
from workers.notifications.reading import NotifySettings, conditions_of, figures_of
from workers.status import InstallationStatus

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Notifier:
    """One check, and the messages that follow from it. Safe to repeat, and to run in several processes."""

    store: Notifications
    settings: NotifySettings
    clock: Clock
    deliver: Deliver
    can_send: bool

    def run(self, status: InstallationStatus) -> None:
        """Check and send. Does nothing while another process does it.

        Raises: TransientError if another process took over meanwhile.
        """
        with self.store.lease() as token:
            if token is None:
                return
            state = self._checked(status)
            self.store.save(state, token)
            if self.can_send and not self.settings.is_quiet(self.clock.now()):
                for target in self.settings.targets:
                    state = self._tell(target, state, status, token)

    def _checked(self, status: InstallationStatus) -> NotificationState:
        now, ids = self.clock.now(), [target.id for target in self.settings.targets]
        due = self.settings.summary_due(now)
        state = checked(self.store.read(), conditions_of(status), not_judged(status), ids, now, due)
        # This process has the lease: whoever began to send has ended.
        for target in list(state.targets.values()):
            if target.sending_since is not None:
                message = pending(state, target.id, now, due)
                state = _with(state, self._failed(target, message, DeliveryFailure.INTERRUPTED, now))
        for target in list(state.targets.values()):
            state = _with(state, with_extra(target) if self.can_send else without_extra(target, now))
        return state

    def _tell(
        self, target: Target, state: NotificationState, status: InstallationStatus, token: str
    ) -> NotificationState:
        """Send the target what it lacks, if an attempt is due; return the state afterwards."""
        now, of_target = self.clock.now(), state.target(target.id)
        message = pending(state, target.id, now, self.settings.summary_due(now))
        if not is_due(of_target, message, now):
            return state
        sending = begun(of_target, now)
        self.store.save(_with(state, sending), token)
        failure = self.deliver(target, self._written(message, of_target, state, status), _kind(message))
        state = _with(state, self._after(sending, message, failure, now))
        self.store.save(state, token)
        return state

    def _after(
        self, target: TargetState, message: Pending, failure: DeliveryFailure | None, began: datetime
    ) -> TargetState:
        now = self.clock.now()
        if failure is not None and failure is not DeliveryFailure.RECIPIENT_REFUSED:
            return self._failed(target, message, failure, now)
        log.info(
            LogEvent.NOTIFICATION_SENT, target=target.id, opened=len(message.opened), ended=len(message.ended),
            summary=message.summary is not None, duration_ms=round((now - began).total_seconds() * 1000),
        )  # fmt: skip
        arrived = delivered(target, message, now)
        # Others have the message: it is not sent again, and the wrong address is reported.
        return arrived if failure is None else replace(arrived, last_failure=failure, failing_since=now, lost=1)

    def _failed(self, target: TargetState, message: Pending, failure: DeliveryFailure, now: datetime) -> TargetState:
        after = failed(target, message, failure, now)
        if after.lost > target.lost:
            log.error(LogEvent.NOTIFICATION_LOST, target=target.id, cause=failure.value)
        else:
            log.warning(LogEvent.NOTIFICATION_FAILED, target=target.id, cause=failure.value, attempts=after.failed)
        return after

    def _written(
        self, message: Pending, target: TargetState, state: NotificationState, status: InstallationStatus
    ) -> Message:
        settings = self.settings
        others = [each for each in state.open_episodes if each.condition.key != failing_key(target.id)]
        return message_of(
            message, others, figures_of(status), gaps_of(state, target), settings.zone, settings.base_url,
            may_have_arrived=may_have_arrived(target),
        )  # fmt: skip


def end_wait(store: Notifications, target_id: str) -> None:
    """Let the next check try the target again: somebody saw it take a message. Does nothing during a check."""
    with store.lease() as token:
        state = store.read()
        if token is not None and state.target(target_id).next_attempt_at is not None:
            store.save(_with(state, replace(state.target(target_id), next_attempt_at=None)), token)


def _with(state: NotificationState, target: TargetState) -> NotificationState:
    return replace(state, targets={**state.targets, target.id: target})


def _kind(message: Pending) -> MessageKind:
    if message.opened:
        return MessageKind.WARNING
    return MessageKind.SUCCESS if message.ended else MessageKind.INFO
