"""How many Live Events a second one core takes in, against a bare server and one Celery message per event.

Starts a Redis and every candidate of its own, and measures them in turn for several rounds, so that what else the
machine does falls on all of them. The server has core 0; load generator and Redis have core 1. See README.md here.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from tests.benchmarks.outcome import Mark, Result, medians
from tests.benchmarks.web.payloads import DISTRICT, key_server, new_key, write_bodies

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SERVER_CORE, OTHER_CORE = 0, 1
WARM_UP_S = 0.5


@dataclass(frozen=True)
class Candidate:
    """One thing to measure: a server and what is sent to it. `stored_in` is the key that must then hold each event."""

    name: str
    server: str
    signed: bool = False
    stored_in: str | None = None


OURS = Candidate("receivers, unsigned", "receivers", stored_in="passback:stream:grade-changes")
SIGNED = Candidate("receivers, signed", "receivers", signed=True, stored_in="passback:stream:grade-changes")
BARE = Candidate("(a) bare server, parses JSON", "bare")
CELERY = Candidate("(b) one Celery message each", "celery", stored_in="grade-changes")
CANDIDATES = (OURS, SIGNED, BARE, CELERY)

Measurement = dict[str, float]


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], core: int, environment: Mapping[str, str]) -> Iterator[int]:
    """Run a process on one core and end it afterwards; give its id."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        os.sched_setaffinity(process.pid, {core})
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=15)


def wait_for(port: int) -> None:
    """Return once something listens on the port."""
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("a process did not start")


@dataclass(frozen=True)
class Bench:
    """Everything that runs while measuring. `servers` holds port and process id by server name."""

    redis: Redis
    servers: Mapping[str, tuple[int, int]]
    bodies: Mapping[bool, Path]
    connections: int

    def measure(self, candidate: Candidate, seconds: float) -> Measurement:
        """Return the figures of one run, once Redis holds every accepted event."""
        self.redis.flushall()
        port, process_id = self.servers[candidate.server]
        self._load(port, candidate, WARM_UP_S)
        before = self._stored(candidate)
        summary = self._load(port, candidate, seconds)
        stored = self._stored(candidate) - before
        if summary["others"] or (candidate.stored_in and stored != summary["accepted"]):
            raise SystemExit(f"{candidate.name}: {summary} accepted, {stored} stored")
        return {**summary, "rss_mb": psutil.Process(process_id).memory_info().rss / 1e6}

    def _stored(self, candidate: Candidate) -> int:
        key = candidate.stored_in
        if key is None:
            return 0
        return int(self.redis.llen(key) if candidate is CELERY else self.redis.xlen(key))  # type: ignore[arg-type]

    def _load(self, port: int, candidate: Candidate, seconds: float) -> Measurement:
        command = [sys.executable, str(HERE / "load.py"), "--port", str(port), "--seconds", str(seconds)]
        command += ["--bodies", str(self.bodies[candidate.signed]), "--connections", str(self.connections)]
        finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=seconds + 30)
        summary: Measurement = json.loads(finished.stdout)
        return summary


@contextmanager
def bench(connections: int) -> Iterator[Bench]:
    """Start Redis, the key server and the candidates; stop them afterwards."""
    with ExitStack() as stack:
        cores = os.sched_getaffinity(0)
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, {OTHER_CORE})
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key = new_key()
        redis = stack.enter_context(_redis(folder))
        jwks_url = stack.enter_context(key_server(key))
        environment = {
            "PASSBACK_REDIS_URL": f"redis://127.0.0.1:{redis.connection_pool.connection_kwargs['port']}/0",
            "PASSBACK_CANVAS_ROOT_ACCOUNT_UUID": DISTRICT,
            "PASSBACK_LIVE_EVENTS_JWKS_URL": jwks_url,
            "PASSBACK_LIVE_EVENTS_ALLOW_UNSIGNED": "true",
        }
        servers = {name: stack.enter_context(_server(name, environment)) for name in ("receivers", "bare", "celery")}
        yield Bench(redis, servers, write_bodies(folder, key), connections)


@contextmanager
def _redis(folder: Path) -> Iterator[Redis]:
    executable = shutil.which("redis-server")
    if executable is None:
        raise SystemExit("redis-server is not on PATH")
    port = free_port()
    command = [executable, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    with running(command, OTHER_CORE, {}):
        wait_for(port)
        with Redis(port=port) as redis:
            yield redis


@contextmanager
def _server(name: str, environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, str(HERE / "candidates.py"), name, "--port", str(port)]
    with running(command, SERVER_CORE, {**environment, "PYTHONPATH": str(ROOT)}) as process_id:
        wait_for(port)
        yield port, process_id


def run(rounds: int = 5, seconds: float = 2.0, connections: int = 64) -> Result:
    """Measure every candidate in every round, for so many seconds each."""
    with bench(connections) as running_bench:
        measured = [{one: running_bench.measure(one, seconds) for one in CANDIDATES} for _ in range(rounds)]
    figures = medians([_figures(one) for one in measured])
    return Result(
        "ingest",
        figures,
        (
            Mark("unsigned / one Celery message each", figures["unsigned / one Celery message each"], 6),
            Mark("signed / one Celery message each", figures["signed / one Celery message each"], 4),
            Mark("unsigned / bare server", figures["unsigned / bare server"], 0.45),
            Mark("signed / bare server", figures["signed / bare server"], 0.3),
        ),
    )


def _figures(measured: Mapping[Candidate, Measurement]) -> dict[str, float]:
    named = {
        f"{one.name}: {name}": result[key]
        for one, result in measured.items()
        for name, key in (("events/s", "per_second"), ("p50 ms", "p50_ms"), ("p99 ms", "p99_ms"), ("RSS MB", "rss_mb"))
    }
    rate = {one: result["per_second"] for one, result in measured.items()}
    return {
        **named,
        "unsigned / one Celery message each": rate[OURS] / rate[CELERY],
        "signed / one Celery message each": rate[SIGNED] / rate[CELERY],
        "unsigned / bare server": rate[OURS] / rate[BARE],
        "signed / bare server": rate[SIGNED] / rate[BARE],
    }
