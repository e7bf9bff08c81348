"""Passback's real processes, a Redis and both sandboxes over HTTP, for what only real processes and real time show."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.clock import SystemClock
from shared.config import load
from tests.benchmarks.rig.servers import WATCH
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import point_events, sandbox_settings

SETTLED_WITHIN_S = 300.0
SERVERS = "tests.benchmarks.rig.servers"


@dataclass
class Town:
    """Everything that is running, and how to look at it. `pids` are passback's processes, by name."""

    stage: DemoClient
    service: Container
    processes: ProcessGroup
    pids: dict[str, int]
    web: str
    redis_url: str

    def settle(self) -> None:
        """Return once nothing is on its way any more."""
        until = time.monotonic() + SETTLED_WITHIN_S
        while not self.is_idle():
            self.processes.check()
            if time.monotonic() > until:
                raise SystemExit(f"not at rest: {self.service.changes.counts()}")
            time.sleep(0.1)

    def is_idle(self) -> bool:
        """Say whether no event, message or course is on its way."""
        changes = self.service.changes
        return not self.outstanding_events() and not changes.pending_messages() and not any(changes.counts())

    def outstanding_events(self) -> int:
        """Return how many Live Events are on their way; asked often, and cheap for the sandbox."""
        return self._watched()["outstanding_events"]

    def canvas_in_flight(self) -> int:
        """Return the highest number of requests that Canvas had under way at once since the logs were emptied."""
        return self._watched()["most"]

    def _watched(self) -> dict[str, int]:
        counts: dict[str, int] = self.stage.http.get(self.stage.canvas_url + WATCH).raise_for_status().json()
        return counts

    def requests(self) -> tuple[int, int]:
        """Return how many requests Canvas and PowerSchool answered since the logs were emptied."""
        return len(self.stage.requests(self.stage.canvas_url)), len(self.stage.requests(self.stage.powerschool_url))

    def clear_requests(self) -> None:
        """Empty both request logs and the log of writes, and count requests under way anew."""
        for url in (self.stage.canvas_url, self.stage.powerschool_url):
            self.stage.clear_requests(url)
        self.stage.http.delete(self.stage.canvas_url + WATCH).raise_for_status()
        self.stage.clear_writes()

    def latency(self, milliseconds: float) -> None:
        """Let both remote systems take so long for an answer."""
        self.stage.canvas_faults(latency_ms=milliseconds)
        self.stage.powerschool_faults(latency_ms=milliseconds)


@contextmanager
def town(courses: int, students: int, assignments: int, workers: int = 1, **settings: str) -> Iterator[Town]:
    """Yield a running town with a generated district; `settings` are variables without their prefix."""
    with (
        tempfile.TemporaryDirectory(prefix="passback-") as folder,
        EmbeddedRedis() as redis,
        process_group(Path(folder), without_settings()) as sandboxes,
    ):
        size = [str(number) for number in (courses, students, assignments)]
        canvas, powerschool = (_sandbox(sandboxes, name, size) for name in ("canvas", "powerschool"))
        ours = {f"PASSBACK_{name}": value for name, value in settings.items()}
        ours = {"PASSBACK_REDIS_URL": redis.url, **sandbox_settings(canvas, powerschool), **ours}
        with process_group(Path(folder), {**without_settings(), **ours}) as group:
            port = free_port()
            web = f"http://127.0.0.1:{port}"
            pids = {"web": group.start("web", "web", "--port", str(port))}
            pids |= {f"worker {n}": group.start(f"worker-{n}", "worker") for n in range(1, workers + 1)}
            group.wait_ready(f"{web}/readyz")
            point_events(canvas, web)
            with (
                closing(Container(load(ours, env_file=Path(folder) / "no.env"))) as service,
                closing(DemoClient(canvas, powerschool, SystemClock())) as stage,
            ):
                yield Town(stage, service, group, pids, web, redis.url)


def _sandbox(group: ProcessGroup, name: str, size: list[str]) -> str:
    port = free_port()
    group.start(f"sandbox-{name}", name, str(port), *size, module=SERVERS)
    group.wait_ready(f"http://127.0.0.1:{port}/_sandbox/requests")
    return f"http://127.0.0.1:{port}"
