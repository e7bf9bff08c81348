"""The Celery tasks, each a few lines: decode, delegate, settle."""

from celery import shared_task

from shared.queues import Task
from workers.container import get_container
from workers.grade_passback.scheduled.housekeeping import Housekeeping


@shared_task(name=Task.SYNC_COURSE)
def sync_course(course_id: str) -> None:
    """Sync a course that was claimed. A hint: does nothing if somebody else already took the course."""
    get_container().sync_job.run(course_id)


@shared_task(name=Task.RECONCILE)
def reconcile() -> None:
    """Give the courses whose turn has come a look."""
    Housekeeping(get_container()).reconcile()


@shared_task(name=Task.NIGHTLY_SYNC)
def nightly_sync() -> None:
    """Give courses their scheduled turn, if its time has come."""
    Housekeeping(get_container()).nightly_sync()


@shared_task(name=Task.DUE_DATES)
def due_dates() -> None:
    """Give courses whose work was due a moment ago a look."""
    Housekeeping(get_container()).due_dates()


@shared_task(name=Task.DISCOVER)
def discover() -> None:
    """Find courses that no event told of."""
    Housekeeping(get_container()).discover()


@shared_task(name=Task.BOUND_DEAD_LETTERS)
def bound_dead_letters() -> None:
    """Keep the dead letters within their bounds."""
    Housekeeping(get_container()).bound_dead_letters()
