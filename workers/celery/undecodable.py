"""Stores messages that a worker cannot run as dead letters, before they leave their queue.

Celery would log the message's whole body, which may contain anything, and drop it.
"""

import json
import time
import uuid
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import structlog
from celery import signals
from celery.worker.consumer import Consumer
from redis.exceptions import RedisError

from shared.adapters.telemetry.logging import exception_fields
from shared.domain.causes import Cause
from shared.log_events import LogEvent
from shared.queues import ROUTES, Task
from workers.container import get_container

log = structlog.get_logger()

UNDECODABLE = "message_undecodable"
NO_TASK = "message_no_task"
UNKNOWN_TASK = "task_unknown"
REFUSED = "task_rejected"
UNNAMED = "unnamed"
# The errors of a value of an unexpected type. Lost connections are `OSError` and redis-py's own errors.
_LOOKUP_AND_VALUE_ERRORS = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)
MAX_NAME = 100
PAUSE_AFTER_REFUSAL_S = 1.0


class DeadLetteringConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, which dead-letters what it cannot read. Named by `worker_consumer`."""

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        """Return Celery's message handler; a message on which it fails is dead-lettered, and the worker goes on.

        `message_schema.py` lets only well-formed messages in. This handles messages that it does not foresee: to
        Celery a `KeyError` is a lost connection, and any other error ends the worker.
        """
        handle = super().create_task_handler(*args, **options)

        def handle_or_dead_letter(message: Any) -> None:
            try:
                handle(message)
            except _LOOKUP_AND_VALUE_ERRORS as error:
                log.error(LogEvent.TASK_MESSAGE_UNDECODABLE, **exception_fields(error))  # noqa: TRY400  # without its text
                self._save(message, REFUSED)

        return handle_or_dead_letter

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Wait a little, so that a Redis that refuses commands is not asked without a pause."""
        super().on_connection_error_before_connected(exc)
        time.sleep(PAUSE_AFTER_REFUSAL_S)

    def on_decode_error(self, message: Any, _exc: Exception) -> None:
        """Dead-letter a message whose body cannot be decoded."""
        self._save(message, UNDECODABLE)

    def on_unknown_message(self, _body: object, message: Any) -> None:
        """Dead-letter a message that is no task."""
        self._save(message, NO_TASK)

    def on_unknown_task(self, _body: object, message: Any, _exc: Exception) -> None:
        """Dead-letter a message of a task that this version does not have."""
        self._save(message, UNKNOWN_TASK)

    def on_invalid_task(self, _body: object, message: Any, _exc: Exception) -> None:
        """Dead-letter a message of a known task with a malformed rest."""
        self._save(message, REFUSED)

    def _save(self, message: Any, cause: str) -> None:
        # Stored first, then acknowledged: if the worker dies in between, the message is there twice, and not lost.
        queue = str(message.delivery_info.get("routing_key", ""))
        task = str((message.headers or {}).get("task", UNNAMED))[:MAX_NAME]
        get_container().dead_messages.add(queue, cause, task, json.dumps(message.serializable(), default=str).encode())
        log.error(LogEvent.MESSAGE_DEAD_LETTERED, queue=queue, cause=cause)
        message.ack()


@signals.task_failure.connect  # type: ignore[untyped-decorator]  # Celery has no types
def dead_letter_failed_task(sender: Any, exception: Exception, args: object, kwargs: object, **_other: object) -> None:
    """Dead-letter a task that raised an unexpected error, once per error: a scheduled task is repeated anyway."""
    if sender.name not in set(Task):
        return
    if isinstance(exception, RedisError):
        # Without Redis nothing can be stored, nor need it be: the next run follows from the stored state.
        log.warning(LogEvent.SCHEDULED_TASK_DEFERRED, task=sender.name, cause=Cause.REDIS_UNAVAILABLE)
        return
    cause, queue = f"defect_{type(exception).__name__}", ROUTES[Task(sender.name)]
    messages = get_container().dead_messages
    if any((each.cause, each.answer) == (cause, sender.name) for each in messages.all()):
        return
    messages.add(queue, cause, sender.name, task_message(sender.name, queue, args, kwargs))
    log.error(LogEvent.MESSAGE_DEAD_LETTERED, queue=queue, cause=cause, **exception_fields(exception))


def task_message(task: str, queue: str, args: object, kwargs: object) -> bytes:
    """Return a new message of the task as it lies in a Redis list. Source: Celery's message protocol 2."""
    task_id = str(uuid.uuid4())
    body = json.dumps([args, kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    headers = {"lang": "py", "task": task, "id": task_id, "root_id": task_id, "parent_id": None, "retries": 0}
    properties = {
        "correlation_id": task_id,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    message = {
        "body": b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": properties,
    }
    return json.dumps(message).encode()
