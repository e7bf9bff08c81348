"""A Celery worker whose task does nothing: the least cost of a task per event. Takes a broker and options."""

import sys

from celery import Celery
from redis import Redis

url = sys.argv[1]
app = Celery("benchmark", broker=url)
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_prefetch_multiplier=64)


@app.task(name="null")
def null(_number: int) -> None:
    """Do nothing."""


@app.task(name="last")
def last() -> None:
    """Say that everything before was taken, and with one thread carried out."""
    redis_url = url.replace("redis+socket://", "unix://").replace("?virtual_host=0", "?db=0")
    with Redis.from_url(redis_url) as redis:
        redis.set("null-tasks-done", 1)


if __name__ == "__main__":
    app.worker_main(
        [
            "worker", *sys.argv[2:], "--queues=null-tasks", "--loglevel=ERROR",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip
