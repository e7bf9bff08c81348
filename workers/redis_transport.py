"""Kombu's Redis transport, able to outlive its Redis.

When Redis goes away, a worker of Celery 5.7.0 first collects its broken connection and then closes it. The first close
fails while it reads from the broken socket; the second one finds a channel without a connection, and so does the
acknowledgement of every task that was running. With kombu 5.7.0 both end in an AttributeError, which Celery does not
take for a lost connection: the worker exits. A connection error in its place makes it reconnect.
"""

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as ConnectionFailed


class Channel(kombu_redis.Channel):
    """A channel whose use after the loss of its connection is a connection error."""

    def _get_pool(self, asynchronous: bool = False) -> object:
        if self.connection is None or self.connection.client is None:
            raise ConnectionFailed("this channel lost its connection")
        return super()._get_pool(asynchronous=asynchronous)  # type: ignore[no-untyped-call]  # kombu has no types


class Transport(kombu_redis.Transport):
    """The Redis transport with that channel."""

    Channel = Channel


def register() -> None:
    """Make Celery use this transport for every Redis URL. May be repeated."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
