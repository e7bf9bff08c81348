"""memory: a worker and a web process after work, and Redis by courses and by queued messages.

The twins: a Celery worker with eight processes, as `-P prefork` has them, after tasks that do nothing; and the same
number of messages in a Celery queue. The limit is a Python process that imported what a worker cannot do without.
"""

import subprocess
import sys
import uuid
from contextlib import closing
from datetime import timedelta
from itertools import product

import psutil
from redis import Redis

from shared.sandbox.district.small import user_id_of
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.passback.fold import carry_out, celery_app, null_worker
from tests.benchmarks.rig.in_process import Rig, rig
from tests.benchmarks.rig.remote import FIRST_COURSE
from tests.benchmarks.rig.town import town
from tests.fault_injection.redis_server import RedisServer

STUDENTS, ASSIGNMENTS = 30, 40
PREFORKED = 8
NOTHING_BUT_IMPORTS = "import celery.bin.worker, redis, httpx; print(flush=True); input()"


def run(courses: int = 100, messages: int = 100_000, town_courses: int = 20) -> Result:
    """Measure Redis with courses whose scores were all sent; the processes with a small town and idle courses."""
    figures = {**_redis(courses, messages), **_processes(town_courses), **_twins(messages), **_limit()}
    figures |= {
        "worker / imports alone": figures["worker RSS MB"] / figures["limit: imports alone, RSS MB"],
        "twin's processes / worker": figures[f"twin: Celery prefork {PREFORKED}, RSS MB of all"]
        / figures["worker RSS MB"],
        "twin's messages / ours": figures["twin: Celery queue MB per 100,000 messages"]
        / figures["Redis MB per 100,000 queued messages"],
    }
    return Result(
        "memory",
        figures,
        (
            Mark("worker MB, 10,000 courses connected", figures["worker RSS MB"], 120, at_most=True),
            Mark("Redis MB per 1,000 courses", figures["Redis MB per 1,000 courses"], 20, at_most=True),
        ),
    )


def _redis(courses: int, messages: int) -> dict[str, float]:
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        # The first courses bring scripts, buffers and whatever else is there once.
        few = max(1, courses // 4)
        bench.warm_up(few)
        some = _used(bench)
        bench.warm_up(courses)
        full = _used(bench)
        _send_scores(bench, range(few))
        before_sending = _used(bench)
        audit = _send_scores(bench, range(few, courses))
        sent = _used(bench)
        bench.send((bench.clock.now(), bench.change(FIRST_COURSE + n % courses, 1 + n % 40)) for n in range(messages))
        queued = _used(bench)
    adopted = (full - some) / (courses - few)
    return {
        "Redis MB per 1,000 courses, scores found equal": adopted * 1000 / 1e6,
        "Redis MB per 1,000 courses": (adopted + (sent - before_sending) / (courses - few)) * 1000 / 1e6,
        "Redis bytes of audit per score written": audit / ((courses - few) * STUDENTS * ASSIGNMENTS),
        "Redis MB per 100,000 queued messages": (queued - sent) / messages * 100_000 / 1e6,
    }


def _send_scores(bench: Rig, courses: range) -> int:
    """Change and sync every score of these courses; return the bytes that their audit took, and drop it.

    What is remembered of a course is measured without its audit, which grows by scores and not by courses.
    """
    redis, keys = bench.service.redis, bench.service.keys
    ids = [FIRST_COURSE + course for course in courses]
    for course_id, number, student in product(ids, range(1, ASSIGNMENTS + 1), range(STUDENTS)):
        bench.remote.grade(course_id, number, student, f"{1 + (number * 5 + student * 11) % 90}.25")
    touched = product(ids, range(1, ASSIGNMENTS + 1))
    bench.send((bench.clock.now(), bench.change(course_id, number)) for course_id, number in touched)
    bench.aggregate()
    bench.clock.advance(timedelta(seconds=60))
    bench.sync_due()
    if bench.remote.differing():
        raise SystemExit("not every score was sent")
    audits = [keys.audit(str(course_id)) for course_id in ids]
    taken = sum(redis.memory_usage(audit, samples=0) or 0 for audit in audits)
    redis.delete(*audits)
    return taken


def _used(bench: Rig) -> float:
    return float(bench.service.redis.info("memory")["used_memory"])


def _processes(courses: int) -> dict[str, float]:
    with town(courses, STUDENTS, ASSIGNMENTS) as running:
        # Idle courses: connected, and not yet due for their turn.
        for number in range(10_000):
            running.service.records.register(str(500_000 + number))
        for round_number in range(3):
            for course in range(courses):
                course_id = FIRST_COURSE + course
                grades = [
                    {
                        "course_id": course_id,
                        "assignment_id": course_id * 1000 + number,
                        "user_id": user_id_of(100_001 + course * STUDENTS + student),
                        "score": 1.0 + round_number,
                    }
                    for number in range(1, ASSIGNMENTS + 1)
                    for student in range(0, STUDENTS, 3)
                ]
                running.stage.act(do="grade_many", grades=grades)
            running.settle()
        return {
            "worker RSS MB": _rss_mb(running.pids["worker 1"]),
            "web RSS MB": _rss_mb(running.pids["web"]),
        }


def _rss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def _twins(messages: int) -> dict[str, float]:
    with RedisServer() as server, Redis.from_url(server.url) as redis:
        with null_worker(server.url, "--pool=prefork", f"--concurrency={PREFORKED}") as (app, worker):
            carry_out(app, server.url, 50 * PREFORKED)
            processes = [worker, *worker.children(recursive=True)]
            rss = sum(process.memory_info().rss for process in processes) / 1e6
            # Memory that processes share is counted once here, and in every one of them above.
            pss = sum(process.memory_full_info().pss for process in processes) / 1e6
        redis.flushall()
        empty = float(redis.info("memory")["used_memory"])
        _queue(server.url, messages)
        queued = float(redis.info("memory")["used_memory"]) - empty
    return {
        f"twin: Celery prefork {PREFORKED}, processes": len(processes),
        f"twin: Celery prefork {PREFORKED}, RSS MB of all": rss,
        f"twin: Celery prefork {PREFORKED}, PSS MB of all": pss,
        "twin: Celery queue MB per 100,000 messages": queued / messages * 100_000 / 1e6,
    }


def _queue(redis_url: str, messages: int) -> None:
    """Fill a Celery queue: one task is really published, the others are copies of it with ids of their own."""
    with closing(celery_app(redis_url)) as app, Redis.from_url(redis_url) as redis:
        task = app.send_task("grade", args=["1001", "1001001"], queue="grades")
        published: bytes = redis.lindex("grades", 0)
        for start in range(1, messages, 1_000):
            some = range(start, min(start + 1_000, messages))
            redis.rpush("grades", *(published.replace(task.id.encode(), str(uuid.uuid4()).encode()) for _ in some))
        assert redis.llen("grades") == messages


def _limit() -> dict[str, float]:
    command = [sys.executable, "-c", NOTHING_BUT_IMPORTS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        rss = _rss_mb(process.pid)
        process.communicate(b"\n")
    return {"limit: imports alone, RSS MB": rss}
