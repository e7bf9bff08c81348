"""The URL of one Redis, for redis-py and for Celery."""

import pytest

from shared.adapters.redis.urls import broker_url
from shared.config import ConfigurationError


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://:secret@redis.example:6380/3"])
def test_tcp_urls_are_the_same_for_both(url: str) -> None:
    """`redis://` and `rediss://` pass through."""
    assert broker_url(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=4", "redis+socket:///run/redis.sock?virtual_host=4"),
        ("unix://:p%40ss@/run/redis.sock?db=1", "redis+socket://:p%40ss@/run/redis.sock?virtual_host=1"),
        ("unix:///run/redis.sock?password=p%40ss", "redis+socket://:p%40ss@/run/redis.sock?virtual_host=0"),
        ("unix:///run/a%20b.sock", "redis+socket:///run/a%20b.sock?virtual_host=0"),
    ],
)
def test_a_unix_socket_is_translated(url: str, expected: str) -> None:
    """Path, database and password of `unix://` are carried over to kombu's spelling."""
    assert broker_url(url) == expected


def test_an_option_without_counterpart_is_refused() -> None:
    """An option that Celery would not obey is named instead of dropped."""
    with pytest.raises(ConfigurationError, match="max_connections"):
        broker_url("unix:///run/redis.sock?max_connections=3")
