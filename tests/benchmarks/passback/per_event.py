"""cost's naive twins: a Celery task for each event, and a score request in each; and one that reads before it sends.

The naive twin sends what the event says. The equal one first reads the submission and its assignment in Canvas, which a
handler of events must do to know that the score may be sent: an event says neither whether the assignment is synced nor
whether the score was excused, hidden or changed since. Neither twin reads PowerSchool, retries or remembers anything.
"""

from contextlib import closing
from decimal import Decimal

import httpx
from celery import Celery

from shared.adapters.canvas.wire import AssignmentWire, SubmissionWire
from shared.domain.passback.powerschool import Score
from shared.ports.passback import ScoreRow
from tests.benchmarks.passback.fold import celery_app, null_tasks
from tests.benchmarks.rig.in_process import Rig, cpu_of
from tests.benchmarks.rig.remote import CANVAS, FIRST_COURSE, FIRST_STUDENT, TEACHER, first_score

ASSIGNMENT, USER = FIRST_COURSE * 1000 + 1, FIRST_STUDENT + 10_000
PATH = f"/api/v1/courses/{FIRST_COURSE}/assignments/{ASSIGNMENT}"


def naive_and_equal(bench: Rig, events: int) -> tuple[float, float]:
    """Return the CPU seconds of one event: published as a task, carried out and put; and read before that."""
    with httpx.Client(base_url=CANVAS, transport=bench.remote, headers={"Authorization": "Bearer token"}) as canvas:
        read_s = cpu_of(lambda: [_read(canvas) for _ in range(events)], bench.remote)
    tasks = events * 3
    naive_s = published_and_put(bench, events) / events + null_tasks(bench.service.settings.redis_url, tasks) / tasks
    return naive_s, naive_s + read_s / events


def published_and_put(bench: Rig, events: int) -> float:
    """Return the CPU seconds of publishing a task for each event and of sending a score in each, without the worker."""
    with closing(celery_app(bench.service.settings.redis_url)) as app:
        app.send_task("warm-up", queue="nobody-reads")
        published_s = cpu_of(lambda: _publish(app, events))
    bench.service.redis.delete("nobody-reads")
    return published_s + cpu_of(lambda: _put(bench, events), bench.remote)


def _publish(app: Celery, times: int) -> None:
    for _ in range(times):
        app.send_task("grade", args=["1", "2"], queue="nobody-reads")


def _put(bench: Rig, times: int) -> None:
    points = Decimal(first_score(1, 0))
    row = ScoreRow(ASSIGNMENT + 5_000_000, FIRST_STUDENT + 70_000, Score(points))
    for _ in range(times):
        bench.service.powerschool.gradebook.write_scores(TEACHER, [row])


def _read(canvas: httpx.Client) -> tuple[SubmissionWire, AssignmentWire]:
    submission = canvas.get(f"{PATH}/submissions/{USER}").content
    assignment = canvas.get(PATH, params={"include[]": "overrides"}).content
    return SubmissionWire.model_validate_json(submission), AssignmentWire.model_validate_json(assignment)
