"""The Celery tasks of passback."""

from celery import shared_task

from shared.queues import Task
from workers.container import get_container
from workers.grade_passback.scheduled import SCHEDULED, run_scheduled


@shared_task(name=Task.SYNC_COURSE)
def sync_course(course_id: str) -> None:
    """Sync a course that was claimed. Does nothing if another worker already took the course."""
    get_container().sync_job.run(course_id)


def _register(task: Task) -> None:
    @shared_task(name=task)
    def scheduled_task() -> None:
        run_scheduled(get_container(), task)


for _task in SCHEDULED:
    _register(_task)
