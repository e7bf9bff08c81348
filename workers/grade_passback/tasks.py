"""The Celery tasks, each a few lines: decode, delegate, settle."""

from celery import shared_task

from shared.queues import Task
from workers.bootstrap import passback


@shared_task(name=Task.SYNC_COURSE)
def sync_course(course_id: str) -> None:
    """Sync a course that was claimed. A hint: does nothing if somebody else already took the course."""
    passback().sync(course_id)


@shared_task(name=Task.RECONCILE)
def reconcile() -> None:
    """Give the courses whose turn has come a look, unless another beat's tick already did."""
    passback().reconcile()
