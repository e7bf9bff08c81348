"""The Celery task of provisioning: a tick."""

from celery import shared_task

from shared.queues import Queue, Task
from workers.container import get_container


@shared_task(name=Task.PROVISION)
def provision() -> None:
    """Open what is due and go on with what is open; ask for another tick where there is more to do at once."""
    if get_container().provisioning.provisioner.tick():
        provision.apply_async(queue=Queue.PROVISIONING, ignore_result=True)
