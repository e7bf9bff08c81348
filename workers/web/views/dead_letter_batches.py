"""Retries and discards many dead letters beside the requests, at a rate, so that a person sees how far it is."""

import secrets
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.dead_letters.batches import BatchState, DeadLetterBatches
from shared.domain.actions import Verb
from shared.domain.passback.course_state import DeadLetter
from shared.log_events import LogEvent
from workers.dead_letters.filters import jobs
from workers.dead_letters.service import DeadLetterQueue

log = structlog.get_logger()

POLL_INTERVAL_S = 1.0


class Batches:
    """Starts batches, each in a thread of this process.

    One whose process ends is interrupted: what it had not come to is untouched, and can be retried by another batch.
    """

    def __init__(self, queue: DeadLetterQueue, notes: DeadLetterBatches) -> None:
        self._queue = queue
        self._notes = notes

    def start(self, verb: Verb, letters: Sequence[DeadLetter], actor: str, interval: timedelta) -> str:
        """Begin a batch; return its id."""
        batch_id = secrets.token_hex(8)
        self._notes.begin(batch_id, verb, actor, len(letters))
        batch = _Batch(self._queue, self._notes, batch_id, verb, actor, interval)
        threading.Thread(target=batch.run, args=[letters], name=f"batch-{batch_id}", daemon=True).start()
        return batch_id


class _Batch:
    """One batch on its way."""

    def __init__(
        self,
        queue: DeadLetterQueue,
        notes: DeadLetterBatches,
        batch_id: str,
        verb: Verb,
        actor: str,
        interval: timedelta,
    ) -> None:
        self._queue = queue
        self._notes = notes
        self._id = batch_id
        self._verb = verb
        self._actor = actor
        self._interval = interval
        self._done = 0
        self._refused = 0

    def run(self, letters: Sequence[DeadLetter]) -> None:
        """Work the letters off, one course or message after the other."""
        try:
            for number, job in enumerate(jobs(letters)):
                if number and self._is_cancelled_while_waiting():
                    self._notes.end(self._id, BatchState.CANCELLED)
                    return
                self._work_off(job)
            self._notes.go_on(self._id, self._done, self._refused)
            self._notes.end(self._id, BatchState.DONE)
        except RedisError as error:
            log.warning(LogEvent.LETTER_BATCH_INTERRUPTED, batch_id=self._id, error=type(error).__name__)

    def _work_off(self, job: Sequence[DeadLetter]) -> None:
        if self._verb is Verb.DISCARD:
            self._done += self._queue.discard(job, self._actor)
            return
        done = self._queue.retry(job, self._actor, timedelta(0), lambda _: False)
        self._done += len(done.retried)
        self._refused += len(done.not_possible)

    def _is_cancelled_while_waiting(self) -> bool:
        until = time.monotonic() + self._interval.total_seconds()
        while True:
            if not self._notes.go_on(self._id, self._done, self._refused):
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, POLL_INTERVAL_S))
