"""Sorts a batch of messages: by course, of unknown course, malformed. What `aggregate.lua` reads, as JSON."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_message import MalformedMessage, decode
from shared.adapters.redis.sync_queue.stream_reader import Message
from shared.domain.passback.changes import Change, ChangeKind
from shared.queues import Stream

ASSIGNMENTS_CHANGED = "k:assignment"
UNNAMED_GRADES = "k:unnamed"

CoursesOf = Callable[[Sequence[Change]], Sequence[str | None]]


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


class Batch:
    """The messages of one reading, none left out: each is counted, and each is acknowledged."""

    def __init__(self, messages: Iterable[Message], courses_of: CoursesOf) -> None:
        self._messages = list(messages)
        self._courses: dict[str, _Changes] = {}
        self._unknown: dict[str, int] = {}
        self._malformed: list[Message] = []
        self.aggregated = 0
        self.unknown = 0
        readable = self._readable()
        for (message, change), course_id in zip(readable, courses_of([c for _, c in readable]), strict=True):
            self._add(change, course_id, message.written_ms)

    @property
    def malformed(self) -> int:
        """How many messages could not be read."""
        return len(self._malformed)

    def as_json(self, keys: Keys) -> str:
        """Return the batch for `aggregate.lua`."""
        return json.dumps(
            {
                "courses": [
                    {"course": course, "first": c.first, "last": c.last, "count": c.count, "marks": sorted(c.marks)}
                    for course, c in self._courses.items()
                ],
                "unknown": list(self._unknown.items()),
                "malformed": [_address(message, keys) for message in self._malformed],
                "read": self._read(keys),
                "last": max(message.written_ms for message in self._messages),
            }
        )

    def _read(self, keys: Keys) -> list[tuple[str, list[str]]]:
        """Return the ids of all messages by stream."""
        ids: dict[Stream, list[str]] = {}
        for message in self._messages:
            ids.setdefault(message.stream, []).append(message.id)
        return [(keys.stream(stream), ids_of_stream) for stream, ids_of_stream in ids.items()]

    def _readable(self) -> list[tuple[Message, Change]]:
        readable = []
        # A class that is graded sends the same message thirty times.
        known: dict[tuple[Stream, tuple[tuple[bytes, bytes], ...]], Change] = {}
        for message in self._messages:
            content = (message.stream, tuple(message.fields.items()))
            change = known.get(content)
            if change is None:
                try:
                    change = known[content] = decode(message.stream, message.fields)
                except MalformedMessage:
                    self._malformed.append(message)
                    continue
            readable.append((message, change))
        return readable

    def _add(self, change: Change, course_id: str | None, written_ms: int) -> None:
        if course_id is None:
            self.unknown += 1
            name = _name(change)
            self._unknown[name] = max(written_ms, self._unknown.get(name, 0))
        else:
            self.aggregated += 1
            self._courses.setdefault(course_id, _Changes(written_ms, written_ms)).add(change, written_ms)


def _address(message: Message, keys: Keys) -> tuple[str, str]:
    return keys.stream(message.stream), message.id


def _name(change: Change) -> str:
    """Return the name under which a change of unknown course is stored: the id that says most."""
    if change.assignment_id is not None:
        return f"assignment:{change.assignment_id}"
    if change.section_id is not None:
        return f"section:{change.section_id}"
    return f"enrollment:{change.enrollment_id}"
