"""Everything that runs: a real Redis, two workers, beat, web, and both sandboxes; restarted when it dies.

The second worker's clock is 40 minutes ahead of the others'.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import RedisError

from shared.clock import SystemClock
from shared.config import load
from tests.fault_injection.redis_server import RedisServer
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.process_group import PROGRAM, ProcessGroup, free_port, process_group
from workers.dev.run_all import point_events, sandbox_settings, start_sandboxes, without_settings

WORKERS = ("worker-1", "worker-2")
SKEWED_WORKER = "worker-2"
SKEW_MIN = 40
SETTLED_WITHIN_S = 60.0
DEFAULTS = {"PASSBACK_LOG_FORMAT": "json"}
QUICK = {
    **DEFAULTS,
    "PASSBACK_QUIET_PERIOD_S": "0.3",
    "PASSBACK_MAX_WAIT_S": "2",
    "PASSBACK_LEASE_S": "3",
    "PASSBACK_CLAIM_S": "4",
    "PASSBACK_SYNC_DEADLINE_S": "20",
    "PASSBACK_SYNC_SLICE_S": "2",
    "PASSBACK_CANVAS_TIMEOUT_S": "5",
    "PASSBACK_POWERSCHOOL_TIMEOUT_S": "5",
    # Many short waits: what is injected must delay a grade, and dead letters are another test's matter.
    "PASSBACK_RETRY_WAITS_S": ",".join(["0.5"] * 4 + ["1"] * 16),
    # Small batches, so that what is killed is often killed between two of them.
    "PASSBACK_POWERSCHOOL_SCORE_BATCH": "7",
}


@dataclass
class Plant:
    """The running processes, and how to hurt them. Processes that end are started again by `tend`."""

    redis: RedisServer
    stage: DemoClient
    service: Container
    web: str
    processes: ProcessGroup
    commands: dict[str, tuple[str, ...]]
    killed: set[str] = field(default_factory=set)
    deaths: list[str] = field(default_factory=list)

    pids: dict[str, int] = field(default_factory=dict)
    defect: str = ""

    @property
    def lease_s(self) -> float:
        """How long a lease lasts, in seconds."""
        return self.service.settings.lease_s

    def start(self, name: str) -> None:
        """Start one process."""
        options = [f"--ahead-min={SKEW_MIN}"] if name == SKEWED_WORKER else []
        options += [f"--defect={self.defect}"] if self.defect else []
        module = "tests.fault_injection.altered" if options else PROGRAM
        self.pids[name] = self.processes.start(name, *options, *self.commands[name], module=module)

    def pid(self, name: str) -> int:
        """Return the process id of the running process of that name."""
        self.tend()
        return self.pids[name]

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End one process; `tend` starts it again."""
        self.killed.add(name)
        self.processes.signal(name, how)

    def tend(self, leave: str = "") -> None:
        """Start again what has ended, as a supervisor would, except `leave`; note what ended by itself."""
        for name in self.commands:
            code = None if name == leave else self.processes.exit_code(name)
            if code is None:
                continue
            if name not in self.killed or code not in (0, -signal.SIGKILL):
                self.deaths.append(f"{name} ended by itself with code {code}")
            self.killed.discard(name)
            self.start(name)

    def wait(self, condition: Callable[[], bool], within_s: float, leave: str = "") -> bool:
        """Tend the processes until the condition holds; return whether it did in time."""
        until = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > until:
                return False
            self.tend(leave)
            time.sleep(0.02)
        return True

    def is_at_rest(self) -> bool:
        """Say whether no event, message or course is on its way."""
        try:
            return self.is_all_heard() and not any(self.service.changes.counts())
        except RedisError:
            return False

    def is_all_heard(self) -> bool:
        """Say whether no event or message is on its way to its course."""
        return not self.stage.outstanding_events() and not self.service.changes.pending_messages()


@contextmanager
def running_plant(logs: Path, settings: Mapping[str, str] = QUICK, defect: str = "") -> Iterator[Plant]:
    """Yield a plant in which everything is up, with a defect of `altered` planted in it if one is named."""
    with RedisServer() as redis, process_group(logs, without_settings()) as sandboxes:
        canvas, powerschool = start_sandboxes(sandboxes)
        ours = {"PASSBACK_REDIS_URL": redis.url, **sandbox_settings(canvas, powerschool), **settings}
        with (
            process_group(logs, {**without_settings(), **ours}) as group,
            closing(Container(load(ours, env_file=logs / "no.env"))) as service,
            closing(DemoClient(canvas, powerschool, SystemClock())) as stage,
        ):
            port = free_port()
            web = f"http://127.0.0.1:{port}"
            commands = {"web": ("web", "--port", str(port)), "beat": ("beat",), **dict.fromkeys(WORKERS, ("worker",))}
            plant = Plant(redis, stage, service, web, group, commands, defect=defect)
            for name in commands:
                plant.start(name)
            group.wait_ready(f"{web}/readyz")
            point_events(canvas, web)
            yield plant
