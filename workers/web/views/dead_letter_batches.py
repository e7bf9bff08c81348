"""Retries and discards many dead letters in a thread beside the requests, and records its progress."""

import secrets
import threading
from collections.abc import Sequence

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.dead_letters.batches import BatchState, DeadLetterBatches
from shared.domain.actions import Verb
from shared.domain.passback.course_state import DeadLetter
from shared.log_events import LogEvent
from workers.dead_letters.filters import jobs
from workers.dead_letters.service import DeadLetterQueue

log = structlog.get_logger()


class Batches:
    """Starts batches, each in a thread of this process.

    A batch whose process ends is interrupted: the rest is untouched, and can be retried by another batch.
    """

    def __init__(self, queue: DeadLetterQueue, notes: DeadLetterBatches) -> None:
        self._queue = queue
        self._notes = notes

    def start(self, verb: Verb, letters: Sequence[DeadLetter], actor: str) -> str:
        """Begin a batch; return its id."""
        batch_id = secrets.token_hex(8)
        self._notes.begin(batch_id, verb, actor, len(letters))
        run = threading.Thread(
            target=self._run, args=[batch_id, verb, letters, actor], name=f"batch-{batch_id}", daemon=True
        )
        run.start()
        return batch_id

    def _run(self, batch_id: str, verb: Verb, letters: Sequence[DeadLetter], actor: str) -> None:
        """Process the dead letters job by job, a course or a message each, until somebody cancels the batch."""
        done = refused = 0
        try:
            for number, job in enumerate(jobs(letters)):
                if number and not self._notes.go_on(batch_id, done, refused):
                    self._notes.end(batch_id, BatchState.CANCELLED)
                    return
                if verb is Verb.DISCARD:
                    done += self._queue.discard(job, actor)
                else:
                    result = self._queue.retry(job, actor)
                    done += len(result.retried)
                    refused += len(result.not_possible)
            self._notes.go_on(batch_id, done, refused)
            self._notes.end(batch_id, BatchState.DONE)
        except RedisError as error:
            log.warning(LogEvent.DEAD_LETTER_BATCH_ERROR, batch_id=batch_id, error=type(error).__name__)
