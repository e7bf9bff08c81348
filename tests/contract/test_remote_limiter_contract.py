"""The gate in front of a system holds for threads and processes alike, on a real Redis."""

import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from shared.adapters.http.exchange import RequestContext, use_context
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import Permit, RemoteLimiter
from shared.clock import SystemClock

pytestmark = pytest.mark.redis

NO_INTERVAL = timedelta(0)
PAUSE = timedelta(milliseconds=30)
INTERVAL_MS = 20
CALLS = 10
CALLER = """
import sys
from datetime import timedelta
import redis
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.clock import SystemClock
client = redis.Redis(unix_socket_path=sys.argv[1])
gate = RemoteLimiter(client, Keys(), "powerschool", SystemClock(), timedelta(milliseconds=int(sys.argv[2])))
for _ in range(int(sys.argv[3])):
    gate.acquire()
"""


@pytest.fixture
def real(redis_socket: Path) -> redis.Redis:
    client = redis.Redis(unix_socket_path=str(redis_socket))
    client.flushall()
    return client


def test_eight_threads_send_one_probe(real: redis.Redis) -> None:
    """When a pause ends, one of eight waiting threads calls the system; the others follow once it answered."""
    gate = RemoteLimiter(real, Keys(), "powerschool", SystemClock(), NO_INTERVAL)
    gate.record_failure("powerschool_maintenance", PAUSE, for_everybody=True)
    while real.exists(Keys().pause("powerschool")):
        time.sleep(0.005)
    through, together, first_is_through = [], threading.Barrier(8), threading.Event()
    passages: list[Permit] = []

    def call() -> None:
        together.wait()
        passages.append(gate.acquire())
        through.append(threading.get_ident())
        first_is_through.set()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert first_is_through.wait(5)
    time.sleep(0.2)
    assert len(through) == 1
    gate.release(passages[0], succeeded=True)
    for thread in threads:
        thread.join(5)
    assert len(set(through)) == 8
    real.close()


def test_processes_share_one_pace(real: redis.Redis, redis_socket: Path) -> None:
    """Three processes together are never faster than the configured interval."""
    began = time.monotonic()
    command = [sys.executable, "-c", CALLER, str(redis_socket), str(INTERVAL_MS), str(CALLS)]
    callers = [subprocess.Popen(command) for _ in range(3)]
    assert [caller.wait(60) for caller in callers] == [0, 0, 0]
    assert time.monotonic() - began >= (3 * CALLS - 1) * INTERVAL_MS / 1000
    real.close()


def test_whose_work_began_first_goes_first(real: redis.Redis) -> None:
    """Across workers: a course that has begun to write ends before those that came later read, whoever asks first."""
    interval = timedelta(milliseconds=200)
    gates = {began: RemoteLimiter(real, Keys(), "powerschool", SystemClock(), interval) for began in (3, 1, 4, 2)}
    through: list[int] = []
    gates[1].acquire()

    def call(began: int) -> None:
        with use_context(RequestContext(began, lambda: timedelta(seconds=30))):
            gates[began].acquire()
        through.append(began)

    threads = [threading.Thread(target=call, args=[began]) for began in gates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert through == [1, 2, 3, 4]
    real.close()
