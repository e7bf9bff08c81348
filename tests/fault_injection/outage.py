"""A long outage while teachers work: no attempt is spent, no dead letter is made, and every change arrives later.

    python -m tests.fault_injection.outage --seconds 120 --seed 1

PowerSchool, then Canvas, goes through every known kind of outage, each for its share of the time. Exit code 1 if an
attempt was spent, a dead letter was made, more courses waited than there are, or PowerSchool does not equal what the
rules demand once both are available again.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.log_events import LogEvent
from tests.fault_injection.plant import SETTLED_WITHIN_S, WORKERS, Plant, running_plant
from tests.fault_injection.teachers import Teachers
from tests.fault_injection.verdict import Verdict, judge, not_ours
from workers.runtime.process_end import end_on_sigterm

FIRST_NEW_ID = 5_000_000
# Longer than the clients wait for an answer in a plant with quick settings.
SILENT_MS = 6000
THROTTLED_MS = 4000


@dataclass(frozen=True, slots=True)
class Outage:
    """The result of an outage."""

    seconds: float
    acts: int
    attempts_spent: int
    dead_letters: int
    most_waiting: int
    courses: int
    settled: bool
    settled_after_s: float
    verdict: Verdict

    @property
    def is_clean(self) -> bool:
        """Say whether the outage only delayed changes."""
        fits = self.most_waiting <= self.courses
        return self.settled and fits and not self.attempts_spent and not self.dead_letters and self.verdict.is_clean


def outage(plant: Plant, seconds: float, seed: int) -> Outage:
    """Let teachers work during outages of PowerSchool and Canvas, then make both available."""
    rng = random.Random(seed)
    teachers = Teachers(plant.stage, rng, FIRST_NEW_ID + seed * 1000)
    before, letters_before = not_ours(plant.stage), plant.service.dead_letters.count()
    spent_before, most_waiting = attempts_spent(plant), 0
    kinds = _kinds(plant)
    for begin, end in kinds:
        begin()
        until = time.monotonic() + seconds / len(kinds)
        while time.monotonic() < until:
            plant.tend()
            teachers.act()
            most_waiting = max(most_waiting, sum(plant.service.changes.counts()))
            time.sleep(rng.uniform(0.05, 0.3))
        end()
    teachers.release()
    started = time.monotonic()
    settled = plant.wait(plant.is_idle, SETTLED_WITHIN_S)
    return Outage(
        seconds, teachers.acts, attempts_spent(plant) - spent_before,
        plant.service.dead_letters.count() - letters_before, most_waiting, plant.service.records.count(), settled,
        round(time.monotonic() - started, 2), judge(plant.stage, teachers.work, before, plant.service.audit),
    )  # fmt: skip


def _kinds(plant: Plant) -> list[tuple[Callable[[], None], Callable[[], None]]]:
    """Return the kinds of outages: how each begins, and how it ends."""
    powerschool, canvas = plant.stage.powerschool_faults, plant.stage.canvas_faults
    everyone = {"error_rate": 1.0}
    of_powerschool: list[dict[str, object]] = [
        {"maintenance": True}, {"down": True}, {**everyone, "error_status": 500}, {**everyone, "error_status": 503},
        {"latency_ms": SILENT_MS}, {"throttle_interval_ms": THROTTLED_MS, "throttle_style": "403"},
        {"throttle_interval_ms": THROTTLED_MS, "throttle_style": "429", "expire_tokens": True},
    ]  # fmt: skip
    of_canvas: list[dict[str, object]] = [{"down": True}, {**everyone, "error_status": 502}]
    return [
        *((lambda knobs=knobs: powerschool(**knobs), powerschool) for knobs in of_powerschool),
        *((lambda knobs=knobs: canvas(**knobs), canvas) for knobs in of_canvas),
    ]  # type: ignore[misc]


def attempts_spent(plant: Plant) -> int:
    """Return how many failed attempts the workers have logged so far."""
    logs = plant.processes.logs
    assert logs is not None, "a plant logs to files"
    return sum((logs / f"{name}.log").read_text().count(f'"{LogEvent.COURSE_SYNC_FAILED}"') for name in WORKERS)


def main() -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, help="keep the processes' output in this directory")
    wanted = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="passback-outage-") as scratch:
        logs = wanted.logs or Path(scratch)
        logs.mkdir(parents=True, exist_ok=True)
        with running_plant(logs) as plant:
            result = outage(plant, wanted.seconds, wanted.seed)
    print(json.dumps(asdict(result), indent=2))
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
