"""A span per Celery task, from before it starts until after it ends."""

import threading
from contextlib import AbstractContextManager
from typing import Any

from celery import signals

from shared.adapters.telemetry.tracing import SetAttribute, span

_running = threading.local()


def trace_tasks() -> None:
    """Open and close spans with Celery's signals, which come in the thread that runs the task."""
    signals.task_prerun.connect(_open, weak=False, dispatch_uid="passback.spans.open")
    signals.task_postrun.connect(_close, weak=False, dispatch_uid="passback.spans.close")


def _open(task_id: str, task: Any, **_other: object) -> None:
    _running.span = span(task.name, {"celery.task_id": task_id})
    _running.set_attribute = _running.span.__enter__()


def _close(state: str, **_other: object) -> None:
    opened: AbstractContextManager[SetAttribute] | None = getattr(_running, "span", None)
    if opened is None:
        return
    _running.set_attribute("celery.state", state)
    opened.__exit__(None, None, None)
    _running.span = None
