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

from shared.adapters.redis.sync_queue.store import LEASE_DURATION
from shared.clock import SystemClock
from shared.config import load
from tests.fault_injection.redis_server import RedisServer
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.process_group import PROGRAM, ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import point_events, sandbox_settings, start_sandboxes

WORKERS = ("worker-1", "worker-2")
SKEWED_WORKER = "worker-2"
SKEW_MIN = 40
SETTLED_WITHIN_S = 60.0
QUICK = {
    "PASSBACK_QUIET_PERIOD_S": "0.3",
    "PASSBACK_MAX_WAIT_S": "2",
    # Many short waits: faults must delay a grade, without dead letters.
    "PASSBACK_RETRY_WAITS_S": ",".join(["0.5"] * 4 + ["1"] * 16),
}
LEASE_S = 3
# For `altered`: a module comes before those that import it.
QUICK_CONSTANTS = (
    "shared.adapters.http.client:RESPONSE_TIMEOUT_S=5",
    "shared.adapters.redis.sync_queue.store:CLAIM_DURATION=4",
    f"shared.adapters.redis.sync_queue.store:LEASE_DURATION={LEASE_S}",
    "workers.celery.app:MAX_SYNC_DURATION=20",
    "workers.grade_passback.sync_job:TIME_SLICE=2",
    # Small batches, so that what is killed is often killed between two of them.
    "workers.grade_passback.apply.context:MAX_SCORES_PER_REQUEST=7",
)


@dataclass
class Plant:
    """The running processes, and ways to end them. `tend` starts ended processes again."""

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
    constants: tuple[str, ...] = QUICK_CONSTANTS

    @property
    def lease_s(self) -> float:
        """How long a lease lasts, in seconds."""
        return LEASE_S if self.constants else LEASE_DURATION.total_seconds()

    def start(self, name: str) -> None:
        """Start one process."""
        options = [f"--ahead-min={SKEW_MIN}"] if name == SKEWED_WORKER else []
        options += [f"--defect={self.defect}"] if self.defect else []
        options += [f"--constant={each}" for each in self.constants]
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
        """Start again what has ended, as a supervisor would, except `leave`; record what ended by itself."""
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

    def is_idle(self) -> bool:
        """Say whether no event, message or course is pending."""
        try:
            return self.has_aggregated_all() and not any(self.service.changes.counts())
        except RedisError:
            return False

    def has_aggregated_all(self) -> bool:
        """Say whether no event or message is pending."""
        return not self.stage.outstanding_events() and not self.service.changes.pending_messages()


@contextmanager
def running_plant(logs: Path, *, quick: bool = True, defect: str = "") -> Iterator[Plant]:
    """Yield a plant in which everything is up, with a defect of `altered` planted in it if one is named.

    It has short waits where it is `quick`, else passback's defaults.
    """
    settings: Mapping[str, str] = QUICK if quick else {}
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
            constants = QUICK_CONSTANTS if quick else ()
            plant = Plant(redis, stage, service, web, group, commands, defect=defect, constants=constants)
            for name in commands:
                plant.start(name)
            group.wait_ready(f"{web}/readyz")
            point_events(canvas, web)
            yield plant
