"""The streams of changes: the form of a message, reading as one of a consumer group, and sorting a batch by course."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import redis
from redis.exceptions import ResponseError

from shared.adapters.redis.client import (
    epoch_ms,
    load_script,
    milliseconds,
    set_aside_wrong_types,
    text,
    time_at,
)
from shared.adapters.redis.keys import Keys
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.queues import CONSUMER_GROUP, Stream

COURSE = b"c"
ASSIGNMENT = b"a"
SECTION = b"s"
ENROLLMENT = b"e"
CAUSE = b"u"

MAX_ID_DIGITS = 13

STREAM_OF: dict[ChangeKind, Stream] = {
    ChangeKind.GRADE: Stream.GRADE_CHANGES,
    ChangeKind.ASSIGNMENT: Stream.ASSIGNMENT_CHANGES,
}
_KIND_ON = {stream: kind for kind, stream in STREAM_OF.items()}
_CAUSES = {cause.value.encode(): cause for cause in ChangeCause}
_CAUSE_BYTES = {cause: cause.value.encode() for cause in ChangeCause}


class MalformedMessage(ValueError):
    """A message on a stream is not one that `encode` writes. Says which field, never what was in it."""


def encode(change: Change) -> dict[bytes, bytes]:
    """Return the message's fields: the cause, the course (empty where unknown) and the other ids there are."""
    fields = {COURSE: (change.course_id or "").encode(), CAUSE: _CAUSE_BYTES[change.cause]}
    if change.assignment_id is not None:
        fields[ASSIGNMENT] = change.assignment_id.encode()
    if change.section_id is not None:
        fields[SECTION] = change.section_id.encode()
    if change.enrollment_id is not None:
        fields[ENROLLMENT] = change.enrollment_id.encode()
    return fields


def decode(stream: Stream, fields: Mapping[bytes, bytes]) -> Change:
    """Return the change that a message on `stream` carries; fields of later versions are ignored.

    Raises: MalformedMessage, where an id or the cause is not one, or nothing leads to a course.
    """
    change = Change(
        kind=_KIND_ON[stream],
        course_id=_id(fields, COURSE),
        cause=_cause(fields),
        assignment_id=_id(fields, ASSIGNMENT),
        section_id=_id(fields, SECTION),
        enrollment_id=_id(fields, ENROLLMENT),
    )
    if not (change.course_id or change.assignment_id or change.section_id or change.enrollment_id):
        raise MalformedMessage("no field of the message leads to a course")
    return change


def _id(fields: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = fields.get(name)
    if not value:
        return None
    if len(value) > MAX_ID_DIGITS or not value.isdigit():
        raise MalformedMessage(f"field {name.decode()} of the message is no local Canvas id")
    return value.decode()


def _cause(fields: Mapping[bytes, bytes]) -> ChangeCause:
    cause = _CAUSES.get(fields.get(CAUSE, b""))
    if cause is None:
        raise MalformedMessage(f"field {CAUSE.decode()} of the message is no cause")
    return cause


HISTORY = timedelta(hours=24)
HISTORY_ENTRIES = 100_000
CONSUMERS_TTL = timedelta(hours=1)
MAX_COUNTED = 10_000

# What Redis says where the group, or its stream, does not exist (any more), 6.2 also to a reader that is waiting.
_GROUP_IS_GONE = ("NOGROUP", "UNBLOCKED")

_Entry = tuple[bytes, Mapping[bytes, bytes] | None]


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a stream. An entry that was deleted before it was acknowledged has no fields."""

    stream: Stream
    id: str
    fields: Mapping[bytes, bytes]

    @property
    def written_ms(self) -> int:
        """When it was put on the stream, in milliseconds since the epoch."""
        return int(self.id.partition("-")[0])


class StreamReader:
    """Reads both streams for a consumer, so that no message is lost with the process that read it.

    `idle_for` without a sign of life makes a consumer's messages another's.
    """

    def __init__(self, client: redis.Redis, keys: Keys, idle_for: timedelta) -> None:
        self._redis = client
        self._streams = {keys.stream(stream): stream for stream in Stream}
        self._maintenance_key = keys.streams_tended
        self._idle_for = idle_for
        self._trim_stream = load_script(client, "sync_queue/trim_stream")
        self._longest_block = _longest_block(client)
        self._without_backlog: set[str] = set()

    @contextmanager
    def reading(self, consumer: str, limit: int, block: timedelta) -> Iterator[list[Message]]:
        """Give the block about `limit` messages to acknowledge: first those this consumer read and left so.

        A consumer leaves messages when it dies, when the block raises, or when Redis's answer is lost.
        """
        backlog = self._in_group(lambda: self._backlog(consumer, limit))
        if backlog:
            yield backlog
            return
        self._without_backlog.discard(consumer)
        yield self._in_group(lambda: self._read(consumer, ">", limit, min(block, self._longest_block)))
        self._without_backlog.add(consumer)

    def waiting(self) -> int:
        """Return how many messages are not yet acknowledged: unread, or read and not aggregated."""
        return sum(self._waiting_in(key) for key in self._streams)

    def _backlog(self, consumer: str, limit: int) -> list[Message]:
        if self._redis.set(self._maintenance_key, 1, nx=True, px=self._idle_for):
            self._autoclaim(consumer, limit)
        if consumer in self._without_backlog:
            return []
        return self._read(consumer, "0", limit, timedelta(0))

    def _autoclaim(self, consumer: str, limit: int) -> None:
        """Take over what dead consumers left, drop consumers that are long gone, bound the history."""
        for key in self._streams:
            idle_ms = milliseconds(self._idle_for)
            self._redis.xautoclaim(key, CONSUMER_GROUP, consumer, idle_ms, "0-0", count=limit, justid=True)
            limits = [milliseconds(HISTORY), HISTORY_ENTRIES, milliseconds(CONSUMERS_TTL)]
            self._trim_stream(keys=[key], args=[CONSUMER_GROUP, *limits])
        self._without_backlog.discard(consumer)

    def _read(self, consumer: str, after: str, limit: int, block: timedelta) -> list[Message]:
        reply = self._redis.xreadgroup(
            CONSUMER_GROUP,
            consumer,
            dict.fromkeys(self._streams, after),
            # The count is per stream. Redis would take a block of 0 for "without end".
            count=max(1, limit // len(self._streams)),
            block=milliseconds(block) or None,
        )
        return [
            Message(self._streams[text(key)], text(entry_id), fields or {})
            for key, entries in cast("Iterable[tuple[bytes, list[_Entry]]]", reply)
            for entry_id, fields in entries
        ]

    def _in_group(self, read: Callable[[], list[Message]]) -> list[Message]:
        """Return what `read` reads; a Redis that knows nothing of the group (new, or emptied) is told of it first."""
        try:
            return read()
        except ResponseError as error:
            if not str(error).startswith((*_GROUP_IS_GONE, "WRONGTYPE")):
                raise
        set_aside_wrong_types(self._redis, dict.fromkeys(self._streams, "stream"))
        for key in self._streams:
            try:
                self._redis.xgroup_create(key, CONSUMER_GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
        return read()

    def _waiting_in(self, key: str) -> int:
        groups = self._redis.xinfo_groups(key) if self._redis.exists(key) else []
        for group in groups:
            if text(group["name"]) == CONSUMER_GROUP:
                return int(group["pending"]) + self._unread(key, text(group["last-delivered-id"]))
        return self._redis.xlen(key)

    def _unread(self, key: str, last_read: str) -> int:
        """Count what comes after the last message that was read, up to a bound.

        Redis's own `lag` is not used: a Redis 7.0 that rewrote its append-only file, and was killed later, takes for
        unread what was read in between, for ever.
        """
        return len(self._redis.xrange(key, min=f"({last_read}", count=MAX_COUNTED) or ())


def _longest_block(client: redis.Redis) -> timedelta:
    """Return how long a read may wait for messages, so that the client does not take silence for a dead Redis."""
    timeout_s = client.connection_pool.connection_kwargs.get("socket_timeout")
    return timedelta(seconds=timeout_s / 2) if timeout_s else timedelta.max


ASSIGNMENTS_CHANGED = "k:assignment"
UNNAMED_GRADES = "k:unnamed"

CoursesOf = Callable[[Sequence[Change]], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class AggregateResult:
    """How many messages of one reading were aggregated, how many of them of unknown course, how many were malformed."""

    aggregated: int
    unknown: int
    malformed: int


@dataclass(slots=True)
class _Changes:
    """What a batch says about one course."""

    first: int
    last: int
    count: int = 0
    marks: set[str] = field(default_factory=set)

    def add(self, change: Change, written_ms: int) -> None:
        self.first = min(self.first, written_ms)
        self.last = max(self.last, written_ms)
        self.count += 1
        self.marks.add(f"c:{change.cause}")
        if change.kind is ChangeKind.ASSIGNMENT:
            self.marks.add(ASSIGNMENTS_CHANGED)
        elif change.assignment_id is None:
            self.marks.add(UNNAMED_GRADES)
        if change.assignment_id is not None:
            self.marks.add(f"a:{change.assignment_id}")


def sort_batch(messages: Sequence[Message], courses_of: CoursesOf, keys: Keys) -> tuple[str, AggregateResult]:
    """Return what `aggregate.lua` reads, as JSON, and how many messages are of which sort: each is acknowledged."""
    readable, malformed = _decoded(messages)
    courses: dict[str, _Changes] = {}
    unknown: dict[str, int] = {}
    of_unknown = 0
    for (message, change), course_id in zip(readable, courses_of([c for _, c in readable]), strict=True):
        written_ms = message.written_ms
        if course_id is None:
            of_unknown += 1
            name = _name(change)
            unknown[name] = max(written_ms, unknown.get(name, 0))
        else:
            courses.setdefault(course_id, _Changes(written_ms, written_ms)).add(change, written_ms)
    read: dict[Stream, list[str]] = {}
    for message in messages:
        read.setdefault(message.stream, []).append(message.id)
    batch = {
        "courses": [
            {"course": course, "first": c.first, "last": c.last, "count": c.count, "marks": sorted(c.marks)}
            for course, c in courses.items()
        ],
        "unknown": list(unknown.items()),
        "malformed": [(keys.stream(message.stream), message.id) for message in malformed],
        "read": [(keys.stream(stream), ids) for stream, ids in read.items()],
        "last": max(message.written_ms for message in messages),
    }
    return json.dumps(batch), AggregateResult(len(readable) - of_unknown, of_unknown, len(malformed))


def _decoded(messages: Iterable[Message]) -> tuple[list[tuple[Message, Change]], list[Message]]:
    """Return the messages with their changes, and those that are malformed."""
    readable, malformed = list[tuple[Message, Change]](), list[Message]()
    # A class that is graded sends the same message thirty times.
    known: dict[tuple[Stream, tuple[tuple[bytes, bytes], ...]], Change] = {}
    for message in messages:
        content = (message.stream, tuple(message.fields.items()))
        change = known.get(content)
        if change is None:
            try:
                change = known[content] = decode(message.stream, message.fields)
            except MalformedMessage:
                malformed.append(message)
                continue
        readable.append((message, change))
    return readable, malformed


def _name(change: Change) -> str:
    """Return the name under which a change of unknown course is stored: the id that says most."""
    if change.assignment_id is not None:
        return f"assignment:{change.assignment_id}"
    if change.section_id is not None:
        return f"section:{change.section_id}"
    return f"enrollment:{change.enrollment_id}"


class UnknownChanges:
    """Stores changes whose course is unknown. Reconciliation visits every course because of them.

    Each counts once, with the time of its newest message.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.unknown

    def count(self) -> int:
        """Return how many are open."""
        return self._redis.zcard(self._key)

    def oldest_at(self) -> datetime | None:
        """Return when the oldest open one was heard, None if there is none."""
        first = cast("list[tuple[bytes, float]]", self._redis.zrange(self._key, 0, 0, withscores=True))
        return time_at(first[0][1]) if first else None

    def discard_before(self, before: datetime) -> int:
        """Delete those heard before this time, since every course was visited after it. Returns how many."""
        return self._redis.zremrangebyscore(self._key, "-inf", f"({epoch_ms(before)}")
