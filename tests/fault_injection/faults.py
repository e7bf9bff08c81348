"""Injects one fault after another, of random kind and time, and repairs each after a while."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fault_injection.plant import WORKERS, Plant

LOST_CREATE = "/ws/xte/section/assignment"
INTERVALS_MS = (50, 150, 300, 600)
LOST_SCORE = "/ws/xte/score"


@dataclass
class Faults:
    """Injects faults and repairs each of them later. At most one of each kind is active at a time."""

    plant: Plant
    rng: random.Random
    count: Counter[str] = field(default_factory=Counter)
    _repairs: dict[str, tuple[float, Callable[[], None]]] = field(default_factory=dict)

    def strike(self) -> None:
        """Inject one fault."""
        kinds = {
            "worker killed": self._kill_worker,
            "beat killed": lambda: self.plant.kill("beat"),
            "web killed": lambda: self.plant.kill("web"),
            "worker stopped": self._stop_worker,
            "redis killed": self._kill_redis,
            "powerschool maintenance": lambda: self._powerschool(maintenance=True),
            "powerschool down": lambda: self._powerschool(down=True),
            "powerschool errors": lambda: self._powerschool(error_rate=0.4, seed=self.rng.randrange(1000)),
            "powerschool throttled": self._throttle,
            "canvas down": lambda: self._canvas(down=True),
            "canvas maintenance": lambda: self._canvas(maintenance=True),
            "create answer lost": lambda: self._powerschool(
                lose_response_after_commit=2, lose_response_path_prefix=LOST_CREATE
            ),
            "score answer lost": lambda: self._powerschool(
                lose_response_after_commit=2, lose_response_path_prefix=LOST_SCORE
            ),
            "token expired": lambda: self._powerschool(expire_tokens=True),
        }
        kind = self.rng.choice(list(kinds))
        kinds[kind]()
        self.count[kind] += 1

    def repair(self, *, everything: bool = False) -> None:
        """Repair the faults that have lasted long enough, or all."""
        # A repair may inject another fault, which is repaired in the next pass.
        while over := [name for name, (until, _) in self._repairs.items() if everything or time.monotonic() >= until]:
            for name in over:
                _, repair = self._repairs.pop(name)
                repair()

    @property
    def kills(self) -> int:
        """How many processes were killed, Redis among them."""
        return sum(count for kind, count in self.count.items() if kind.endswith("killed"))

    def _later(self, name: str, delay_s: float, repair: Callable[[], None]) -> None:
        self._repairs[name] = (time.monotonic() + delay_s, repair)

    def _throttle(self) -> None:
        """Let PowerSchool permit one request per interval; the interval changes once before the repair."""
        style = self.rng.choice(["403", "429"])
        first, then = (self.rng.choice(INTERVALS_MS) for _ in range(2))

        def change() -> None:
            self._powerschool(throttle_interval_ms=then, throttle_style=style)

        self._powerschool(throttle_interval_ms=first, throttle_style=style)
        self._later("powerschool", self.rng.uniform(0.5, 3), change)

    def _kill_worker(self) -> None:
        name = self.rng.choice(WORKERS)
        if name not in self._repairs:
            self.plant.kill(name)

    def _stop_worker(self) -> None:
        """Stop a worker for longer than its leases last, then let it continue."""
        name = self.rng.choice(WORKERS)
        if not set(WORKERS) & self._repairs.keys():
            self.plant.processes.signal(name, signal.SIGSTOP)
            resume = self.plant.lease_s + self.rng.uniform(0.2, 1.5)
            self._later(name, resume, lambda: self.plant.processes.signal(name, signal.SIGCONT))

    def _kill_redis(self) -> None:
        if "redis" not in self._repairs:
            self.plant.redis.kill()
            self._later("redis", self.rng.uniform(0.1, 1.2), self.plant.redis.start)

    def _powerschool(self, **knobs: object) -> None:
        self.plant.stage.powerschool_faults(latency_ms=self.rng.randrange(0, 200), **knobs)
        self._later("powerschool", self.rng.uniform(0.5, 3), self.plant.stage.powerschool_faults)

    def _canvas(self, **knobs: object) -> None:
        self.plant.stage.canvas_faults(**knobs)
        self._later("canvas", self.rng.uniform(0.5, 2), self.plant.stage.canvas_faults)
