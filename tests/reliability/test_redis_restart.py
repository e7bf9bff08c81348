"""Stream lengths of a Redis that was killed."""

import shutil
import time
from datetime import timedelta

import pytest
import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.domain.passback.changes import Change, ChangeKind, DebounceWindow
from tests.fault_injection.redis_server import RedisServer

SECOND = timedelta(seconds=1)


def store_of(client: redis.Redis) -> SyncQueue:
    return SyncQueue(client, Keys(), DebounceWindow(SECOND, SECOND), SECOND, SECOND)


def fold(client: redis.Redis, count: int) -> None:
    for _ in range(count):
        client.xadd(Keys().stream(STREAM_OF[ChangeKind.GRADE]), encode(Change(ChangeKind.GRADE, "1")))
    assert store_of(client).aggregate("w", 100, timedelta(0)).aggregated == count


def rewrite_append_only_file(client: redis.Redis) -> None:
    client.bgrewriteaof()
    until = time.monotonic() + 10
    while True:
        persistence = client.info("persistence")
        if not persistence["aof_rewrite_in_progress"] and not persistence["aof_rewrite_scheduled"]:
            return
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.redis
def test_what_was_read_does_not_count_as_unread_after_a_kill() -> None:
    """A Redis killed after it rewrote its append-only file shows no backlog that is not there."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with RedisServer() as server:
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            store_of(client).aggregate("w", 100, timedelta(0))
            fold(client, 10)
            rewrite_append_only_file(client)
            fold(client, 7)
        server.kill()
        server.start()
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            assert store_of(client).pending_messages() == 0
