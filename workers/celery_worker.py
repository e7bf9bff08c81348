"""How a Celery worker runs: once Redis is durable, with a step of ours beside its pool, until it is told to stop."""

import os
from collections.abc import Sequence

from celery import bootsteps

from shared.config import Settings
from shared.queues import Queue
from workers.bootstrap import passback
from workers.celery_app import make_app
from workers.durability import await_durable_redis


def run_celery_worker(
    settings: Settings, step: type[bootsteps.StartStopStep], name: str, queues: Sequence[Queue], threads: int
) -> None:
    """Run a Celery worker on these queues, with the step beside its pool, until it is told to stop."""
    await_durable_redis(passback().redis, settings)
    app = make_app(settings)
    app.set_default()
    app.steps["worker"].add(step)
    try:
        app.worker_main(
            [
                "--quiet", "worker", "--pool=threads", f"--concurrency={threads}", f"--queues={','.join(queues)}",
                f"--hostname={name}-{os.getpid()}@%h", "--without-gossip", "--without-mingle",
                f"--loglevel={settings.log_level}",
            ]
        )  # fmt: skip
    finally:
        passback().tally.close()
