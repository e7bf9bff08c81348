"""The transport that outlives its Redis."""

from base64 import b64decode

import pytest
from kombu import Connection
from kombu.transport.virtual import Channel, Message
from redis.exceptions import ConnectionError as ConnectionFailed

from workers import redis_transport


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "rediss://127.0.0.1:1", "redis+socket:///nowhere/redis.sock"])
def test_every_redis_url_has_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever way Redis is reached, Celery uses this transport."""
    # Kombu remembers what a scheme once was; a process registers before its first connection, this one may not have.
    monkeypatch.setattr("kombu.transport._transport_cache", {})
    redis_transport.register()
    assert Connection(url).get_transport_cls() is redis_transport.Transport


def test_a_channel_without_its_connection_fails_as_a_lost_connection_does() -> None:
    """Acknowledging on a channel whose connection was closed is an error that Celery expects of a broker."""
    channel = object.__new__(redis_transport.Channel)
    channel.connection = None
    assert ConnectionFailed in redis_transport.Transport.connection_errors
    with pytest.raises(ConnectionFailed, match="lost its connection"):
        _ = channel.pool


ENVELOPE = {
    "body": "W10=",
    "headers": {},
    "properties": {"delivery_tag": "t", "delivery_info": {}, "body_encoding": "base64"},
}


@pytest.mark.parametrize(
    "entry",
    [
        7, None, "text", [1, 2], {}, {**ENVELOPE, "properties": None}, {**ENVELOPE, "properties": {}},
        {**ENVELOPE, "body": 7}, {**ENVELOPE, "headers": []},
        {**ENVELOPE, "properties": {**ENVELOPE["properties"], "body_encoding": "rot13"}},
    ],
)  # fmt: skip
def test_what_is_no_envelope_gets_one(entry: object) -> None:
    """Whatever lies in a list, kombu can make a message of what the transport delivers, and the entry is in it."""
    assert not redis_transport.is_envelope(entry)
    wrapped = redis_transport.envelope(entry, "housekeeping")
    assert redis_transport.is_envelope(wrapped)
    message = Message(wrapped, channel=Channel.__new__(Channel))
    assert message.content_type == redis_transport.UNREADABLE_TYPE
    assert message.delivery_info["routing_key"] == "housekeeping"
    assert redis_transport.lenient_loads(b64decode(wrapped["body"]).decode()) == entry


def test_an_envelope_is_left_as_it_is() -> None:
    """A message that Celery published is delivered as it came."""
    assert redis_transport.is_envelope(ENVELOPE)
