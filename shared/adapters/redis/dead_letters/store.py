"""Dead letters: jobs kept for a person, and how far a batch is that retries or discards many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import cast

import redis

from shared.adapters.redis.client import epoch_ms, load_script, text, time_at, times_at
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.actions import Verb
from shared.domain.outcome import DeadLetter, DeadLetterKind

PROVISIONING = "provisioning"


class DeadLetters:
    """Stores failed jobs for an operator: at most one open entry per course and assignment.

    Times are the Redis server's; `now_ms` replaces them in tests and simulations.
    """

    def __init__(self, client: redis.Redis, keys: Keys, *, now_ms: Callable[[], int] | None = None) -> None:
        self._redis = client
        self._keys = keys
        self._now_ms = now_ms
        self._add = load_script(client, "attempt_times", "dead_letter", "dead_letters/add_dead_letter")
        self._close = load_script(client, "dead_letters/close_dead_letter")
        self._mark_retried = load_script(client, "dead_letters/mark_retried")

    def add(
        self,
        course_id: str,
        assignment_id: str | None,
        cause: str,
        answer: str,
        attempts: int,
        *,
        failed_before: Sequence[datetime] = (),
    ) -> DeadLetter:
        """Store the job; a repeated failure updates its entry's cause, answer, attempts and times."""
        dead_letter_id = dead_letter_id_of(course_id, assignment_id)
        keys, of = self._keys_of(dead_letter_id, course_id), {"course": course_id, "assignment": assignment_id or ""}
        return self._store(keys, dead_letter_id, of, cause, answer, attempts, failed_before)

    def add_provisioning(
        self, run_id: str, cause: str, answer: str, attempts: int, *, failed_before: Sequence[datetime] = ()
    ) -> DeadLetter:
        """Store that provisioning failed: one entry at the most, of the run that failed last."""
        keys = self._keys_of(PROVISIONING)
        return self._store(keys, PROVISIONING, {"run": run_id}, cause, answer, attempts, failed_before)

    def close_provisioning(self) -> None:
        """Close provisioning's entry because a run succeeded; nothing happens if there is none."""
        self._close(keys=self._keys_of(PROVISIONING), args=[PROVISIONING])

    def of_course(self, course_id: str) -> list[DeadLetter]:
        """Return the course's open entries, the oldest failure first."""
        entries = self._read(self._redis.smembers(self._keys.course_dead_letters(course_id)))
        return sorted(entries, key=lambda entry: (entry.first_failed_at, entry.id))

    def all(self) -> list[DeadLetter]:
        """Return every open entry, the oldest failure first."""
        return self._read(cast("list[bytes]", self._redis.zrange(self._keys.dead_letters, 0, -1)))

    def find(self, dead_letter_id: str) -> DeadLetter | None:
        """Return an open entry by its id."""
        return next(iter(self._read([dead_letter_id])), None)

    def causes(self) -> dict[str, int]:
        """Return how many open entries there are of each cause, by name. As quick as there are few causes."""
        found: dict[str, int] = {}
        beyond = "-"
        while first := self._by_cause(beyond, "+", 0, 1):
            cause = _cause_of(first[0])
            found[cause] = self._redis.zlexcount(self._keys.dead_letter_causes, *_all_of(cause))
            beyond = f"({cause}{_AFTER}"
        return found

    def of_cause(self, cause: str, start: int, limit: int) -> list[DeadLetter]:
        """Return `limit` open entries of a cause (-1: all), in the order of their ids, after the first `start`."""
        members = self._by_cause(*_all_of(cause), start, limit)
        return self._read(text(member).rpartition(" ")[2] for member in members)

    def page(self, start: int, limit: int) -> list[DeadLetter]:
        """Return `limit` open entries, the oldest failure first, after the first `start`."""
        return self._read(cast("list[bytes]", self._redis.zrange(self._keys.dead_letters, start, start + limit - 1)))

    def close(self, course_id: str, assignment_id: str | None) -> None:
        """Close the entry because its work succeeded; nothing happens if there is none."""
        dead_letter_id = dead_letter_id_of(course_id, assignment_id)
        self._close(keys=self._keys_of(dead_letter_id, course_id), args=[dead_letter_id])

    def count(self) -> int:
        """Return how many entries are open."""
        return self._redis.zcard(self._keys.dead_letters)

    def oldest_at(self) -> datetime | None:
        """Return when the oldest open entry's work failed first, None if there is none."""
        first = cast("list[tuple[bytes, float]]", self._redis.zrange(self._keys.dead_letters, 0, 0, withscores=True))
        return time_at(first[0][1]) if first else None

    def mark_retried(self, dead_letter_id: str) -> bool:
        """Record that a person retried the entry; False if it is not open any more."""
        return bool(self._mark_retried(keys=[self._keys.dead_letter(dead_letter_id)], args=[self._now()]))

    def _store(
        self,
        keys: list[str],
        dead_letter_id: str,
        of: Mapping[str, str],
        cause: str,
        answer: str,
        attempts: int,
        failed_before: Sequence[datetime],
    ) -> DeadLetter:
        fields = {**of, "cause": cause, "answer": answer, "attempts": str(attempts)}
        earlier = ",".join(str(epoch_ms(at)) for at in failed_before)
        args = [self._now(), dead_letter_id, earlier, *chain.from_iterable(fields.items())]
        flat = self._add(keys=keys, args=args)
        return _dead_letter(dead_letter_id, dict(zip(flat[::2], flat[1::2], strict=True)))

    def _by_cause(self, low: str, high: str, start: int, limit: int) -> list[bytes]:
        key = self._keys.dead_letter_causes
        return cast("list[bytes]", self._redis.zrangebylex(key, low, high, start, limit))

    def _now(self) -> int | str:
        return "" if self._now_ms is None else self._now_ms()

    def _keys_of(self, dead_letter_id: str, course_id: str | None = None) -> list[str]:
        """Return the keys of an entry of the course, or of provisioning."""
        k = self._keys
        listing = k.provisioning_dead_letters if course_id is None else k.course_dead_letters(course_id)
        return [k.dead_letter(dead_letter_id), k.dead_letters, listing, k.dead_letter_causes]

    def _read(self, dead_letter_ids: Iterable[bytes | str]) -> list[DeadLetter]:
        ids = [text(an_id) for an_id in dead_letter_ids]
        pipeline = self._redis.pipeline(transaction=False)
        for dead_letter_id in ids:
            pipeline.hgetall(self._keys.dead_letter(dead_letter_id))
        found = cast("list[dict[bytes, bytes]]", pipeline.execute())
        # One that was closed since its id was read has no fields.
        return [
            _dead_letter(dead_letter_id, fields) for dead_letter_id, fields in zip(ids, found, strict=True) if fields
        ]


# The character after the one that ends a cause: what begins with it comes after every letter of the cause.
_AFTER = "!"


def _all_of(cause: str) -> tuple[str, str]:
    return f"[{cause} ", f"({cause}{_AFTER}"


def _cause_of(member: bytes) -> str:
    return text(member).rpartition(" ")[0]


def dead_letter_id_of(course_id: str, assignment_id: str | None) -> str:
    """Return the id of the entry for the whole course, or for one of its assignments."""
    return f"course-{course_id}" if assignment_id is None else f"assignment-{course_id}-{assignment_id}"


def course_of_dead_letter(dead_letter_id: str) -> str | None:
    """Return the course of an entry with this id, None for provisioning's."""
    _, _, course = dead_letter_id.partition("-")
    return course.partition("-")[0] or None


def _dead_letter(dead_letter_id: str, fields: Mapping[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        id=dead_letter_id,
        course_id=text(fields.get(b"course", b"")),
        assignment_id=text(fields.get(b"assignment", b"")) or None,
        cause=text(fields[b"cause"]),
        answer=text(fields[b"answer"]),
        attempts=int(fields[b"attempts"]),
        first_failed_at=time_at(fields[b"first"]),
        last_failed_at=time_at(fields[b"last"]),
        attempt_times=times_at(fields.get(b"times", b"")),
        retried_at=time_at(fields[b"retried"]) if b"retried" in fields else None,
        kind=DeadLetterKind.PROVISIONING if b"run" in fields else DeadLetterKind.COURSE,
        source=text(fields.get(b"run", b"")),
    )


BATCH_TTL = timedelta(days=1)
SILENT_AFTER = timedelta(seconds=15)


class BatchState(StrEnum):
    """How a batch is doing."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its web process ended before it did. What is left is untouched, and may be retried."""


@dataclass(frozen=True, slots=True)
class DeadLetterBatch:
    """A batch: of `total` letters, `done` were retried or discarded, and `refused` cannot be."""

    id: str
    verb: Verb
    actor: str
    total: int
    done: int
    refused: int
    state: BatchState
    started_at: datetime


class DeadLetterBatches:
    """The batches of a day."""

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock) -> None:
        self._redis = client
        self._keys = keys
        self._clock = clock

    def begin(self, batch_id: str, verb: Verb, actor: str, total: int) -> None:
        """Record that a batch begins."""
        now = epoch_ms(self._clock.now())
        fields: dict[str, str | int] = {
            "verb": verb.value, "actor": actor, "total": total, "done": 0, "refused": 0,
            "state": BatchState.RUNNING.value, "started": now, "seen": now,
        }  # fmt: skip
        key = self._keys.batch(batch_id)
        self._redis.hset(key, mapping=fields)  # type: ignore[arg-type]  # redis-py's mapping is invariant
        self._redis.expire(key, BATCH_TTL)

    def go_on(self, batch_id: str, done: int, refused: int) -> bool:
        """Record how far it is; False if it should end, since somebody cancelled it."""
        key = self._keys.batch(batch_id)
        seen = epoch_ms(self._clock.now())
        self._redis.hset(key, mapping={"done": done, "refused": refused, "seen": seen})
        return not self._redis.hexists(key, "cancel")

    def end(self, batch_id: str, state: BatchState) -> None:
        """Record how it ended."""
        self._redis.hset(self._keys.batch(batch_id), "state", state.value)

    def cancel(self, batch_id: str) -> bool:
        """Ask the batch to end; False if there is none that runs."""
        batch = self.find(batch_id)
        if batch is None or batch.state is not BatchState.RUNNING:
            return False
        self._redis.hset(self._keys.batch(batch_id), "cancel", "1")
        return True

    def find(self, batch_id: str) -> DeadLetterBatch | None:
        """Return a batch of the last day."""
        fields = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.batch(batch_id)))
        return self._batch(batch_id, fields) if b"verb" in fields else None

    def _batch(self, batch_id: str, fields: Mapping[bytes, bytes]) -> DeadLetterBatch:
        state = BatchState(text(fields[b"state"]))
        silent = self._clock.now() - time_at(fields[b"seen"]) > SILENT_AFTER
        return DeadLetterBatch(
            batch_id,
            Verb(text(fields[b"verb"])),
            text(fields[b"actor"]),
            int(fields[b"total"]),
            int(fields[b"done"]),
            int(fields[b"refused"]),
            BatchState.INTERRUPTED if state is BatchState.RUNNING and silent else state,
            time_at(fields[b"started"]),
        )
