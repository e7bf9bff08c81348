"""What beat starts, and how often. Several beats may run: a slot in Redis lets one tick count."""

from typing import TypedDict

from shared.config import Settings
from shared.queues import ROUTES, Queue, Task

RECONCILE_TICK_S = 30.0
# Beat's clock says when a tick expires and the worker's whether it has: they may differ by almost as much as this.
TICK_EXPIRES_S = 3600.0
PROVISION_TICK_S = 30.0


class Entry(TypedDict):
    """One line of Celery's beat schedule."""

    task: str
    schedule: float
    options: dict[str, object]


def reconcile_tick_s(settings: Settings) -> float:
    """Return how often each housekeeping task looks for what is to be done, in seconds."""
    return min(RECONCILE_TICK_S, settings.reconcile_interval_s / 16)


def beat_schedule(settings: Settings) -> dict[str, Entry]:
    """Return beat's entries.

    A tick that nobody ran in time is worthless, and does nothing in a slot that another one took. So that they do not
    pile up without end while no worker runs, they expire, late enough for hosts whose clocks differ.
    """
    tick = reconcile_tick_s(settings)
    ticking = {task: tick for task, queue in ROUTES.items() if queue is Queue.HOUSEKEEPING}
    ticking[Task.PROVISION] = PROVISION_TICK_S
    return {task.value: _entry(task, every) for task, every in ticking.items()}


def _entry(task: Task, every: float) -> Entry:
    return {"task": task, "schedule": every, "options": {"queue": ROUTES[task], "expires": max(every, TICK_EXPIRES_S)}}
