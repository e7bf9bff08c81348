"""Lists, selects, retries and discards dead letters for the pages and the API."""

import secrets
import threading
from collections.abc import Sequence
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.dead_letters.dead_messages import ID_PREFIX
from shared.adapters.redis.dead_letters.store import BatchState, DeadLetterBatches
from shared.domain.actions import Verb
from shared.domain.outcome import DeadLetter
from shared.log_events import LogEvent
from workers.container import Container
from workers.dead_letters import DeadLetterQueue, filter_dead_letters, group_by_job

MESSAGES = "messages"
"""Stands, in place of a cause, for all unreadable messages."""

log = structlog.get_logger()


def page(
    service: Container, cause: str | None, start: str | None, limit: int
) -> tuple[Sequence[DeadLetter], str | None]:
    """Return a page of a cause's dead letters, of all courses' (None), or of `MESSAGES`, and the next page's `start`.

    `start` is None at the beginning, and after the last page.
    """
    if cause == MESSAGES:
        messages = service.dead_messages.page(start, limit + 1)
        return messages[:limit], messages[limit - 1].id if len(messages) > limit else None
    first = int(start) if start and start.isdecimal() else 0
    store = service.dead_letters
    found = store.page(first, limit + 1) if cause is None else store.of_cause(cause, first, limit + 1)
    return found[:limit], str(first + limit) if len(found) > limit else None


def find(service: Container, dead_letter_id: str) -> DeadLetter | None:
    """Return an open dead letter."""
    store = service.dead_messages if dead_letter_id.startswith(ID_PREFIX) else service.dead_letters
    return store.find(dead_letter_id)


def select(
    service: Container, ids: Sequence[str] = (), cause: str | None = None, since: datetime | None = None
) -> list[DeadLetter]:
    """Return the open dead letters that match every given condition; all of them without one."""
    if ids:
        named = [found for dead_letter_id in dict.fromkeys(ids) if (found := find(service, dead_letter_id))]
        return filter_dead_letters(named, cause=cause, since=since)
    if cause is None:
        return filter_dead_letters(service.dead_letter_queue.all(), since=since)
    messages = service.dead_messages.all()
    if cause == MESSAGES:
        return filter_dead_letters(messages, since=since)
    of_cause = [*service.dead_letters.of_cause(cause, 0, -1), *messages]
    return filter_dead_letters(of_cause, cause=cause, since=since)


def start_batch(
    queue: DeadLetterQueue, progress: DeadLetterBatches, verb: Verb, dead_letters: Sequence[DeadLetter], actor: str
) -> str:
    """Retry or discard many dead letters in a thread of this process; return the batch's id.

    A batch whose process ends is interrupted: the rest is untouched, and can be retried by another batch.
    """
    batch_id = secrets.token_hex(8)
    progress.begin(batch_id, verb, actor, len(dead_letters))
    threading.Thread(
        target=_run_batch,
        args=[queue, progress, batch_id, verb, dead_letters, actor],
        name=f"batch-{batch_id}",
        daemon=True,
    ).start()
    return batch_id


def _run_batch(
    queue: DeadLetterQueue,
    progress: DeadLetterBatches,
    batch_id: str,
    verb: Verb,
    dead_letters: Sequence[DeadLetter],
    actor: str,
) -> None:
    """Process the dead letters job by job, a course or a message each, until somebody cancels the batch."""
    done = refused = 0
    try:
        for number, job in enumerate(group_by_job(dead_letters)):
            if number and not progress.go_on(batch_id, done, refused):
                progress.end(batch_id, BatchState.CANCELLED)
                return
            if verb is Verb.DISCARD:
                done += queue.discard(job, actor)
            else:
                result = queue.retry(job, actor)
                done += len(result.retried)
                refused += len(result.not_possible)
        progress.go_on(batch_id, done, refused)
        progress.end(batch_id, BatchState.DONE)
    except RedisError as error:
        log.warning(LogEvent.DEAD_LETTER_BATCH_ERROR, batch_id=batch_id, error=type(error).__name__)
