"""The schema of messages in Celery's lists and channels, checked before Celery handles them.

Celery and kombu assume well-formed messages. A missing `id`, a header of another type, broken base64 or endless
nesting raises somewhere in the worker's event loop, which ends the worker, and then the next one. Everything that
passes here is a message of Celery's protocol 2 with JSON arguments. Everything else is put into an envelope whose
body cannot be decoded, so that the consumer dead-letters it.

Source: Celery "Message Protocol", version 2; kombu's virtual transport, `Message`; kombu's `pidbox`.
"""

import base64
import binascii
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from shared.queues import Queue

UNREADABLE_TYPE = "application/x-unreadable"
MAX_BODY_BYTES = 65_536
# A worker's own queue of control messages is called `<worker's name>.celery.pidbox`.
CONTROL_QUEUE = "celery.pidbox"
# The commands of Flower and `celery inspect`. None of them stops a worker or changes what it consumes.
CONTROL_METHODS = frozenset(
    {
        "active", "active_queues", "clock", "conf", "disable_events", "enable_events", "heartbeat", "ping",
        "query_task", "registered", "report", "reserved", "revoked", "scheduled", "stats",
    }
)  # fmt: skip

Name = Annotated[str, Meta(min_length=1, max_length=255)]
OptionalName = Annotated[str, Meta(max_length=255)] | None
Text = Annotated[str, Meta(max_length=4096)] | None
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)] | None
Scalar = str | int | float | bool | None
AwareTime = Annotated[datetime, Meta(tz=True)]
Clock = Annotated[int, Meta(ge=0, le=2**62)] | None


class _DeliveryInfo(Struct):
    """Where a message was sent. Redis's transport returns an unacknowledged message to it."""

    exchange: Annotated[str, Meta(max_length=255)] | None = None
    routing_key: OptionalName = None


class _Properties(Struct):
    delivery_tag: Name
    delivery_info: _DeliveryInfo
    body_encoding: str
    correlation_id: OptionalName = None
    reply_to: OptionalName = None
    delivery_mode: Count | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] | None = None


class _Entry(Struct):
    """One entry of a list, or one message of a channel."""

    body: str
    properties: _Properties
    headers: dict[str, Any]
    content_type: Annotated[str, Meta(max_length=255)] = msgspec.field(name="content-type")
    content_encoding: Annotated[str, Meta(max_length=255)] = msgspec.field(name="content-encoding")


class _TaskHeaders(Struct):
    """The headers of a task. An `eta` is refused: a worker would hold the task in its memory until then."""

    task: Name
    id: Name
    lang: OptionalName = None
    root_id: OptionalName = None
    parent_id: OptionalName = None
    group: OptionalName = None
    group_index: Count | None = None
    shadow: OptionalName = None
    origin: OptionalName = None
    retries: Count | None = None
    eta: None = None
    expires: Annotated[str, Meta(max_length=40)] | None = None
    timelimit: tuple[Seconds, Seconds] | None = None
    argsrepr: Text = None
    kwargsrepr: Text = None
    ignore_result: bool | None = None
    replaced_task_nesting: Count | None = None
    stamped_headers: Annotated[list[str], Meta(max_length=0)] | None = None
    stamps: Annotated[dict[str, str], Meta(max_length=0)] | None = None


class _NoFollowUps(Struct, forbid_unknown_fields=True):
    """The third part of a task's body. passback's tasks call no other tasks."""

    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


# Tasks take ids as positional arguments. kombu turns JSON objects of certain keys into other types: there are none.
_TaskBody = tuple[list[Scalar], Annotated[dict[str, Scalar], Meta(max_length=0)], _NoFollowUps]


class _ReplyTo(Struct):
    exchange: Name
    routing_key: Name


class _ControlHeaders(Struct):
    clock: Clock = None
    expires: Annotated[float, Meta(ge=0, le=1e12)] | None = None


class _ControlBody(Struct):
    method: Name
    arguments: dict[str, Any] | None = None
    destination: list[Name] | None = None
    pattern: Text = None
    matcher: OptionalName = None
    ticket: OptionalName = None
    reply_to: _ReplyTo | None = None


def readable(entry: object, queue: str) -> dict[str, Any] | None:
    """Return the entry as a message that Celery can take from `queue`, without unknown headers; None if it is none.

    Queues of passback hold tasks, a worker's own control queue holds control messages. Any other queue belongs to
    whoever asked for replies or events; its messages are JSON.
    """
    try:
        message = msgspec.convert(entry, _Entry)
        body = _json_body(message)
        if queue in set(Queue):
            headers = _task_headers(message.headers)
            msgspec.convert(body, _TaskBody)
        elif is_control_queue(queue):
            headers = _known(message.headers, _ControlHeaders)
            if msgspec.convert(body, _ControlBody).method not in CONTROL_METHODS:
                return None
        else:
            headers = _known(message.headers, _ControlHeaders)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None
    properties = msgspec.to_builtins(message.properties)
    return {
        "body": message.body,
        "content-type": message.content_type,
        "content-encoding": message.content_encoding,
        "headers": headers,
        "properties": properties,
    }


def is_control_queue(queue: str) -> bool:
    """Say whether control messages come from this queue; replies to them have one of another name."""
    return queue.endswith(f".{CONTROL_QUEUE}") and not queue.endswith(f".reply.{CONTROL_QUEUE}")


def unreadable(entry: object, queue: str) -> dict[str, Any]:
    """Return an envelope around an entry that no worker can run."""
    text = entry if isinstance(entry, str) else json.dumps(entry, default=str)
    return {
        "body": base64.b64encode(text.encode(errors="backslashreplace")).decode(),
        "content-type": UNREADABLE_TYPE,
        "content-encoding": "binary",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": CONTROL_QUEUE if is_control_queue(queue) else queue},
        },
    }


def is_unreadable(message: Mapping[str, Any]) -> bool:
    """Say whether the message is such an envelope already: one that a worker returned to its queue."""
    return message.get("content-type") == UNREADABLE_TYPE


def decoded(text: str | bytes) -> Any:
    """Return the JSON value, or the text itself where it is no JSON, nests without end or holds no Unicode."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text.decode(errors="backslashreplace") if isinstance(text, bytes) else text


def _json_body(message: _Entry) -> Any:
    """Return the body's JSON value. Raises: ValueError or a subclass, RecursionError."""
    if message.content_type != "application/json" or message.content_encoding.lower() != "utf-8":
        raise ValueError(message.content_type)
    if message.properties.body_encoding != "base64" or len(message.body) > MAX_BODY_BYTES:
        raise ValueError(message.properties.body_encoding)
    try:
        content = base64.b64decode(message.body, validate=True)
    except binascii.Error as error:
        raise ValueError("base64") from error
    return msgspec.json.decode(content)


def _task_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    known = _known(headers, _TaskHeaders)
    expires = known.get("expires")
    if expires is not None:
        # A time without a zone, or in a year that only JSON can count to, raises in the worker.
        msgspec.convert(expires, AwareTime)
    return known


def _known(headers: Mapping[str, Any], kind: type[Struct]) -> dict[str, Any]:
    """Return the headers that `kind` names, as they came. Others are dropped: kombu acts on some (`compression`)."""
    msgspec.convert(headers, kind)
    names = {field.encode_name for field in msgspec.structs.fields(kind)}
    return {name: value for name, value in headers.items() if name in names}
