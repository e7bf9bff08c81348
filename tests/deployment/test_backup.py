"""A backup that is taken while passback works comes back whole, and one that is not whole is not taken for one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.backup.aof import BackupFailed, restored, take
from deploy.backup.drill import LINKS_PER_COURSE, look_at, rehearse
from shared.adapters.redis.keys import Keys
from tests.fault_injection.redis_server import RedisServer

pytestmark = [
    pytest.mark.redis7,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH"),
]


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    with RedisServer() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        yield client


@pytest.mark.slow
def test_the_drill_brings_every_link_back() -> None:
    """Compacted, copied under writes and loaded by another Redis, every link is as it was."""
    found = rehearse()

    assert found["links"] == found["courses"] * LINKS_PER_COURSE > 0


def test_a_backup_is_looked_at_as_passback_reads_it(client: redis.Redis, tmp_path: Path) -> None:
    """What it holds is counted; a link that nobody can read is an error, not a number."""
    client.zadd(Keys().courses, {"7301": 0})
    backup = take(client, tmp_path / "good")
    assert look_at(backup, "passback")["courses"] == 1

    client.hset(Keys().links("7301"), "11:4711", "no link")
    backup = take(client, tmp_path / "bad")
    with pytest.raises(ValueError, match="malformed"):
        look_at(backup, "passback")


def test_compaction_goes_on_as_before(client: redis.Redis, tmp_path: Path) -> None:
    """Taking a backup leaves Redis's settings as they were."""
    client.config_set("auto-aof-rewrite-percentage", 77)
    take(client, tmp_path)

    assert client.config_get("auto-aof-rewrite-percentage") == {"auto-aof-rewrite-percentage": "77"}


def test_a_redis_that_keeps_nothing_has_no_backup(client: redis.Redis, tmp_path: Path) -> None:
    """Without an append-only file there is nothing to copy."""
    client.config_set("appendonly", "no")

    with pytest.raises(BackupFailed, match="appendonly yes"):
        take(client, tmp_path)


def test_a_copy_that_is_not_whole_is_refused(client: redis.Redis, tmp_path: Path) -> None:
    """A part that the manifest names and that is missing, or no manifest at all, is no backup."""
    client.set("passback:fence", 1)
    backup = take(client, tmp_path)
    next(backup.glob("*.base.*")).unlink()
    with pytest.raises(BackupFailed, match="not whole"), restored(backup):
        pass

    with pytest.raises(BackupFailed, match="no manifest"), restored(tmp_path):
        pass
