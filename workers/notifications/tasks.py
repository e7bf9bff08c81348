"""The scheduled task of notifications."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from celery import shared_task

from shared.domain.notifications.teachers import needs_of
from shared.queues import Task
from workers.container import Container, get_container
from workers.grade_passback.scheduled import run_once_per_interval
from workers.notifications.delivery import Deliver, deliver, has_apprise
from workers.notifications.notifier import Notifier
from workers.notifications.reading import NotifySettings, notify_settings
from workers.notifications.teachers import TeacherDigest
from workers.status import read_status

# Reading the status of a large district takes a moment, so that not every tick does it.
NOTIFY_INTERVAL = timedelta(minutes=1)
PAGE = 500


@shared_task(name=Task.NOTIFY)
def notify() -> None:
    """Tell administrators and teachers what needs them, unless somebody did so in this interval."""
    container = get_container()
    if _is_used(container):
        run_once_per_interval(container, Task.NOTIFY, NOTIFY_INTERVAL, lambda: check_and_tell(container))


def _is_used(container: Container) -> bool:
    """Say whether somebody is to be told, or was until the settings changed: what failed then is to be forgotten."""
    s = container.settings
    is_set = s.notify_urls.get_secret_value() or s.notify_teachers_url.get_secret_value()
    return bool(is_set or container.notifications.read().targets or container.teacher_digests.read())


def check_and_tell(container: Container) -> None:
    """Check the installation once, send what is to be sent, and go on with the digest of teachers."""
    settings, can_send = notify_settings(container), has_apprise()
    send = partial(deliver, ca_bundle=container.settings.ca_bundle)
    notifier = Notifier(container.notifications, settings, container.clock, send, can_send=can_send)
    notifier.run(read_status(container))
    if container.settings.notify_teachers_url.get_secret_value():
        tell_teachers(container, settings, send)
    else:
        container.teacher_digests.delete()


def tell_teachers(container: Container, settings: NotifySettings, deliver: Deliver) -> None:
    """Go on with the digest of teachers, unless it is a quiet hour or another process has the lease."""
    s, now = container.settings, container.clock.now()
    if settings.is_quiet(now):
        return
    today = now.astimezone(settings.zone).date()
    digest = TeacherDigest(
        container.teacher_digests,
        lambda: container.canvas_account,
        lambda course_id: needs_of(container.records.course(course_id), today),
        lambda: _courses_with_findings(container),
        deliver,
        container.clock,
        settings.zone,
        s.notify_teachers_url,
        s.canvas_url,
        with_names=s.notify_teachers_with_names,
    )
    with container.notifications.lease() as token:
        if token is not None:
            digest.run()


def _courses_with_findings(container: Container) -> Iterator[str]:
    """Yield the courses in which something may need a teacher."""
    start: int | None = 0
    while start is not None:
        page = container.course_lists.page(start=start, limit=PAGE)
        for course in page.courses:
            if course.summary and (course.summary.problems or course.summary.students_held_back):
                yield course.course_id
        start = page.next_start
