"""Lists, retries, discards and exports dead letters, and keeps their number bounded."""

import base64
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import DeadLetter, DeadLetterKind
from shared.log_events import LogEvent
from workers.dead_letters.filters import Bounds, jobs

log = structlog.get_logger()

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class RetryResult:
    """What became of a retry: by id, what was set going, what cannot be, and what was left untouched."""

    retried: tuple[str, ...] = ()
    not_possible: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class DeadLetterQueue:
    """Every dead letter, of courses, messages and provisioning alike. `provision` opens a run a person asks for."""

    def __init__(
        self,
        letters: DeadLetters,
        messages: DeadMessages,
        changes: SyncQueue,
        clock: Clock,
        bounds: Bounds,
        provision: Callable[[str], object],
    ) -> None:
        self._letters = letters
        self._messages = messages
        self._changes = changes
        self._clock = clock
        self._bounds = bounds
        self._provision = provision

    def all(self) -> list[DeadLetter]:
        """Return every open letter, the oldest failure first."""
        return sorted([*self._letters.all(), *self._messages.all()], key=lambda letter: letter.first_failed_at)

    def count(self) -> int:
        """Return how many letters are open."""
        return self._letters.count() + self._messages.count()

    def warning(self) -> str | None:
        """Return what to know before letters are dropped, None while there is room and time."""
        oldest = [at for at in (self._letters.oldest_at(), self._messages.oldest_at()) if at is not None]
        return self._bounds.warning(self.count(), min(oldest, default=None), self._clock.now())

    def retry(
        self, letters: Collection[DeadLetter], actor: str, is_cancelled: Callable[[], bool] = lambda: False
    ) -> RetryResult:
        """Retry the dead letters, job by job; once `is_cancelled` between two jobs, the rest is left untouched.

        A course is looked at anew, whatever its age, and its letters stay open until that succeeds; so are the rosters.
        A message goes back where it came from. Safe to repeat.
        """
        done: list[str] = []
        refused: list[str] = []
        waiting = jobs(letters)
        for number, job in enumerate(waiting):
            if number and is_cancelled():
                left = tuple(letter.id for rest in waiting[number:] for letter in rest)
                return RetryResult(tuple(done), tuple(refused), left)
            (done if self._retry(job, actor) else refused).extend(letter.id for letter in job)
        return RetryResult(tuple(done), tuple(refused))

    def discard(self, letters: Collection[DeadLetter], actor: str) -> int:
        """Remove the letters; returns how many. Their work is not done, but a later change may bring it up again."""
        for letter in letters:
            log.info(LogEvent.DEAD_LETTER_DISCARDED, letter_id=letter.id, cause=letter.cause, actor=actor)
        self._remove(letters)
        return len(letters)

    def drop_surplus(self) -> int:
        """Drop what is too old or too much, and say so in the log before; returns how many."""
        surplus = self._bounds.surplus(self.all(), self._clock.now()) if self._may_have_surplus() else []
        for letter in surplus:
            log.error(LogEvent.DEAD_LETTER_EVICTED, letter_id=letter.id, cause=letter.cause)
        self._remove(surplus)
        return len(surplus)

    def exported(self, letter: DeadLetter) -> Json:
        """Return everything about a letter; the parts of a message in Base64."""
        if letter.kind is not DeadLetterKind.MESSAGE:
            return dead_letter_json(letter)
        content = self._messages.content(letter.id)
        parts = {name.decode(errors="replace"): base64.b64encode(value).decode() for name, value in content.items()}
        return {**dead_letter_json(letter), "content": parts}

    def _retry(self, job: Sequence[DeadLetter], actor: str) -> bool:
        letter = job[0]
        if letter.kind is DeadLetterKind.MESSAGE:
            done = self._messages.republish(letter.id)
        elif letter.kind is DeadLetterKind.PROVISIONING:
            self._provision(actor)
            done = self._letters.mark_retried(letter.id)
        else:
            assignment_ids = [each.assignment_id for each in job if each.assignment_id is not None]
            self._changes.request(letter.course_id, ChangeCause.PERSON, assignment_ids, actor=actor)
            done = True
            for each in job:
                self._letters.mark_retried(each.id)
        if done:
            ids = [each.id for each in job]
            log.info(LogEvent.DEAD_LETTERS_RETRIED, letter_ids=ids, actor=actor)
        return done

    def _remove(self, letters: Collection[DeadLetter]) -> None:
        for letter in letters:
            if letter.kind is DeadLetterKind.COURSE:
                self._letters.close(letter.course_id, letter.assignment_id)
            elif letter.kind is DeadLetterKind.PROVISIONING:
                self._letters.close_provisioning()
        self._messages.discard([letter.id for letter in letters if letter.kind is DeadLetterKind.MESSAGE])

    def _may_have_surplus(self) -> bool:
        """Say whether reading all letters is worth it."""
        return self.warning() is not None


def dead_letter_json(letter: DeadLetter) -> Json:
    """Return a letter as `dlq list` and the API have it. A message has no course."""
    return {
        "id": letter.id,
        "kind": letter.kind,
        "course_id": letter.course_id or None,
        "assignment_id": letter.assignment_id,
        "source": letter.source or None,
        "cause": letter.cause,
        "answer": letter.answer,
        "attempts": letter.attempts,
        "attempt_times": [_time(at) for at in letter.attempt_times],
        "first_failed_at": _time(letter.first_failed_at),
        "last_failed_at": _time(letter.last_failed_at),
        "retried_at": _time(letter.retried_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
