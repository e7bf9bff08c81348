"""Merges messages into the courses' pending changes, claims due courses and sends a task for each."""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.log_events import LogEvent
from workers.runtime.process_end import VitalThread

log = structlog.get_logger()

BATCH = 500
# The first message is aggregated at once, those that follow within this time are aggregated together.
BATCH_WINDOW = timedelta(milliseconds=50)
MAX_BLOCK = timedelta(milliseconds=500)
MIN_BLOCK = timedelta(milliseconds=20)
PAUSE_AFTER_FAILURE = timedelta(seconds=1)


class Dispatcher(VitalThread):
    """A thread beside the worker's pool. Each of its steps is atomic in Redis, so that any number of them may run."""

    def __init__(
        self,
        queue: SyncQueue,
        dispatch: Callable[[str], None],
        consumer: str,
        max_claims: int,
        *,
        pause_after_failure: timedelta = PAUSE_AFTER_FAILURE,
    ) -> None:
        super().__init__("dispatcher")
        self._queue = queue
        self._dispatch = dispatch
        self._consumer = consumer
        self._max_claims = max_claims
        self._pause_s = pause_after_failure.total_seconds()

    def run_once(self) -> int:
        """Aggregate new messages, claim due courses and dispatch them. Return how many were dispatched."""
        block = self._max_block()
        started = time.monotonic()
        result = self._queue.aggregate(self._consumer, BATCH, block)
        if not result.aggregated:
            # Redis blocks until then; fakeredis returns an empty result at once.
            self.stopping.wait(block.total_seconds() - (time.monotonic() - started))
        if result.aggregated or result.malformed:
            log.debug(
                LogEvent.MESSAGES_AGGREGATED, folded=result.aggregated, unknown=result.unknown, bad=result.malformed
            )
        due = self._queue.claim_due(self._max_claims)
        for course_id in due:
            self._dispatch(course_id)
        if 0 < result.aggregated < BATCH:
            self.stopping.wait(BATCH_WINDOW.total_seconds())
        return len(due)

    def _max_block(self) -> timedelta:
        next_due = self._queue.time_until_next()
        if next_due is None:
            return MAX_BLOCK
        # A due course that cannot be claimed yet (all claims taken) must not turn this into a busy loop.
        return min(MAX_BLOCK, max(MIN_BLOCK, next_due))

    def work(self) -> None:
        """Dispatch, one step after the other. Messages that were not read stay on their streams."""
        while not self.stopping.is_set():
            try:
                self.run_once()
            except (RedisError, OperationalError, OSError) as error:
                # Messages that were read stay unacknowledged, and claims expire: there is nothing to undo.
                log.warning(LogEvent.DISPATCHER_ERROR, error=type(error).__name__)
                self.stopping.wait(self._pause_s)
