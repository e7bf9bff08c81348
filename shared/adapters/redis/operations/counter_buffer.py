"""Counting where it may cost nothing: in the process, and about once a second in Redis."""

import threading
from collections import Counter
from datetime import timedelta

import redis
import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.keys import Keys
from shared.log_events import LogEvent

log = structlog.get_logger()

FLUSH_EVERY = timedelta(seconds=1)
SEPARATOR = "|"


class CounterBuffer:
    """The `Count` of one process, for all its threads. What `Counters` reads, with labels joined by a bar.

    Numbers that a process killed between two flushes had not written are lost: they are for watching, not for books.
    """

    def __init__(self, client: redis.Redis, keys: Keys, every: timedelta = FLUSH_EVERY) -> None:
        self._redis = client
        self._keys = keys
        self._every_s = every.total_seconds()
        self._counted: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def __call__(self, name: str, *labels: str, amount: int = 1) -> None:
        """Count `amount` more of these labels under `name`. Never waits for Redis."""
        with self._lock:
            self._counted[name, SEPARATOR.join(labels)] += amount
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="tally", daemon=True)
                self._thread.start()
        self._wanted.set()

    def flush(self) -> bool:
        """Write what was counted; False, and nothing forgotten, where Redis does not take it."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        if not counted:
            return True
        try:
            self._write(counted)
        except (RedisError, OSError) as error:
            with self._lock:
                self._counted.update(counted)
            self._record_failure(error)
            return False
        self._failing = False
        return True

    def close(self) -> None:
        """Write the rest and end the thread."""
        self._stopped.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.flush()

    def _write(self, counted: Counter[tuple[str, str]]) -> None:
        # All or nothing, so that what is counted again after a failure was not written before.
        pipeline = self._redis.pipeline(transaction=True)
        for (name, label), amount in counted.items():
            pipeline.hincrby(self._keys.counter(name), label, amount)
        pipeline.execute()

    def _record_failure(self, error: Exception) -> None:
        """Log the first failure of several in a row."""
        if not self._failing:
            log.warning(LogEvent.METRICS_FLUSH_FAILED, error=type(error).__name__)
        self._failing = True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._stopped.wait(self._every_s)
            self._wanted.clear()
            if not self.flush():
                self._wanted.set()
