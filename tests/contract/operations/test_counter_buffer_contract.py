"""The contract of `Count`, as the tally keeps it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import redis
from redis.exceptions import ConnectionError as ConnectionFailed
from structlog.testing import capture_logs

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.counters import CounterBuffer
from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.log_events import LogEvent

NEVER = timedelta(hours=1)


def test_threads_and_processes_count_together(client: redis.Redis, keys: Keys) -> None:
    """Every count of every thread and process arrives, under its labels."""
    tallies = [CounterBuffer(client, keys, NEVER), CounterBuffer(client, keys, NEVER)]
    with ThreadPoolExecutor(8) as pool:
        for number in range(2000):
            pool.submit(tallies[number % 2], "syncs", "done", "", amount=1 + number % 2)
    tallies[0]("syncs", "waits", "canvas_throttled")
    for tally in tallies:
        tally.close()
    assert QueueStats(client, keys).counter("syncs") == {("done", ""): 3000, ("waits", "canvas_throttled"): 1}


def test_it_writes_by_itself(client: redis.Redis, keys: Keys) -> None:
    """Nobody has to ask: a moment later the count is in Redis."""
    tally = CounterBuffer(client, keys, timedelta(milliseconds=10))
    tally("syncs", "done", "")
    tally._thread.join(0.5)  # type: ignore[union-attr]  # it does not end; this lets it run
    counted = QueueStats(client, keys).counter("syncs")
    tally.close()
    assert counted == {("done", ""): 1}


def test_what_redis_does_not_take_is_written_later(client: redis.Redis, keys: Keys) -> None:
    """A count is not lost with an outage, not doubled after it, and said to be late once."""
    tally = CounterBuffer(client, keys, NEVER)
    tally("syncs", "done", "", amount=2)
    real, tally._redis = tally._redis, _Away()  # type: ignore[assignment]
    with capture_logs() as lines:
        assert [tally.flush(), tally.flush()] == [False, False]
    tally._redis = real
    tally("syncs", "done", "")
    assert tally.flush()
    tally.close()
    assert QueueStats(client, keys).counter("syncs") == {("done", ""): 3}
    assert [line["event"] for line in lines] == [LogEvent.METRICS_FLUSH_FAILED]


class _Away:
    def pipeline(self, *, transaction: bool) -> object:
        raise ConnectionFailed
