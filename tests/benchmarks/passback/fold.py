"""fold: from the stream to pending changes, against Celery null tasks (twin) and a bare `XREADGROUP` loop (limit).

Every candidate takes what is already queued. What counts is CPU time, the candidate's and Redis's together, so that a
busy machine makes all of them dearer alike. The twin is a Celery worker of one thread with a task that does nothing.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from celery import Celery
from redis import Redis

from tests.benchmarks.outcome import Mark, Result, medians
from tests.benchmarks.rig.in_process import ROOT, Rig, cpu_of, rig
from tests.benchmarks.rig.remote import FIRST_COURSE

COURSES = 40
BATCH = 500


def run(messages: int = 40_000, tasks: int = 2_000, rounds: int = 5) -> Result:
    """Measure all three in every round."""
    with rig(30, 10) as bench:
        figures = medians([_round(bench, messages, tasks) for _ in range(rounds)])
    return Result(
        "aggregate",
        figures,
        (
            Mark("folded / Celery null tasks, per CPU second", figures["folded / null tasks"], 40),
            Mark("folded / bare loop, per CPU second", figures["folded / bare loop"], 0.4),
        ),
    )


def _round(bench: Rig, messages: int, tasks: int) -> dict[str, float]:
    _fill(bench, messages)
    folded_s, folded_by_redis_s = _with_redis(bench, bench.aggregate)
    assert sum(c.changes for c in bench.service.changes.waiting(COURSES)) == messages
    bench.service.redis.flushdb()
    _fill(bench, messages)
    bare_s, bare_by_redis_s = _with_redis(bench, lambda: _read_all(bench, messages))
    bench.service.redis.flushdb()
    null_s = null_tasks(bench.service.settings.redis_url, tasks)
    return {
        "folded, events per CPU second": messages / folded_s,
        "of that in Redis": folded_by_redis_s / folded_s,
        "bare XREADGROUP loop, events per CPU second": messages / bare_s,
        "of that by Redis": bare_by_redis_s / bare_s,
        "Celery null tasks per CPU second": tasks / null_s,
        "folded / null tasks": (messages / folded_s) / (tasks / null_s),
        "folded / bare loop": bare_s / folded_s,
    }


def _with_redis(bench: Rig, work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU seconds of the work, this process's and Redis's together, and Redis's alone."""
    before = _redis_cpu_s(bench.service.redis)
    ours = cpu_of(work)
    theirs = _redis_cpu_s(bench.service.redis) - before
    return ours + theirs, theirs


def _redis_cpu_s(redis: Redis) -> float:
    used = redis.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _fill(bench: Rig, messages: int) -> None:
    """Put grades of forty courses on the stream, thirty of an assignment in a row, as a class is graded."""
    begin = bench.clock.now()
    bench.send(
        (begin, bench.change(FIRST_COURSE + number // 30 % COURSES, number // (30 * COURSES) % 10 + 1))
        for number in range(messages)
    )


def _read_all(bench: Rig, messages: int) -> None:
    redis, stream = bench.service.redis, "passback:stream:grade-changes"
    redis.xgroup_create(stream, "bare", id="0")
    seen = 0
    while answer := redis.xreadgroup("bare", "one", {stream: ">"}, count=BATCH):
        for _, entries in answer:  # type: ignore[union-attr]
            redis.xack(stream, "bare", *(entry_id for entry_id, _ in entries))
            seen += len(entries)
    assert seen == messages


def null_tasks(redis_url: str, tasks: int) -> float:
    """Return the CPU seconds in which a Celery worker of one thread carries out so many tasks that do nothing."""
    with (
        null_worker(redis_url, "--pool=threads", "--concurrency=1") as (app, worker),
        Redis.from_url(redis_url) as redis,
    ):
        carry_out(app, redis_url, 50)
        in_redis, before = _redis_cpu_s(redis), worker.cpu_times()
        carry_out(app, redis_url, tasks)
        after, in_redis = worker.cpu_times(), _redis_cpu_s(redis) - in_redis
    return (after.user + after.system) - (before.user + before.system) + in_redis


def celery_app(redis_url: str) -> Celery:
    """Return an application that publishes to this Redis."""
    app = Celery(
        "benchmark", broker=redis_url.replace("unix://", "redis+socket://").replace("?db=0", "?virtual_host=0")
    )
    app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
    return app


@contextmanager
def null_worker(redis_url: str, *options: str) -> Iterator[tuple[Celery, psutil.Process]]:
    """Run a Celery worker whose tasks do nothing; give an application that publishes to it, and its process."""
    app = celery_app(redis_url)
    command = [sys.executable, "-m", "tests.benchmarks.passback.null_worker", str(app.conf.broker_url), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            yield app, psutil.Process(worker.pid)
        finally:
            worker.terminate()
            worker.wait(timeout=20)
            app.close()


def carry_out(app: Celery, redis_url: str, tasks: int) -> None:
    """Publish the tasks and wait until the worker carried out the last of them."""
    with Redis.from_url(redis_url) as redis:
        redis.delete("null-tasks-done")
        for number in range(tasks - 1):
            app.send_task("null", args=[number], queue="null-tasks")
        app.send_task("last", queue="null-tasks")
        until = time.monotonic() + 120
        while not redis.get("null-tasks-done"):
            if time.monotonic() > until:
                raise SystemExit("the Celery worker of the benchmark did not finish")
            time.sleep(0.05)
