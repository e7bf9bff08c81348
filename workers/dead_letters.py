"""Lists, selects, retries, discards and exports dead letters, and limits their number."""

import base64
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from shared.adapters.redis.dead_letters.dead_messages import ID_PREFIX, DeadMessages
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.outcome import DeadLetter, DeadLetterKind
from shared.domain.passback.changes import ChangeCause
from shared.log_events import LogEvent

log = structlog.get_logger()

Json = dict[str, object]

# How long a dead letter is stored after its last failure, and how many are stored. The oldest are deleted first.
MAX_AGE = timedelta(days=90)
MAX_DEAD_LETTERS = 10_000
# A page that begins later has none. Redis refuses larger numbers.
MAX_START_DIGITS = 8
# An operator is warned from these shares of the limits on.
WARN_COUNT_RATIO = 0.8
WARN_AGE_RATIO = 0.9


@dataclass(frozen=True, slots=True)
class RetryResult:
    """The ids that were retried, those that cannot be, and those that were left untouched."""

    retried: tuple[str, ...] = ()
    not_possible: tuple[str, ...] = ()
    not_attempted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """All dead letters: of courses, messages and provisioning. `provision` requests a run for a person."""

    dead_letters: DeadLetters
    messages: DeadMessages
    queue: SyncQueue
    clock: Clock
    provision: Callable[[str], object]
    max_age: timedelta = MAX_AGE
    max_count: int = MAX_DEAD_LETTERS

    def all(self) -> list[DeadLetter]:
        """Return every open dead letter, the oldest failure first."""
        return sorted([*self.dead_letters.all(), *self.messages.all()], key=lambda each: each.first_failed_at)

    def find(self, dead_letter_id: str) -> DeadLetter | None:
        """Return an open dead letter."""
        store = self.messages if dead_letter_id.startswith(ID_PREFIX) else self.dead_letters
        return store.find(dead_letter_id)

    def page(self, cause: str | None, start: str | None, limit: int) -> tuple[Sequence[DeadLetter], str | None]:
        """Return a page of a cause's dead letters, or of all courses' (None), and the next page's `start`.

        `Cause.MESSAGES` stands for all unreadable messages. `start` is None at the beginning, and after the last page.
        """
        if cause == Cause.MESSAGES:
            messages = self.messages.page(start, limit + 1)
            return messages[:limit], messages[limit - 1].id if len(messages) > limit else None
        first = int(start) if start and start.isdecimal() and len(start) <= MAX_START_DIGITS else 0
        store = self.dead_letters
        found = store.page(first, limit + 1) if cause is None else store.of_cause(cause, first, limit + 1)
        return found[:limit], str(first + limit) if len(found) > limit else None

    def select(
        self, ids: Sequence[str] = (), cause: str | None = None, since: datetime | None = None
    ) -> list[DeadLetter]:
        """Return the open dead letters that match every given condition; all of them without one."""
        if ids:
            found = [each for dead_letter_id in dict.fromkeys(ids) if (each := self.find(dead_letter_id))]
        elif cause is None:
            found = self.all()
        elif cause == Cause.MESSAGES:
            found, cause = self.messages.all(), None
        else:
            found = [*self.dead_letters.of_cause(cause, 0, -1), *self.messages.all()]
        return filter_dead_letters(found, cause=cause, since=since)

    def count(self) -> int:
        """Return how many dead letters are open."""
        return self.dead_letters.count() + self.messages.count()

    def counts_by_cause(self) -> dict[str, int]:
        """Return how many dead letters each cause has, the most first. All unreadable messages have one."""
        counts = dict(self.dead_letters.causes())
        if messages := self.messages.count():
            counts[Cause.MESSAGES.value] = messages
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def warning(self) -> str | None:
        """Return a warning if dead letters will soon be deleted, None while there is room and time."""
        count = self.count()
        if count >= self.max_count * WARN_COUNT_RATIO:
            limit = self.max_count
            return f"{count} of at most {limit} dead letters: the oldest will be dropped; retry or discard some"
        oldest = [at for at in (self.dead_letters.oldest_at(), self.messages.oldest_at()) if at is not None]
        if oldest and self.clock.now() - min(oldest) >= self.max_age * WARN_AGE_RATIO:
            days = self.max_age.days
            return f"the oldest dead letter is from {min(oldest):%Y-%m-%d}: letters are dropped after {days} days"
        return None

    def retry(
        self, dead_letters: Collection[DeadLetter], actor: str, is_cancelled: Callable[[], bool] = lambda: False
    ) -> RetryResult:
        """Retry the dead letters, job by job; once `is_cancelled` between two jobs, the rest is left untouched.

        A course is synced in full, and its dead letters stay open until that succeeds; so are the rosters. A message
        goes back where it came from. Safe to repeat.
        """
        done: list[str] = []
        refused: list[str] = []
        jobs = group_by_job(dead_letters)
        for number, job in enumerate(jobs):
            if number and is_cancelled():
                not_attempted = tuple(each.id for later in jobs[number:] for each in later)
                return RetryResult(tuple(done), tuple(refused), not_attempted)
            (done if self._retry(job, actor) else refused).extend(each.id for each in job)
        return RetryResult(tuple(done), tuple(refused))

    def discard(self, dead_letters: Collection[DeadLetter], actor: str) -> int:
        """Remove the dead letters; return how many. Their work is not done, but a later change may include it."""
        for each in dead_letters:
            log.info(LogEvent.DEAD_LETTER_DISCARDED, letter_id=each.id, cause=each.cause, actor=actor)
        self._remove(dead_letters)
        return len(dead_letters)

    def enforce_limits(self) -> int:
        """Delete dead letters that are too old, and the oldest of too many; log each before. Return how many."""
        if self.warning() is None:
            return 0
        by_age = sorted(self.all(), key=lambda each: each.last_failed_at)
        surplus, oldest = len(by_age) - self.max_count, self.clock.now() - self.max_age
        expired = [each for number, each in enumerate(by_age) if number < surplus or each.last_failed_at < oldest]
        for each in expired:
            log.error(LogEvent.DEAD_LETTER_EVICTED, letter_id=each.id, cause=each.cause)
        self._remove(expired)
        return len(expired)

    def export_json(self, dead_letter: DeadLetter) -> Json:
        """Return everything about a dead letter; the parts of a message in Base64."""
        if dead_letter.kind is not DeadLetterKind.MESSAGE:
            return dead_letter_json(dead_letter)
        content = self.messages.content(dead_letter.id)
        parts = {name.decode(errors="replace"): base64.b64encode(value).decode() for name, value in content.items()}
        return {**dead_letter_json(dead_letter), "content": parts}

    def _retry(self, job: Sequence[DeadLetter], actor: str) -> bool:
        first = job[0]
        if first.kind is DeadLetterKind.MESSAGE:
            done = self.messages.republish(first.id)
        elif first.kind is DeadLetterKind.PROVISIONING:
            self.provision(actor)
            done = self.dead_letters.mark_retried(first.id)
        else:
            assignment_ids = [each.assignment_id for each in job if each.assignment_id is not None]
            origin = ChangeCause.RETRY
            self.queue.request(first.course_id, ChangeCause.PERSON, assignment_ids, actor=actor, origin=origin)
            done = True
            for each in job:
                self.dead_letters.mark_retried(each.id)
        if done:
            log.info(LogEvent.DEAD_LETTERS_RETRIED, letter_ids=[each.id for each in job], actor=actor)
        return done

    def _remove(self, dead_letters: Collection[DeadLetter]) -> None:
        for each in dead_letters:
            if each.kind is DeadLetterKind.COURSE:
                self.dead_letters.close(each.course_id, each.assignment_id)
            elif each.kind is DeadLetterKind.PROVISIONING:
                self.dead_letters.close_provisioning()
        self.messages.discard([each.id for each in dead_letters if each.kind is DeadLetterKind.MESSAGE])


def filter_dead_letters(
    dead_letters: Iterable[DeadLetter],
    ids: Collection[str] = (),
    cause: str | None = None,
    since: datetime | None = None,
) -> list[DeadLetter]:
    """Return the dead letters that match everything that is given, in their order. `since` is inclusive."""
    return [
        each
        for each in dead_letters
        if (not ids or each.id in ids)
        and cause in (None, each.cause)
        and (since is None or each.last_failed_at >= since)
    ]


def group_by_job(dead_letters: Iterable[DeadLetter]) -> list[list[DeadLetter]]:
    """Return what is retried together: all of a course, since one sync resolves them; a message by itself."""
    jobs: dict[str, list[DeadLetter]] = {}
    for each in dead_letters:
        jobs.setdefault(each.course_id or each.id, []).append(each)
    return list(jobs.values())


def group_by_cause(dead_letters: Iterable[DeadLetter]) -> list[Json]:
    """Return how many dead letters and courses each cause has, and between which failures; the largest first."""
    ordered = sorted(dead_letters, key=lambda each: each.cause)
    groups = [(cause, list(members)) for cause, members in groupby(ordered, key=lambda each: each.cause)]
    return [
        {
            "cause": cause,
            "letters": len(members),
            "courses": len({each.course_id for each in members if each.kind is DeadLetterKind.COURSE}),
            "first_failed_at": min(each.first_failed_at for each in members),
            "last_failed_at": max(each.last_failed_at for each in members),
        }
        for cause, members in sorted(groups, key=lambda group: (-len(group[1]), group[0]))
    ]


def dead_letter_json(dead_letter: DeadLetter) -> Json:
    """Return a dead letter as `dlq list` and the API have it. A message has no course."""
    return {
        "id": dead_letter.id,
        "kind": dead_letter.kind,
        "course_id": dead_letter.course_id or None,
        "assignment_id": dead_letter.assignment_id,
        "source": dead_letter.source or None,
        "cause": dead_letter.cause,
        "answer": dead_letter.answer,
        "attempts": dead_letter.attempts,
        "attempt_times": [_time(at) for at in dead_letter.attempt_times],
        "first_failed_at": _time(dead_letter.first_failed_at),
        "last_failed_at": _time(dead_letter.last_failed_at),
        "retried_at": _time(dead_letter.retried_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
