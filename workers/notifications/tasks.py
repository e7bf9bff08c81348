"""The scheduled task of notifications."""

from datetime import timedelta

from celery import shared_task

from shared.queues import Task
from workers.container import Container, get_container
from workers.grade_passback.scheduled import run_once_per_interval
from workers.notifications.delivery import deliver, has_apprise
from workers.notifications.notifier import Notifier
from workers.notifications.settings import notify_settings
from workers.status import read_status

# Reading the status of a large district takes a moment, so that not every tick does it.
NOTIFY_INTERVAL = timedelta(minutes=1)


@shared_task(name=Task.NOTIFY)
def notify() -> None:
    """Tell administrators what needs them, unless somebody did so in this interval."""
    container = get_container()
    if container.settings.notify_urls.get_secret_value():
        run_once_per_interval(container, Task.NOTIFY, NOTIFY_INTERVAL, lambda: check_and_tell(container))


def check_and_tell(container: Container) -> None:
    """Check the installation once, and send what is to be sent."""
    settings = notify_settings(container)
    Notifier(container.notifications, settings, container.clock, deliver, can_send=has_apprise()).run(
        read_status(container)
    )
