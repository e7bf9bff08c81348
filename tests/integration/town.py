"""Passback's real processes, a Redis and both sandboxes over HTTP, for tests of the whole pipeline."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from shared.clock import SystemClock
from shared.config import load
from shared.sandbox.district.small import student_dcid_of
from tests.fault_injection.redis_server import RedisServer
from workers.container import Container
from workers.dev.demo.client import DemoClient, Json
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import PROGRAM, ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import point_events, sandbox_settings, start_sandboxes

SETTLED_WITHIN_S = 40.0


@dataclass
class Town:
    """Everything that is running, and how to look at it."""

    stage: DemoClient
    service: Container
    processes: ProcessGroup
    web: str
    environ: dict[str, str]

    def settle(self) -> None:
        """Return once nothing is on its way any more."""
        until = time.monotonic() + SETTLED_WITHIN_S
        while not self.is_idle():
            self.processes.check()
            assert time.monotonic() < until, f"not at rest: {self.service.changes.counts()}"
            time.sleep(0.05)

    def is_idle(self) -> bool:
        """Say whether no event, message or course is on its way."""
        changes = self.service.changes
        return not self.stage.outstanding_events() and not changes.pending_messages() and not any(changes.counts())

    def passback(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command, with these environment variables beside the town's."""
        return subprocess.run(
            [sys.executable, "-m", PROGRAM, *arguments],
            env={**self.environ, **variables},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )

    def score(self, name: str, section_dcid: int, student: int) -> Decimal | None:
        """Return a student's points in an assignment that passback made, by the student number."""
        for row in self.stage.gradebook():
            if row["name"] == name and row["section_dcid"] == section_dcid and row["created_by_plugin"]:
                found = row["scores"].get(str(student_dcid_of(student)))  # type: ignore[attr-defined]
                return None if found is None else Decimal(found["points"])
        return None

    def powerschool_requests(self) -> list[Json]:
        """Return PowerSchool's request log."""
        return self.stage.requests(self.stage.powerschool_url)

    def clear_requests(self) -> None:
        """Empty both request logs and the log of writes."""
        for url in (self.stage.canvas_url, self.stage.powerschool_url):
            self.stage.clear_requests(url)
        self.stage.clear_writes()


@contextmanager
def town(
    logs: Path,
    constants: Mapping[str, float] | None = None,
    server: AbstractContextManager[RedisServer] | None = None,
    **settings: str,
) -> Iterator[Town]:
    """Yield a running town; `settings` are variables without their prefix, `constants` are changed in the worker.

    `server` is a Redis that the test takes away.
    """
    with server or EmbeddedRedis() as redis, process_group(logs, without_settings()) as sandboxes:
        canvas, powerschool = start_sandboxes(sandboxes)
        ours = {f"PASSBACK_{name}": value for name, value in settings.items()}
        ours = {"PASSBACK_REDIS_URL": redis.url, **sandbox_settings(canvas, powerschool), **ours}
        environ = {**without_settings(), **ours}
        with process_group(logs, environ) as group:
            port = free_port()
            web = f"http://127.0.0.1:{port}"
            group.start("web", "web", "--port", str(port))
            changed = [f"--constant={name}={value:g}" for name, value in (constants or {}).items()]
            group.start("worker", *changed, "worker", module="tests.fault_injection.altered" if changed else PROGRAM)
            group.wait_ready(f"{web}/readyz")
            point_events(canvas, web)
            with (
                closing(Container(load(ours, env_file=logs / "no.env"))) as service,
                closing(DemoClient(canvas, powerschool, SystemClock())) as stage,
            ):
                yield Town(stage, service, group, web, environ)
