"""The schema version in Redis: stamped, converted, or refused."""

import pytest
import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.schema import SCHEMA_VERSION, check_schema
from shared.config import ConfigurationError


def test_a_fresh_redis_gets_the_version(client: redis.Redis, keys: Keys) -> None:
    """A second start changes nothing."""
    check_schema(client, keys)
    check_schema(client, keys)
    assert client.get(keys.schema_version) == str(SCHEMA_VERSION).encode()


def test_data_without_a_version_is_version_1(client: redis.Redis, keys: Keys) -> None:
    """What nothing reads any more is deleted, what is in use stays."""
    client.zadd("passback:course-words", {"science 101": 0})
    client.hset("passback:standings", "synced", 4)
    client.zadd("passback:problems", {"101": 1})
    client.zadd(keys.courses, {"101": 0})
    check_schema(client, keys)
    assert set(client.keys("*")) == {keys.courses.encode(), keys.schema_version.encode()}


def test_data_of_a_newer_version_is_refused(client: redis.Redis, keys: Keys) -> None:
    """The sentence names both versions and the way forward, and nothing is changed."""
    client.set(keys.schema_version, SCHEMA_VERSION + 1)
    with pytest.raises(ConfigurationError) as raised:
        check_schema(client, keys)
    for named in (f"version {SCHEMA_VERSION + 1}", f"up to {SCHEMA_VERSION}", "install", "backup"):
        assert named in str(raised.value)
    assert client.get(keys.schema_version) == str(SCHEMA_VERSION + 1).encode()
