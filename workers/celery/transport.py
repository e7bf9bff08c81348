"""Kombu's Redis transport, made to survive an outage of Redis and malformed entries in its keys.

- When Redis goes away, a worker of Celery 5.7.0 first collects its broken connection and then closes it. The first
  close fails while it reads from the broken socket; the second one finds a channel without a connection, and so does
  the acknowledgement of every task that was running. With kombu 5.7.0 both end in an AttributeError, which Celery does
  not take for a lost connection: the worker exits. A connection error in its place makes it reconnect.
- A Redis that refuses a command (read-only after a failover, memory or disk full) is an outage like any other.
- An entry that is no message Celery can run is delivered as a message whose body cannot be decoded
  (`message_schema.py`), so that the consumer dead-letters it.
- A key of another type than kombu expects would fail every read of all queues: it is set aside under another name.
"""

import json
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import ResponseError

from shared.adapters.redis.client import set_aside_wrong_types
from shared.adapters.redis.urls import SENTINEL_SCHEME
from shared.log_events import LogEvent
from shared.queues import Queue
from workers.celery.message_schema import decoded, is_control_queue, is_unreadable, readable, unreadable

log = structlog.get_logger()

BINDING_PARTS = 3


class _QoS(kombu_redis.QoS):
    """What a channel has delivered and no consumer acknowledged yet."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Return a message to its queue. A malformed record is queued as unreadable, and does not block others."""
        with self.channel.conn_or_acquire(client) as connection:
            entry = connection.hget(self.unacked_key, tag)
            if entry is None or _restorable(decoded(entry)):
                super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]  # kombu has no types
                return
            with connection.pipeline() as pipeline:
                pipeline.lpush(Queue.HOUSEKEEPING, json.dumps(unreadable(decoded(entry), Queue.HOUSEKEEPING)))
                self._remove_from_indices(tag, pipeline).execute()  # type: ignore[no-untyped-call]


class _TolerantChannel:
    """A channel that raises a connection error after its connection is lost, and renames keys of wrong types."""

    connection: Any
    QoS = _QoS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._set_aside_wrong_types()

    def _get_pool(self, asynchronous: bool = False) -> object:
        if self.connection is None or self.connection.client is None:
            raise ConnectionFailed("this channel lost its connection")
        return super()._get_pool(asynchronous=asynchronous)  # type: ignore[misc]  # of the class beside this one

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """Return the bindings of an exchange, without entries that are none."""
        rows = super().get_table(exchange)  # type: ignore[misc]  # of the class beside this one
        return [row for row in rows if len(row) == BINDING_PARTS]

    def _set_aside_wrong_types(self) -> None:
        """Rename keys of another type than kombu expects. BRPOP of several lists fails if one of them is none."""
        expected = {self.unacked_key: "hash", self.unacked_index_key: "zset"}  # type: ignore[attr-defined]
        for queue in Queue:
            expected[self.keyprefix_queue % queue] = "set"  # type: ignore[attr-defined]
            expected |= {self._q_for_pri(queue, step): "list" for step in self.priority_steps}  # type: ignore[attr-defined]
        with self.conn_or_acquire() as client:  # type: ignore[attr-defined]
            # Kombu puts its prefix before the keys of the commands that it uses; these are not among them.
            prefix = self.global_keyprefix  # type: ignore[attr-defined]
            set_aside_wrong_types(client, {f"{prefix}{name}": wanted for name, wanted in expected.items()})


class Channel(_TolerantChannel, kombu_redis.Channel):
    """A channel of one Redis."""


class SentinelChannel(_TolerantChannel, kombu_redis.SentinelChannel):
    """A channel of the Redis that Sentinels name."""


class _CheckingTransport:
    """A transport that delivers well-formed messages only, and treats a refusing Redis as unavailable."""

    # READONLY, OOM, MISCONF, NOREPLICAS and whatever else Redis refuses a command with.
    connection_errors = (*kombu_redis.Transport.connection_errors, ResponseError)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Start reading in the event loop. A connection on which Redis refuses that is closed, not left open."""
        try:
            super().register_with_event_loop(connection, loop)  # type: ignore[misc]  # of the class beside this one
        except self.connection_errors:
            self.client.close()  # type: ignore[attr-defined]
            raise

    def _deliver(self, entry: Any, queue: str) -> None:
        message = _deliverable(entry, queue)
        if message is None:
            log.warning(LogEvent.MESSAGE_IGNORED, queue=queue.partition(".")[2])
            return
        super()._deliver(message, queue)  # type: ignore[misc]  # of the class beside this one


class Transport(_CheckingTransport, kombu_redis.Transport):
    """The Redis transport with that channel."""

    Channel = Channel


class SentinelTransport(_CheckingTransport, kombu_redis.SentinelTransport):
    """The same for Sentinels."""

    Channel = SentinelChannel


def _deliverable(entry: Any, queue: str) -> dict[str, Any] | None:
    """Return what to deliver to a queue; None for a malformed reply or event, which is ignored."""
    if isinstance(entry, dict) and is_unreadable(entry) and _restorable([entry, "", queue]):
        return entry
    message = readable(entry, queue)
    if message is not None:
        return message
    return unreadable(entry, queue) if queue in set(Queue) or is_control_queue(queue) else None


def _restorable(entry: Any) -> bool:
    """Say whether kombu can return this record of a delivery to a queue. Source: kombu's `_do_restore_message`."""
    match entry:
        case [
            {
                "body": str(),
                "headers": dict(),
                "properties": {
                    "delivery_tag": str(),
                    "body_encoding": "base64",
                    "delivery_info": {"exchange": str() | None, "routing_key": str() | None},
                },
            },
            str() | None,
            str() | None,
        ]:
            return True
    return False


def register() -> None:
    """Make Celery use these transports for every Redis URL. May be repeated."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
    TRANSPORT_ALIASES[SENTINEL_SCHEME] = f"{__name__}:SentinelTransport"
    # The transport decodes an entry right after it took it from its list, and offers no other place to step in.
    kombu_redis.loads = decoded  # type: ignore[attr-defined,assignment]
