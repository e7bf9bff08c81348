"""The web process under all attacks at once, while signed events are accepted.

    python -m tests.fault_injection.siege --seconds 600

Measures the accepted events a second undisturbed, then with `attackers.py` beside them, and samples the memory of the
process, which has to stay below the limit that `deploy` ships. Prints the result as JSON; ends with 1 if the process
ended, exceeded its limit, or accepted less than a third of the undisturbed rate. With two cores or more, the web
process has the first one, and all the others share the second.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from redis import Redis

from tests.benchmarks.web.payloads import DISTRICT, key_server, new_key, write_bodies
from tests.fault_injection.redis_server import RedisServer
from workers.dev.process_group import PROGRAM, free_port, without_settings
from workers.web.auth.passwords import hashed

ROOT = Path(__file__).parent.parent.parent
LIMIT_MB = 512.0
LEAST_SHARE = 1 / 3
STARTED_WITHIN_S = 30.0
SENDERS = 16
SAMPLE_EVERY_S = 0.05


@dataclass
class Siege:
    """The result. `most_mb` is the largest resident memory of the web process, in units of 1,048,576 bytes."""

    undisturbed_per_s: float = 0.0
    besieged_per_s: float = 0.0
    accepted: int = 0
    stored: int = 0
    most_mb: float = 0.0
    survived: bool = False
    log_bytes: int = 0
    attacks: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Return the part of the undisturbed rate that was left."""
        return self.besieged_per_s / self.undisturbed_per_s


@dataclass(frozen=True)
class Besieged:
    """The running web process, and what is sent to it."""

    process: subprocess.Popen[bytes]
    port: int
    bodies: Path
    log: Path
    redis: Redis

    def load(self, seconds: float) -> subprocess.Popen[bytes]:
        """Start to send signed events."""
        program = ROOT / "tests" / "benchmarks" / "web" / "load.py"
        given = ["--port", str(self.port), "--seconds", str(seconds), "--connections", str(SENDERS)]
        return _run(str(program), *given, "--bodies", str(self.bodies))

    def attack(self, seconds: float) -> subprocess.Popen[bytes]:
        """Start all attacks."""
        return _run("-m", "tests.fault_injection.attackers", str(self.port), str(seconds))

    def stored(self) -> int:
        """Return how many events Redis holds."""
        return int(self.redis.xlen("passback:stream:grade-changes"))


def run(seconds: float, undisturbed_s: float | None = None) -> Siege:
    """Measure undisturbed for `undisturbed_s` (a tenth of the other by default), then for `seconds` under attack."""
    result = Siege()
    with besieged() as web, _sampled(web.process.pid, result):
        quiet = _answer(web.load(undisturbed_s or max(2.0, seconds / 10)))
        result.undisturbed_per_s = quiet["per_second"]
        before = web.stored()
        attackers = web.attack(seconds)
        # Silent connections take up theirs first.
        time.sleep(min(2.0, seconds / 4))
        loud = _answer(web.load(seconds - min(2.0, seconds / 4)))
        result.attacks = _answer(attackers)
        result.besieged_per_s, result.accepted = loud["per_second"], int(loud["accepted"])
        result.stored = web.stored() - before
        result.survived = web.process.poll() is None
        result.log_bytes = web.log.stat().st_size
    return result


@contextmanager
def besieged() -> Iterator[Besieged]:
    """Start Redis, Canvas's keys and the web process; stop them afterwards."""
    with ExitStack() as stack:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            stack.callback(os.sched_setaffinity, 0, set(cores))
            os.sched_setaffinity(0, {cores[1]})
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key = new_key()
        redis = stack.enter_context(RedisServer())
        port = free_port()
        environment = {
            **without_settings(),
            "PASSBACK_REDIS_URL": redis.url,
            "PASSBACK_CANVAS_ROOT_ACCOUNT_UUID": DISTRICT,
            "PASSBACK_LIVE_EVENTS_JWKS_URL": stack.enter_context(key_server(key)),
            "PASSBACK_OPERATOR_PASSWORD": hashed("nobody guesses this one"),
            "PASSBACK_PROXY_ADDRESSES": "127.0.0.1",
        }
        log = folder / "web.log"
        command = [sys.executable, "-m", PROGRAM, "web", "--port", str(port)]
        with log.open("wb") as out:
            process = subprocess.Popen(command, cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)}, stderr=out)
        stack.callback(_end, process)
        if len(cores) > 1:
            os.sched_setaffinity(process.pid, {cores[0]})
        _await(process, port)
        client = stack.enter_context(Redis.from_url(redis.url))
        yield Besieged(process, port, write_bodies(folder, key)[True], log, client)


def _run(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE)


def _answer(process: subprocess.Popen[bytes]) -> dict[str, float]:
    out, _ = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{process.args}: ended with {process.returncode}")
    answer: dict[str, float] = json.loads(out)
    return answer


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        if any(each.laddr and each.laddr.port == port for each in psutil.Process(process.pid).net_connections()):
            return
        time.sleep(0.1)
    raise SystemExit("the web process did not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def _sampled(pid: int, result: Siege) -> Iterator[None]:
    """Record the largest memory of the process; kill it above its limit, as a container would."""
    over = threading.Event()
    web = psutil.Process(pid)

    def sample() -> None:
        while not over.wait(SAMPLE_EVERY_S):
            try:
                result.most_mb = max(result.most_mb, web.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                return
            if result.most_mb > LIMIT_MB:
                web.kill()
                return

    sampling = threading.Thread(target=sample, daemon=True)
    sampling.start()
    try:
        yield
    finally:
        over.set()
        sampling.join()


def main() -> None:
    """Run once and print the result."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=600.0)
    result = run(arguments.parse_args().seconds)
    print(json.dumps({**asdict(result), "share": result.share}, indent=2))
    sys.exit(0 if result.survived and result.share > LEAST_SHARE else 1)


if __name__ == "__main__":
    main()
