"""Decides what is told: conditions and the time in, episodes and what a target lacks out.

A condition is told once it lasted as long as its code asks for, and its end once it stayed away. One that comes and
goes has to stay away longer each time, so that it becomes one long episode instead of many messages.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.notifications.state import (
    Condition,
    DeliveryFailure,
    Episode,
    Gap,
    NotificationState,
    TargetState,
)

DEFAULT_DELAY = timedelta(minutes=5)
AT_ONCE = timedelta(0)
# How long a condition lasts before it is told. None: it is in the daily summary only.
DELAYS: Mapping[str, timedelta | None] = {
    "dead_letters": AT_ONCE,
    "dead_letters_full": AT_ONCE,
    "plan_held": AT_ONCE,
    "provisioning_failed": AT_ONCE,
    "provisioning_stale": AT_ONCE,
    # The status waits before it says so: five minutes, half an hour of school.
    "waiting_long": AT_ONCE,
    "provisioning_waits": AT_ONCE,
    "silence": AT_ONCE,
    "token_ends": AT_ONCE,
    "powerschool_query_missing": AT_ONCE,
    "powerschool_query_not_granted": AT_ONCE,
    "powerschool_query_outdated": AT_ONCE,
    # A restart for maintenance is over by then. The Prometheus alerts wait as long.
    "system_unwell": timedelta(minutes=10),
    "redis_memory": timedelta(minutes=10),
    "no_provisioning_worker": timedelta(minutes=10),
    "overdue": timedelta(minutes=15),
    "courses_stale": timedelta(minutes=30),
    # Somebody did it on purpose: what is told is that it was forgotten.
    "paused": timedelta(hours=4),
    # Every restart leaves a process behind that was last seen a while ago.
    "process_gone": None,
}
CLEAR_AFTER = timedelta(minutes=10)
MAX_CLEAR_AFTER = timedelta(hours=6)
# Within this time a condition that comes back counts as returned.
RETURNS_WITHIN = timedelta(hours=24)
# The waits between the attempts to deliver one message. There is one attempt more than waits.
RETRY_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
GAP_AFTER = timedelta(minutes=15)
GAPS_STORED = 10


@dataclass(frozen=True, slots=True)
class Pending:
    """What a target was not told yet: episodes that began, episodes that ended, the daily summary of `summary`."""

    opened: tuple[Episode, ...] = ()
    ended: tuple[Episode, ...] = ()
    summary: datetime | None = None

    def __bool__(self) -> bool:
        """Say whether there is anything to tell."""
        return bool(self.opened or self.ended or self.summary)


def checked(
    state: NotificationState,
    found: Iterable[Condition],
    not_judged: Collection[str],
    target_ids: Collection[str],
    now: datetime,
    summary_due: datetime,
) -> NotificationState:
    """Return the state after a check that found these conditions. Codes of `not_judged` stay as they were.

    Targets that are not configured any more are dropped; a new one begins with the next daily summary.
    """
    targets = {an_id: state.targets.get(an_id, TargetState(an_id, summary=summary_due)) for an_id in target_ids}
    notified = frozenset[str]().union(*(target.notified for target in targets.values()))
    conditions = {condition.key: condition for condition in found}
    episodes = {key: _seen(condition, state.episodes.get(key), now) for key, condition in conditions.items()}
    for key, episode in state.episodes.items():
        if key not in conditions and (unseen := _not_seen(episode, not_judged, now, is_notified=key in notified)):
            episodes[key] = unseen
    return NotificationState(now, episodes, targets, _gaps(state, now))


def _seen(condition: Condition, episode: Episode | None, now: datetime) -> Episode:
    if episode is None:
        return Episode(condition, now)
    if not episode.is_over:
        return replace(episode, condition=condition, absent_since=None)
    return Episode(condition, now, returns=episode.returns + 1)


def _not_seen(episode: Episode, not_judged: Collection[str], now: datetime, *, is_notified: bool) -> Episode | None:
    """Return the episode of a condition that was not found; None once nobody has to know of it."""
    if episode.ended_at is not None:
        return episode if is_notified or now - episode.ended_at < RETURNS_WITHIN else None
    if episode.condition.code in not_judged:
        return replace(episode, absent_since=None)
    if episode.absent_since is None:
        return replace(episode, absent_since=now)
    if now - episode.absent_since >= clear_after(episode):
        return replace(episode, ended_at=episode.absent_since)
    return episode


def clear_after(episode: Episode) -> timedelta:
    """Return how long the condition has to stay away for its end: twice as long for each return."""
    doubled: int = 2 ** min(episode.returns, 10)
    return min(CLEAR_AFTER * doubled, MAX_CLEAR_AFTER)


def _gaps(state: NotificationState, now: datetime) -> tuple[Gap, ...]:
    if state.checked_at is None or now - state.checked_at < GAP_AFTER or not state.targets:
        return state.gaps
    return (*state.gaps, Gap(state.checked_at, now))[-GAPS_STORED:]


def pending(state: NotificationState, target_id: str, now: datetime, summary_due: datetime) -> Pending:
    """Return what the target lacks now. What began and ended without it being told is left out."""
    target = state.target(target_id)
    is_summary_due = target.summary is not None and target.summary < summary_due
    # The summary lists what is open, so that it does not have to be told once more.
    at = datetime.max.replace(tzinfo=now.tzinfo) if is_summary_due else now
    unnotified = {
        key: each for key, each in state.episodes.items() if key not in target.notified | {failing_key(target_id)}
    }
    opened = [each for each in unnotified.values() if _is_long_enough(each, at)]
    ended = [each for key, each in state.episodes.items() if key in target.notified and each.is_over]
    return Pending(
        tuple(sorted(opened, key=lambda each: each.since)),
        tuple(sorted(ended, key=lambda each: each.since)),
        summary_due if is_summary_due else None,
    )


def gaps_of(state: NotificationState, target: TargetState) -> list[Gap]:
    """Return the times without checks of which no summary has told the target."""
    return [gap for gap in state.gaps if target.summary is None or gap.end > target.summary]


def failing_key(target_id: str) -> str:
    """Return the key of the condition that this target takes no messages: the target itself is not told of it."""
    return f"notify_failed:{target_id}"


def _is_long_enough(episode: Episode, now: datetime) -> bool:
    delay = DELAYS.get(episode.condition.code, DEFAULT_DELAY)
    is_here = not episode.is_over and episode.absent_since is None
    return is_here and delay is not None and now - episode.since >= delay


def is_due(target: TargetState, message: Pending, now: datetime) -> bool:
    """Say whether an attempt is due: there is something to tell, and the wait after a failure is over."""
    waits = target.next_attempt_at is not None and now < target.next_attempt_at
    return bool(message) and not waits


def may_have_arrived(target: TargetState) -> bool:
    """Say whether the message before may be there, though its delivery was not recorded: the next one says so."""
    return target.last_failure in (DeliveryFailure.INTERRUPTED, DeliveryFailure.TIMED_OUT)


def begun(target: TargetState, now: datetime) -> TargetState:
    """Return the target while a message is on its way. Stored first, so that an interruption is known afterwards."""
    return replace(target, sending_since=now)


def delivered(target: TargetState, message: Pending, now: datetime) -> TargetState:
    """Return the target once it has the message."""
    return TargetState(target.id, _notified_after(target, message), message.summary or target.summary, delivered_at=now)


def failed(target: TargetState, message: Pending, failure: DeliveryFailure, now: datetime) -> TargetState:
    """Return the target after an attempt that failed. After the last one the message counts as told and as lost."""
    attempts, since = target.failed + 1, target.failing_since or now
    tried = replace(target, sending_since=None, failed=attempts, failing_since=since, last_failure=failure)
    if attempts <= len(RETRY_WAITS):
        return replace(tried, next_attempt_at=now + RETRY_WAITS[attempts - 1])
    return replace(
        tried,
        notified=_notified_after(target, message),
        summary=message.summary or target.summary,
        failed=0,
        next_attempt_at=None,
        lost=target.lost + 1,
    )


def without_extra(target: TargetState, now: datetime) -> TargetState:
    """Return the target while nothing can be sent at all. Nothing is lost: no attempt is spent."""
    return replace(target, last_failure=DeliveryFailure.EXTRA_MISSING, failing_since=target.failing_since or now)


def with_extra(target: TargetState) -> TargetState:
    """Return the target once the extra is there."""
    if target.last_failure is not DeliveryFailure.EXTRA_MISSING:
        return target
    return replace(target, last_failure=None, failing_since=None)


def _notified_after(target: TargetState, message: Pending) -> frozenset[str]:
    opened = {episode.condition.key for episode in message.opened}
    return (target.notified | opened) - {episode.condition.key for episode in message.ended}
