"""What breaks: one fault after another, chosen and timed by the dice; what was broken is mended when its time is up."""

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
    """Breaks things, and mends each of them later. At most one of each kind is broken at a time."""

    plant: Plant
    rng: random.Random
    count: Counter[str] = field(default_factory=Counter)
    _mends: dict[str, tuple[float, Callable[[], None]]] = field(default_factory=dict)

    def strike(self) -> None:
        """Break one thing."""
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

    def mend(self, *, everything: bool = False) -> None:
        """Mend what has been broken for long enough, or everything."""
        # Mending one thing may break it in another way, which is mended in its turn.
        while over := [name for name, (until, _) in self._mends.items() if everything or time.monotonic() >= until]:
            for name in over:
                _, mend = self._mends.pop(name)
                mend()

    @property
    def kills(self) -> int:
        """How many processes were killed, Redis among them."""
        return sum(count for kind, count in self.count.items() if kind.endswith("killed"))

    def _later(self, name: str, delay_s: float, mend: Callable[[], None]) -> None:
        self._mends[name] = (time.monotonic() + delay_s, mend)

    def _throttle(self) -> None:
        """Let PowerSchool permit a request per interval, which changes once before it is well again."""
        style = self.rng.choice(["403", "429"])
        first, then = (self.rng.choice(INTERVALS_MS) for _ in range(2))

        def change() -> None:
            self._powerschool(throttle_interval_ms=then, throttle_style=style)

        self._powerschool(throttle_interval_ms=first, throttle_style=style)
        self._later("powerschool", self.rng.uniform(0.5, 3), change)

    def _kill_worker(self) -> None:
        name = self.rng.choice(WORKERS)
        if name not in self._mends:
            self.plant.kill(name)

    def _stop_worker(self) -> None:
        """Stop a worker for longer than its leases last, then let it go on as if nothing had happened."""
        name = self.rng.choice(WORKERS)
        if not set(WORKERS) & self._mends.keys():
            self.plant.processes.signal(name, signal.SIGSTOP)
            resume = self.plant.lease_s + self.rng.uniform(0.2, 1.5)
            self._later(name, resume, lambda: self.plant.processes.signal(name, signal.SIGCONT))

    def _kill_redis(self) -> None:
        if "redis" not in self._mends:
            self.plant.redis.kill()
            self._later("redis", self.rng.uniform(0.1, 1.2), self.plant.redis.start)

    def _powerschool(self, **knobs: object) -> None:
        self.plant.stage.powerschool_faults(latency_ms=self.rng.randrange(0, 200), **knobs)
        self._later("powerschool", self.rng.uniform(0.5, 3), self.plant.stage.powerschool_faults)

    def _canvas(self, **knobs: object) -> None:
        self.plant.stage.canvas_faults(**knobs)
        self._later("canvas", self.rng.uniform(0.5, 2), self.plant.stage.canvas_faults)
