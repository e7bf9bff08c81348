"""Every contract is proved twice: over fakeredis, and over a real Redis."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis
from stores_under_test import District, running_redis

from shared.adapters.redis.change_store import RedisChangeStore
from shared.adapters.redis.connection import connect
from shared.adapters.redis.keys import Keys
from shared.config import load


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
        client = connect(load({"PASSBACK_REDIS_URL": f"unix://{socket}"}, env_file=Path("/dev/null")))
        client.flushall()
    yield client
    client.close()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def district(client: redis.Redis) -> District:
    return District(client)


@pytest.fixture
def store(district: District) -> RedisChangeStore:
    return district.process()
