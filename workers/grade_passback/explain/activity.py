"""Says what happens to a course now: its pending changes, what they wait for, and when they are tried again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.operations.processes import Heartbeats
from shared.adapters.redis.remote_limits.outages import SYSTEM_NAMES, Outage, read_outages
from shared.adapters.redis.remote_limits.remote_limiter import SystemRate, system_rates
from shared.adapters.redis.sync_queue.store import CourseQueueState, LongWait, QueueState, SyncQueue
from shared.clock import Clock
from shared.domain.actions import EVERYTHING, Pause
from shared.domain.causes import Cause
from shared.domain.passback.changes import PendingChanges
from shared.domain.wording import counted

# At shorter intervals a course does not wait noticeably.
SLOW_INTERVAL = timedelta(seconds=1)
UP_TO_DATE = CourseQueueState(QueueState.IDLE, None, None)


class Activity(StrEnum):
    """What a course does now, or what keeps it from being synced. The first that applies is the state."""

    SYNCING = "syncing"
    PAUSED = "paused"
    NO_WORKER = "no_worker"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    RETRYING = "retrying"
    DEFERRED = "deferred"
    WAITING = "waiting"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class CourseActivity:
    """What is known of a course's pending work at `now`.

    `taken` are the changes of a running sync, `wait` why an earlier attempt is not done. `unread` counts the messages
    of all courses that no worker has read yet, `dead_letters` the open ones of the course. Times in sentences are in
    `zone`.
    """

    now: datetime
    queue: CourseQueueState = UP_TO_DATE
    taken: PendingChanges | None = None
    wait: LongWait | None = None
    pause: Pause | None = None
    outages: Sequence[Outage] = ()
    rates: Sequence[SystemRate] = ()
    has_worker: bool = True
    unread: int = 0
    zone: tzinfo = field(default=UTC)
    dead_letters: int = 0

    @property
    def changed_assignment_ids(self) -> frozenset[str]:
        """Return the assignments of which a change is not synced yet, as far as events named them."""
        return frozenset().union(*(c.assignment_ids for c in (self.queue.pending, self.taken) if c is not None))

    @property
    def is_waiting(self) -> bool:
        """Say whether changes wait for a sync that has not begun."""
        return self.queue.queue_state in (QueueState.DUE, QueueState.CLAIMED)

    @property
    def is_overdue(self) -> bool:
        """Say whether the course could be synced already."""
        return self.is_waiting and (self.queue.until is None or self.queue.until <= self.now)

    @property
    def next_attempt_at(self) -> datetime | None:
        """Return when the waiting changes are tried next, None where that is now, or depends on a person."""
        if not self.is_waiting or self.pause is not None or not self.has_worker:
            return None
        times = [self.queue.until, *(outage.paused_until for outage in self.outages)]
        return max((at for at in times if at is not None and at > self.now), default=None)

    @property
    def cause(self) -> str | None:
        """Return the code of the failure that the course waits for."""
        return next((outage.cause for outage in self.outages), self.wait.cause if self.wait else None)


def is_hindered(activity: CourseActivity) -> bool:
    """Say whether something keeps the course from being synced that may last: no worker, an outage, failed attempts.

    That goes on while one more attempt runs. A rate that is waited for is no hindrance.
    """
    if not activity.has_worker or activity.outages:
        return True
    return activity.cause is not None and not activity.cause.endswith("_throttled")


def activity_json(activity: CourseActivity) -> dict[str, object]:
    """Return the activity as `explain --json` and the API have it, with a sentence for people."""
    found = _found(activity)
    pending = activity.queue.pending
    return {
        "state": found[0][0],
        "sentence": _sentence(activity, [said for _, said in found if said]),
        "remedy": _remedy(activity, found[0][0]),
        "changes": _count(activity),
        "changes_since": pending.first_at.isoformat() if pending else None,
        "next_attempt_at": activity.next_attempt_at.isoformat() if activity.next_attempt_at else None,
        "attempts": pending.attempts if pending else 0,
        "cause": activity.cause,
        "systems": [
            {
                "system": each.system,
                "name": each.name,
                "cause": each.cause,
                "since": each.since.isoformat() if each.since else None,
            }
            for each in activity.outages
        ],
    }


def _found(activity: CourseActivity) -> list[tuple[Activity, str]]:
    """Return everything that applies, with a clause each; a course of which nothing waits is idle first of all."""
    found = [(state, said) for state, rule in _RULES if (said := rule(activity)) is not None]
    state = Activity.WAITING if activity.is_waiting else Activity.IDLE
    is_syncing = bool(found) and found[0][0] is Activity.SYNCING
    if not is_syncing and (state is Activity.IDLE or not found):
        found.insert(0, (state, ""))
    return found


def _syncing(activity: CourseActivity) -> str | None:
    if activity.queue.queue_state is not QueueState.LEASED:
        return None
    return (
        f"{counted(activity.taken.count, 'change')} {_are(activity.taken.count)} being synced"
        if activity.taken
        else "Its sync runs"
    )


def _paused(activity: CourseActivity) -> str | None:
    if activity.pause is None:
        return None
    what = "Everything" if activity.pause.target == EVERYTHING else "This course"
    why = f" ({activity.pause.reason})" if activity.pause.reason else ""
    return f"{what} is paused by {activity.pause.actor} since {_time(activity, activity.pause.since)}{why}"


def _no_worker(activity: CourseActivity) -> str | None:
    return None if activity.has_worker else "No worker is running"


def _unavailable(activity: CourseActivity) -> str | None:
    said = [
        f"{outage.meaning} since {_time(activity, outage.since)}" if outage.since else outage.meaning
        for outage in activity.outages
    ]
    return "; ".join(said) or None


def _rate_limited(activity: CourseActivity) -> str | None:
    slow = [rate for rate in activity.rates if rate.interval >= SLOW_INTERVAL]
    is_throttled = activity.wait is not None and activity.wait.cause.endswith("_throttled")
    is_at_work = activity.is_overdue or activity.queue.queue_state is QueueState.LEASED
    if activity.outages or not (is_throttled or (slow and is_at_work)):
        return None
    if not slow:
        return "The system at the other end permits few requests now"
    rate = max(slow, key=lambda each: each.interval)
    return f"{SYSTEM_NAMES[rate.system]} permits a request every {rate.interval.total_seconds():g} seconds"


def _retrying(activity: CourseActivity) -> str | None:
    attempts = activity.queue.pending.attempts if activity.queue.pending else 0
    if not attempts:
        return None
    why = f": {Cause(activity.wait.cause).meaning.rstrip('.')} ({activity.wait.cause})" if activity.wait else ""
    return f"{counted(attempts, 'attempt')} failed{why}"


def _deferred(activity: CourseActivity) -> str | None:
    wait, pending = activity.wait, activity.queue.pending
    if wait is None or activity.outages or wait.cause.endswith("_throttled") or (pending and pending.attempts):
        return None
    return f"Waits since {_time(activity, wait.since)}: {Cause(wait.cause).meaning.rstrip('.')} ({wait.cause})"


_RULES: Sequence[tuple[Activity, Callable[[CourseActivity], str | None]]] = (
    (Activity.SYNCING, _syncing),
    (Activity.PAUSED, _paused),
    (Activity.NO_WORKER, _no_worker),
    (Activity.UNAVAILABLE, _unavailable),
    (Activity.RATE_LIMITED, _rate_limited),
    (Activity.RETRYING, _retrying),
    (Activity.DEFERRED, _deferred),
)


def _sentence(activity: CourseActivity, said: Sequence[str]) -> str:
    """Return the first clause with what waits, the other clauses, and when the changes are tried next."""
    first, others = (said[0], said[1:]) if said else ("", ())
    waits = _waits(activity)
    parts = [f"{first}; {waits}" if first and waits else first or waits[:1].upper() + waits[1:], *others]
    if activity.next_attempt_at is not None:
        verb = "Next attempt" if activity.wait or activity.outages else "Their sync begins"
        parts.append(f"{verb} at {_time(activity, activity.next_attempt_at, seconds=True)}")
    return " ".join(f"{part}." for part in parts)


def _waits(activity: CourseActivity) -> str:
    count = _count(activity)
    if activity.queue.queue_state is QueueState.LEASED:
        return f"{counted(count, 'change')} came meanwhile" if count else ""
    if activity.is_waiting:
        due = activity.queue.until
        late = due is not None and due <= activity.now and activity.has_worker and not activity.outages
        busy = f", due since {_time(activity, due, seconds=True)}" if late and due and not activity.pause else ""
        return f"{counted(count, 'change')} {_wait(count)}{busy}" if count else f"its sync waits{busy}"
    if activity.unread and not activity.has_worker:
        return f"{counted(activity.unread, 'unread message')} {_wait(activity.unread)}, perhaps for this course"
    if dead := activity.dead_letters:
        return f"{counted(dead, 'dead letter')} {_wait(dead)} for a person"
    return "nothing waits"


def _remedy(activity: CourseActivity, state: Activity) -> str:
    if state is Activity.PAUSED:
        return "Resume it once that is over."
    if state is Activity.NO_WORKER:
        return "Start `passback worker`."
    return Cause(activity.cause).fix if activity.cause and not activity.cause.endswith("_throttled") else ""


def _count(activity: CourseActivity) -> int:
    return activity.queue.pending.count if activity.queue.pending else 0


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _time(activity: CourseActivity, at: datetime, *, seconds: bool = False) -> str:
    """Return a time in the district's time zone; the day only where it is not today."""
    local = at.astimezone(activity.zone)
    if local.date() != activity.now.astimezone(activity.zone).date():
        return f"{local:%Y-%m-%d %H:%M}"
    return f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"


@dataclass(frozen=True)
class CourseActivities:
    """Reads what courses do now. Reads Redis only. `configured` are the intervals between requests by system."""

    client: redis.Redis
    keys: Keys
    queue: SyncQueue
    pauses: Pauses
    heartbeats: Heartbeats
    clock: Clock
    configured: Mapping[str, timedelta]
    zone: tzinfo

    def of_course(self, course_id: str) -> CourseActivity:
        """Return what the course does now."""
        queue, alive = self.queue, [beat.process for beat in self.heartbeats.all() if not beat.is_stale]
        return CourseActivity(
            self.clock.now(),
            queue.state_of(course_id),
            queue.taken_of(course_id),
            queue.wait_of(course_id),
            self.pauses.of_course(course_id),
            read_outages(self.client, self.keys),
            system_rates(self.client, self.keys, self.configured),
            any(process.startswith("worker@") for process in alive),
            queue.pending_messages(),
            self.zone,
        )
