"""Kombu's Redis transport, able to outlive its Redis, and what lies in its lists without being a message.

When Redis goes away, a worker of Celery 5.7.0 first collects its broken connection and then closes it. The first close
fails while it reads from the broken socket; the second one finds a channel without a connection, and so does the
acknowledgement of every task that was running. With kombu 5.7.0 both end in an AttributeError, which Celery does not
take for a lost connection: the worker exits. A connection error in its place makes it reconnect.

An entry of a list that is no envelope of kombu's ends a worker, and the next one that takes such an entry. Here it is
put into an envelope, as a body that nobody can decode, so that the consumer keeps it as a dead letter.
"""

import json
import uuid
from base64 import b64encode
from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from kombu.utils.json import loads
from redis.exceptions import ConnectionError as ConnectionFailed

UNREADABLE_TYPE = "application/x-unreadable"


class Channel(kombu_redis.Channel):
    """A channel whose use after the loss of its connection is a connection error."""

    def _get_pool(self, asynchronous: bool = False) -> object:
        if self.connection is None or self.connection.client is None:
            raise ConnectionFailed("this channel lost its connection")
        return super()._get_pool(asynchronous=asynchronous)  # type: ignore[no-untyped-call]  # kombu has no types


class Transport(kombu_redis.Transport):
    """The Redis transport with that channel, and with an envelope around everything it delivers."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        super()._deliver(message if is_envelope(message) else envelope(message, queue), queue)  # type: ignore[no-untyped-call]


def is_envelope(message: Any) -> bool:
    """Say whether kombu can make a message of this. Source: kombu's virtual transport, `Message`."""
    if not isinstance(message, dict) or not isinstance(message.get("headers", {}), dict):
        return False
    properties = message.get("properties")
    return (
        isinstance(properties, dict)
        and isinstance(message.get("body"), str)
        and isinstance(properties.get("delivery_tag"), str)
        and isinstance(properties.get("delivery_info"), dict)
        and properties.get("body_encoding") in (None, "base64")
    )


def envelope(entry: Any, queue: str) -> dict[str, Any]:
    """Return an envelope around an entry of a list that has none."""
    text = entry if isinstance(entry, str) else json.dumps(entry, default=str)
    return {
        "body": b64encode(text.encode()).decode(),
        "content-type": UNREADABLE_TYPE,
        "content-encoding": "binary",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }


def lenient_loads(entry: str, **options: Any) -> Any:
    """Return what kombu's own `loads` does, or the text itself where it is no JSON."""
    try:
        return loads(entry, **options)  # type: ignore[no-untyped-call]  # kombu has no types
    except ValueError:
        return entry


def register() -> None:
    """Make Celery use this transport for every Redis URL. May be repeated."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    # The transport decodes an entry right after it took it from its list, and offers no other place to step in.
    kombu_redis.loads = lenient_loads  # type: ignore[attr-defined,assignment]
