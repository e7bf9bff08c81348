"""The transport that outlives its Redis."""

import pytest
from kombu import Connection
from redis.exceptions import ConnectionError as ConnectionFailed

from workers.celery import transport


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "rediss://127.0.0.1:1", "redis+socket:///nowhere/redis.sock"])
def test_every_redis_url_has_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever way Redis is reached, Celery uses this transport."""
    # Kombu remembers what a scheme once was; a process registers before its first connection, this one may not have.
    monkeypatch.setattr("kombu.transport._transport_cache", {})
    transport.register()
    assert Connection(url).get_transport_cls() is transport.Transport


def test_a_channel_without_its_connection_fails_as_a_lost_connection_does() -> None:
    """Acknowledging on a channel whose connection was closed is an error that Celery expects of a broker."""
    channel = object.__new__(transport.Channel)
    channel.connection = None
    assert ConnectionFailed in transport.Transport.connection_errors
    with pytest.raises(ConnectionFailed, match="lost its connection"):
        _ = channel.pool
