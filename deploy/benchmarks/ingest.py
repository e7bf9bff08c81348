"""How many Live Events a second one core takes in, against a bare server and one Celery message per event.

Starts a Redis and every candidate of its own, and measures them in turn for several rounds, so that what else the
machine does falls on all of them. The server has core 0; load generator and Redis have core 1. See README.md here.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from payloads import DISTRICT, key_server, new_key, write_bodies
from redis import Redis

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SERVER_CORE, OTHER_CORE = 0, 1
WARM_UP_S = 0.5

MARK_AGAINST_CELERY = 5.0
MARK_AGAINST_BARE = 1 / 3


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
        """Return what one run of the candidate came to, having checked that Redis holds what was accepted."""
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
    os.sched_setaffinity(0, {OTHER_CORE})
    with ExitStack() as stack:
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


def medians(rounds: Sequence[Measurement]) -> Measurement:
    """Return the median of every number."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def report(results: Mapping[Candidate, Measurement], ratios: Mapping[str, float]) -> None:
    """Print the table of medians, and the two ratios with their marks."""
    print(f"{'':32}{'events/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'RSS MB':>9}")
    for candidate, result in results.items():
        print(
            f"{candidate.name:32}{result['per_second']:10.0f}{result['p50_ms']:9.2f}{result['p99_ms']:9.2f}"
            f"{result['rss_mb']:9.1f}"
        )
    print(f"receivers / (b): {ratios['against_celery']:.2f}  (mark: at least {MARK_AGAINST_CELERY:.2f})")
    print(f"receivers / (a): {ratios['against_bare']:.2f}  (mark: at least {MARK_AGAINST_BARE:.2f})")


def main() -> int:
    """Measure, print, and return 1 if a mark is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=2.0, help="length of one run of one candidate")
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--json", type=Path, help="file to write every figure to")
    given = arguments.parse_args()
    with bench(given.connections) as running_bench:
        rounds = [{one: running_bench.measure(one, given.seconds) for one in CANDIDATES} for _ in range(given.rounds)]
    results = {one: medians([measured[one] for measured in rounds]) for one in CANDIDATES}
    ratios = {
        "against_celery": statistics.median(r[OURS]["per_second"] / r[CELERY]["per_second"] for r in rounds),
        "against_bare": statistics.median(r[OURS]["per_second"] / r[BARE]["per_second"] for r in rounds),
        "signed_against_bare": statistics.median(r[SIGNED]["per_second"] / r[BARE]["per_second"] for r in rounds),
    }
    report(results, ratios)
    if given.json:
        figures = {"medians": {one.name: result for one, result in results.items()}, "ratios": ratios}
        every = [{one.name: measured for one, measured in r.items()} for r in rounds]
        given.json.write_text(json.dumps({**figures, "rounds": every}, indent=2) + "\n")
    return int(ratios["against_celery"] < MARK_AGAINST_CELERY or ratios["against_bare"] < MARK_AGAINST_BARE)


if __name__ == "__main__":
    sys.exit(main())
