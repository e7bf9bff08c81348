"""The debounce, in Redis: what moves is moved by the Lua files beside this module, each in one atomic step."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, cast

import redis
import structlog

from shared.adapters.redis.client import (
    Argument,
    Lease,
    clock_ms,
    epoch_ms,
    load_script,
    milliseconds,
    text,
    time_at,
    times_at,
    with_right_types,
)
from shared.adapters.redis.dead_letters.store import dead_letter_id_of
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.streams import (
    ASSIGNMENTS_CHANGED,
    UNNAMED_GRADES,
    AggregateResult,
    StreamReader,
    sort_batch,
)
from shared.domain.actions import EVERYTHING, course_target
from shared.domain.causes import Cause
from shared.domain.passback.changes import Change, ChangeCause, DebounceWindow, PendingChanges
from shared.errors import LeaseLost
from shared.log_events import LogEvent
from shared.queues import CONSUMER_GROUP

log = structlog.get_logger()

# A dispatched course that no worker takes for this long is dispatched again.
CLAIM_DURATION = timedelta(seconds=30)
# A course whose worker stopped renewing its lease for this long is given to another worker. A renewal starts after a
# quarter of it and may take as long as Redis may take to respond.
LEASE_DURATION = timedelta(seconds=10)
MAX_LOST_LEASES = 5
# The scripts that begin with `pending.lua`, with the files between it and their own.
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "request": (),
    "aggregate": (),
    "claim_due": ("attempt_times", "dead_letter"),
    "start_sync": (),
    "renew": (),
    "release": (),
    "reschedule": ("attempt_times",),
}


class QueueState(StrEnum):
    """Where a course is on its way to a sync."""

    IDLE = "idle"
    DUE = "due"
    CLAIMED = "claimed"
    LEASED = "leased"


class CourseQueueState(NamedTuple):
    """Where a course is, until when (due at, claim or lease ends at), and what is pending and not yet taken."""

    queue_state: QueueState
    until: datetime | None
    pending: PendingChanges | None


class WaitingCourse(NamedTuple):
    """A course that waits for its window, its backoff or its turn."""

    course_id: str
    due_at: datetime
    first_at: datetime
    changes: int
    lets_others_go_first: bool = False


class LongWait(NamedTuple):
    """A course whose work was tried since then, and waits or fails again and again; the newest cause."""

    course_id: str
    since: datetime
    cause: str


class Counts(NamedTuple):
    """How many courses wait (due now or later), are claimed, and sync."""

    due: int
    claimed: int
    leased: int


class SyncQueue:
    """The debounce: messages are aggregated into pending changes, which become due, are claimed and leased.

    Every method is atomic and may be repeated. Times are the Redis server's; `now_ms` replaces them in tests.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        windows: DebounceWindow,
        claim_for: timedelta,
        lease_for: timedelta,
        *,
        powerschool_interval: timedelta = timedelta(0),
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._redis = client
        self._keys = keys
        self._interval_ms = milliseconds(powerschool_interval)
        self._now_ms = now_ms
        self._reader = StreamReader(client, keys, idle_for=claim_for)
        self._scripts = {
            name: load_script(client, "sync_queue/pending", *files, f"sync_queue/{name}")
            for name, files in SCRIPTS.items()
        }
        self._script_keys = (keys.due, keys.yielding, keys.claimed, keys.leased, keys.fence, keys.synced)
        sets = (keys.due, keys.yielding, keys.claimed, keys.leased, keys.synced, keys.courses, keys.unknown)
        hashes = (keys.paused, keys.heard, keys.rate("powerschool"))
        self._types = {**dict.fromkeys(sets, "zset"), **dict.fromkeys(hashes, "hash"), keys.malformed: "stream"}
        lengths = (windows.quiet_period, windows.max_wait, claim_for, lease_for)
        first_change = "" if windows.first_change is None else milliseconds(windows.first_change)
        self._arguments = (keys.pending("%s"), keys.taken("%s"), *map(milliseconds, lengths), first_change)

    def request(
        self,
        course_id: str,
        cause: ChangeCause,
        assignment_ids: Collection[str] = (),
        *,
        actor: str = "",
        origin: ChangeCause | None = None,
    ) -> None:
        """Make the course due now, aggregated with what is pending.

        `actor` is the person who asks, for the audit; `origin` says why a pass visits just this course, or that the
        person retries. A person's request also forgets backoff and attempts; any other leaves a waiting course its
        window.
        """
        causes = cause if origin is None else f"{cause} {origin}"
        self._run("request", course_id, causes, actor, *assignment_ids)

    def aggregate(self, consumer: str, limit: int, block: timedelta) -> AggregateResult:
        """Read about `limit` messages, aggregate them into pending changes and acknowledge them in one step.

        Waits up to `block` for the first one, but never so long that the client would give Redis up. Messages that
        an earlier reading left unacknowledged come first, also those of consumers that died.
        """
        with self._reader.reading(consumer, limit, block) as messages:
            if not messages:
                return AggregateResult(0, 0, 0)
            batch, result = sort_batch(messages, self._courses_of, self._keys)
            keys = (
                self._keys.last_event, self._keys.courses, self._keys.unknown, self._keys.malformed, self._keys.heard,
            )  # fmt: skip
            self._run("aggregate", batch, CONSUMER_GROUP, more_keys=keys)
            return result

    def claim_due(self, limit: int) -> list[str]:
        """Claim due courses, the longest due first, never more than `limit` claimed at once in all.

        Of what is claimed or leased, a quarter of `limit` at the most are courses that yield. While PowerSchool permits
        few requests, fewer are claimed.
        Paused courses are not claimed. A course that lost `MAX_LOST_LEASES` leases in a row becomes a dead letter.
        """
        keys = self._keys
        patterns = (dead_letter_id_of("%s", None), keys.dead_letter("%s"), keys.course_dead_letters("%s"))
        more_keys = (
            keys.paused, keys.dead_letters, keys.dead_letter_causes, keys.rate("powerschool"),
            keys.malformed,
        )  # fmt: skip
        limits = (limit, *patterns, Cause.LEASE_LOST_REPEATEDLY, MAX_LOST_LEASES, self._interval_ms)
        reply = self._run("claim_due", *limits, more_keys=more_keys)
        claimed, given_up = cast("tuple[list[bytes], list[bytes]]", reply)
        for course in given_up:
            log.error(
                LogEvent.DEAD_LETTERED, course_id=text(course), assignment_id=None, cause=Cause.LEASE_LOST_REPEATEDLY
            )
        return [text(course) for course in claimed]

    def start_sync(self, course_id: str) -> tuple[Lease, PendingChanges] | None:
        """Lease a claimed course and take its pending changes; None if it is not claimed (a repeated dispatch)."""
        reply = cast("tuple[bytes, list[bytes]] | None", self._run("start_sync", course_id))
        if reply is None:
            return None
        token, flat = reply
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return Lease(course_id, int(token)), _change_set(course_id, fields)

    def renew(self, lease: Lease) -> None:
        """Prolong the lease. Raises: LeaseLost, if it ended or someone else has the course."""
        if not self._run("renew", lease.course_id, lease.token):
            raise LeaseLost(lease.course_id)

    def release(self, lease: Lease) -> bool:
        """End the lease, work done: its pending changes are deleted. False if the lease was lost."""
        more_keys = (self._keys.waits,)
        return bool(self._run("release", lease.course_id, lease.token, more_keys=more_keys))

    def reschedule(self, lease: Lease, delay: timedelta, attempts: int, cause: str = "") -> bool:
        """End the lease, work not done: its changes are pending again, not before `delay` has passed.

        If a person asked for the course meanwhile, it is due at once and without attempts. False if the lease was
        lost. `cause` says why, for `long_waits`.
        """
        course_id, token, more_keys = lease.course_id, lease.token, (self._keys.waits,)
        args = (course_id, token, milliseconds(delay), attempts, cause)
        return bool(self._run("reschedule", *args, more_keys=more_keys))

    def long_waits(self, at_least: timedelta) -> list[LongWait]:
        """Return the courses whose work has not been done for so long, though it was tried; the longest first."""
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.waits))
        now, found = self._now(), [_long_wait(text(course), value) for course, value in stored.items()]
        return sorted((wait for wait in found if now - wait.since >= at_least), key=lambda wait: wait.since)

    def wait_of(self, course_id: str) -> LongWait | None:
        """Return since when, and why, the course's work was tried and is not done; None if it is."""
        value = self._redis.hget(self._keys.waits, course_id)
        return None if value is None else _long_wait(course_id, value)

    def time_until_next(self) -> timedelta | None:
        """Return how long until `claim_due` may find a course (zero if now); None if nothing waits or runs.

        The end of a claim or a lease counts, since it makes its course due; a paused course does not.
        """
        keys = self._keys
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hkeys(keys.paused)
            for key in (keys.claimed, keys.leased, keys.due, keys.yielding):
                pipeline.zrange(key, 0, 0, withscores=True)
            paused, claimed, leased, *waiting = pipeline.execute()
        if paused:
            waiting = self._first_unpaused(set(map(text, paused)))
        next_due = min((score for first in (claimed, leased, *waiting) for _, score in first), default=None)
        return None if next_due is None else max(timedelta(0), time_at(next_due) - self._now())

    def waiting(self, limit: int) -> list[WaitingCourse]:
        """Return the courses that are due next, at most `limit`; those that let others go first come last."""
        scored = [*self._first_of(self._keys.due, limit), *self._first_of(self._keys.yielding, limit)][:limit]
        courses = [self._waiting(text(course), due_at) for course, due_at in scored]
        return [course for course in courses if course is not None]

    def counts(self) -> Counts:
        """Return how many courses there are at each step."""
        # In one step, so that a course on its way from one to the next is counted once.
        with self._redis.pipeline() as pipeline:
            for key in (self._keys.due, self._keys.yielding, self._keys.claimed, self._keys.leased):
                pipeline.zcard(key)
            due, yielding, claimed, leased = pipeline.execute()
        return Counts(due + yielding, claimed, leased)

    def has_ready_courses(self) -> bool:
        """Say whether a course that does not yield is due and no thread of any worker has taken it yet."""
        due = self._redis.zcount(self._keys.due, "-inf", epoch_ms(self._now()))
        return bool(due or self._redis.zcard(self._keys.claimed))

    def pending_messages(self) -> int:
        """Return how many messages on the streams are not yet aggregated."""
        return self._reader.waiting()

    def last_event_at(self) -> datetime | None:
        """Return when the newest aggregated message was put on its stream, None if there never was one."""
        at = self._redis.get(self._keys.last_event)
        return None if at is None else time_at(at)

    def last_event_of(self, course_id: str) -> datetime | None:
        """Return when the course's newest aggregated message was put on its stream, None if there never was one."""
        at = self._redis.hget(self._keys.heard, course_id)
        return None if at is None else time_at(at)

    def is_being_synced(self, course_id: str) -> bool:
        """Say whether a worker has the course, or was started for it."""
        return self.state_of(course_id).queue_state in (QueueState.CLAIMED, QueueState.LEASED)

    def state_of(self, course_id: str) -> CourseQueueState:
        """Return where the course is on its way to a sync."""
        queues = {
            self._keys.due: QueueState.DUE,
            self._keys.yielding: QueueState.DUE,
            self._keys.claimed: QueueState.CLAIMED,
            self._keys.leased: QueueState.LEASED,
        }
        # In one step, so that a course on its way from one to the next does not look idle.
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(self._keys.pending(course_id))
            for key in queues:
                pipeline.zscore(key, course_id)
            fields, *scores = pipeline.execute()
        pending = _change_set(course_id, fields) if fields else None
        for queue_state, until in zip(queues.values(), scores, strict=True):
            if until is not None:
                return CourseQueueState(queue_state, time_at(until), pending)
        return CourseQueueState(QueueState.IDLE, None, pending)

    def taken_of(self, course_id: str) -> PendingChanges | None:
        """Return the changes that the course's running sync took, None if no sync runs."""
        return self._changes_in(self._keys.taken(course_id), course_id)

    def _run(self, name: str, *arguments: Argument, more_keys: Sequence[str] = ()) -> object:
        """Return what the script `name` answers to its own arguments."""
        now = "" if self._now_ms is None else self._now_ms()
        keys, given = [*self._script_keys, *more_keys], [now, *self._arguments, *arguments]
        return with_right_types(self._redis, self._types, lambda: self._scripts[name](keys=keys, args=given))

    def _courses_of(self, changes: Sequence[Change]) -> Sequence[str | None]:
        """Return each change's course: the one it names, else the one its assignment or section is known to be in."""
        nameless = [change for change in changes if change.course_id is None]
        by_assignment = self._resolve(self._keys.assignment_courses, {c.assignment_id for c in nameless})
        by_section = self._resolve(self._keys.section_courses, {c.section_id for c in nameless})
        return [c.course_id or by_assignment.get(c.assignment_id) or by_section.get(c.section_id) for c in changes]

    def _resolve(self, key: str, ids: Collection[str | None]) -> Mapping[str | None, str]:
        known = [an_id for an_id in ids if an_id is not None]
        if not known:
            return {}
        courses = self._redis.hmget(key, known)
        return {an_id: text(course) for an_id, course in zip(known, courses, strict=True) if course is not None}

    def _first_of(self, key: str, limit: int) -> list[tuple[bytes, float]]:
        return cast("list[tuple[bytes, float]]", self._redis.zrange(key, 0, limit - 1, withscores=True))

    def _first_unpaused(self, paused: Collection[str]) -> list[list[tuple[bytes, float]]]:
        """Return the first courses that wait and are not paused, with the times at which they are due."""
        if EVERYTHING in paused:
            return []
        firsts = [self._first_of(key, len(paused) + 1) for key in (self._keys.due, self._keys.yielding)]
        return [[one for one in first if course_target(text(one[0])) not in paused] for first in firsts]

    def _now(self) -> datetime:
        return time_at(clock_ms(self._redis.time()) if self._now_ms is None else self._now_ms())

    def _waiting(self, course_id: str, due_at: float) -> WaitingCourse | None:
        pending = self._changes_in(self._keys.pending(course_id), course_id)
        if pending is None:
            # It was claimed and taken since its id was read.
            return None
        first_at, yields = pending.first_at, pending.lets_others_go_first
        return WaitingCourse(course_id, time_at(due_at), first_at, pending.count, lets_others_go_first=yields)

    def _changes_in(self, key: str, course_id: str) -> PendingChanges | None:
        fields = cast("dict[bytes, bytes]", self._redis.hgetall(key))
        return _change_set(course_id, fields) if fields else None


def _long_wait(course_id: str, value: bytes | str) -> LongWait:
    since, _, cause = text(value).partition(" ")
    return LongWait(course_id, time_at(since if since.isdigit() else 0), cause)


def _change_set(course_id: str, fields: Mapping[bytes, bytes]) -> PendingChanges:
    return PendingChanges(
        course_id=course_id,
        first_at=time_at(_number(fields, b"first")),
        last_at=time_at(_number(fields, b"last")),
        count=_number(fields, b"count"),
        causes=frozenset(ChangeCause(mark) for mark in _marked(fields, "c:") if mark in set(ChangeCause)),
        assignment_ids=frozenset(_marked(fields, "a:")),
        attempts=_number(fields, b"attempts"),
        actors=frozenset(_marked(fields, "p:")),
        failed_at=times_at(fields.get(b"failed", b"")),
        assignments_changed=ASSIGNMENTS_CHANGED.encode() in fields,
        unnamed_grades=UNNAMED_GRADES.encode() in fields,
        first_event_at=time_at(_number(fields, b"event")) if _number(fields, b"event") else None,
    )


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int:
    """Return a field as a number; 0 where it is absent or none."""
    value = fields.get(name, b"")
    return int(value) if value.isdigit() else 0


def _marked(fields: Mapping[bytes, bytes], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in map(text, fields) if name.startswith(prefix)]
