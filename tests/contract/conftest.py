"""Every contract is proved twice: over fakeredis, and over a real Redis as a user who may do no more than deployed."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis
from stores_under_test import District, running_redis

from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.config import load

# What the tests do to Redis, and passback never does.
OF_TESTS = ("+flushall", "+keys", "+script|flush")


def deployed_rules() -> list[str]:
    """Return what `deploy/redis` allows passback's user: what an adapter needs beyond it, belongs there."""
    users = (Path(__file__).parents[2] / "deploy" / "redis" / "users.acl.in").read_text()
    (line,) = [line for line in users.splitlines() if line.startswith("user passback ")]
    return line.partition(" #PASSBACK# ")[2].split()


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    with running_redis() as socket:
        yield socket


@pytest.fixture(params=["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis)])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    if request.param == "fakeredis":
        client: redis.Redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    else:
        socket = request.getfixturevalue("redis_socket")
        with redis.Redis(unix_socket_path=str(socket)) as admin:
            admin.flushall()
            admin.execute_command("ACL", "SETUSER", "passback", "reset", "on", "nopass", *deployed_rules(), *OF_TESTS)
        url = f"unix://{socket}?username=passback&password=any"
        client = connect(load({"PASSBACK_REDIS_URL": url}, env_file=Path("/dev/null")))
    yield client
    client.close()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def district(client: redis.Redis) -> District:
    return District(client)


@pytest.fixture
def store(district: District) -> SyncQueue:
    return district.process()
