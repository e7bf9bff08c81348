"""The dispatcher: folds messages into change sets, claims courses that are due, wakes a worker for each."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.log_events import LogEvent
from workers.runtime.vital_threads import VitalThread

log = structlog.get_logger()

BATCH = 500
# The first message is folded as soon as it comes; those that follow within this time are folded together.
GATHERED_FOR = timedelta(milliseconds=50)
MAX_BLOCK = timedelta(milliseconds=500)
MIN_BLOCK = timedelta(milliseconds=20)
PAUSE_AFTER_FAILURE = timedelta(seconds=1)


class Dispatcher:
    """One thread beside the worker's pool. Everything it does is atomic in Redis, so any number of them may run."""

    def __init__(
        self,
        changes: SyncQueue,
        wake: Callable[[str], None],
        consumer: str,
        claims_at_once: int,
        *,
        pause_after_failure: timedelta = PAUSE_AFTER_FAILURE,
    ) -> None:
        self._changes = changes
        self._wake = wake
        self._consumer = consumer
        self._claims_at_once = claims_at_once
        self._pause_s = pause_after_failure.total_seconds()
        self._stopped = threading.Event()
        self._thread = VitalThread(target=self._run, name="dispatcher")

    @property
    def is_running(self) -> bool:
        """Say whether courses are dispatched."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start dispatching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current step; messages not yet folded stay on their streams."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def step(self) -> int:
        """Fold what has come, claim what is due, wake workers. Returns how many courses were woken."""
        block = self._block()
        asked_at = time.monotonic()
        folded = self._changes.aggregate(self._consumer, BATCH, block)
        if not folded.aggregated:
            # A real Redis blocks until then; fakeredis answers an empty stream at once.
            self._stopped.wait(block.total_seconds() - (time.monotonic() - asked_at))
        if folded.aggregated or folded.malformed:
            log.debug(
                LogEvent.MESSAGES_AGGREGATED, folded=folded.aggregated, unknown=folded.unknown, bad=folded.malformed
            )
        due = self._changes.claim_due(self._claims_at_once)
        for course_id in due:
            self._wake(course_id)
        if 0 < folded.aggregated < BATCH:
            self._stopped.wait(GATHERED_FOR.total_seconds())
        return len(due)

    def _block(self) -> timedelta:
        next_due = self._changes.time_until_next()
        if next_due is None:
            return MAX_BLOCK
        # A due course that cannot be claimed yet (all claims taken) must not turn this into a busy loop.
        return min(MAX_BLOCK, max(MIN_BLOCK, next_due))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.step()
            except (RedisError, OperationalError, OSError) as error:
                # What was read stays unacknowledged and what was claimed becomes due again: nothing to undo.
                log.warning(LogEvent.DISPATCHER_ERROR, error=type(error).__name__)
                self._stopped.wait(self._pause_s)
