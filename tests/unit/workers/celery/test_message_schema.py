"""Which entries are messages that a worker can run."""

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from celery import Celery
from kombu.transport.virtual import Channel, Message

from shared.queues import Queue, Task
from workers.celery.message_schema import UNREADABLE_TYPE, decoded, is_unreadable, readable, unreadable
from workers.celery.undecodable import task_message

CONTROL = "worker@host.celery.pidbox"


def published(**options: Any) -> dict[str, Any]:
    """Return what Celery itself puts on a list for a task, with these options."""
    app = Celery("test", broker="memory://")
    app.conf.update(task_serializer="json")
    message = app.amqp.as_task_v2("task-id", Task.RECONCILE, args=(), kwargs={}, **options)
    body = b64encode(json.dumps(message.body).encode()).decode()
    properties = {
        "delivery_tag": "tag", "delivery_info": {"exchange": "", "routing_key": Queue.HOUSEKEEPING.value},
        "body_encoding": "base64", "delivery_mode": 2, "priority": 0, **message.properties,
    }  # fmt: skip
    headers = {**message.headers, "ignore_result": True}
    return {
        "body": body, "headers": json.loads(json.dumps(headers)), "properties": properties,
        "content-type": "application/json", "content-encoding": "utf-8",
    }  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"expires": 3600}, {"retries": 2}, {"time_limit": 7, "soft_time_limit": 3}])
def test_what_celery_publishes_is_readable(options: dict[str, Any]) -> None:
    """Every option that passback's own messages may have passes the schema, with all its headers."""
    message = published(**options)
    checked = readable(message, Queue.HOUSEKEEPING)
    assert checked is not None
    assert checked["headers"] == message["headers"]
    assert checked["body"] == message["body"]


def test_what_passback_puts_back_is_readable() -> None:
    """A dead letter that is retried is a message again."""
    entry = decoded(task_message(Task.RECONCILE, Queue.HOUSEKEEPING, [], {}))
    assert readable(entry, Queue.HOUSEKEEPING) is not None


@pytest.mark.parametrize("options", [{"countdown": 60}, {"callbacks": [{"task": "x"}]}, {"chain": [{"task": "x"}]}])
def test_what_passback_never_publishes_is_not(options: dict[str, Any]) -> None:
    """A task that waits in a worker's memory, or calls others, is none of ours."""
    assert readable(published(**options), Queue.HOUSEKEEPING) is None


@pytest.mark.parametrize("entry", [7, None, "text", [1, 2], {}, {"body": "W10="}, "\ud800", float("nan")])
def test_any_entry_can_be_delivered_as_unreadable(entry: object) -> None:
    """Whatever lies in a list, kombu can make a message of its envelope, and the entry is in it."""
    assert readable(entry, Queue.HOUSEKEEPING) is None
    wrapped = unreadable(entry, Queue.HOUSEKEEPING)
    assert is_unreadable(wrapped)
    message = Message(wrapped, channel=Channel.__new__(Channel))
    assert message.content_type == UNREADABLE_TYPE
    assert message.delivery_info["routing_key"] == Queue.HOUSEKEEPING
    assert b64decode(wrapped["body"])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="endless nesting"), b"\xff", pytest.param("1" * 5000, id="5000 digits"),
        '"\\ud800"', "NaN", '{"__type__": "x"',
    ],
)  # fmt: skip
def test_what_is_no_json_is_text(text: str | bytes) -> None:
    """Nothing that an entry may hold raises while it is decoded."""
    assert isinstance(decoded(text), str)


@pytest.mark.parametrize(
    ("body", "runs"),
    [
        ({"method": "ping"}, True), ({"method": "stats", "destination": ["worker@host"], "ticket": "t"}, True),
        ({"method": "shutdown"}, False), ({"method": "pool_restart"}, False), ({"method": "rate_limit"}, False),
        ({"method": "ping", "destination": 7}, False), ([], False),
    ],
)  # fmt: skip
def test_workers_obey_questions_alone(body: object, runs: bool) -> None:
    """Of control messages only those pass that ask something; none of them stops a worker or changes its queues."""
    message = {**published(), "headers": {"clock": 1}, "body": b64encode(json.dumps(body).encode()).decode()}
    assert (readable(message, CONTROL) is not None) is runs
