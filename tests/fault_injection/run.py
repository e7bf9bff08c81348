"""Teachers work while faults are injected; then PowerSchool must equal what the rules demand.

    python -m tests.fault_injection.run --runs 12 --seconds 10 --seed 1
    python -m tests.fault_injection.run --recoveries 30 --defaults
    python -m tests.fault_injection.run --runs 5 --defect writes_without_lease

`--recoveries` measures nothing but the time from a kill until the interrupted grade is there, `--defaults` with the
default settings. A planted `--defect` must be found: then a run that is not clean is the expected result.

A run with the same seed chooses the same actions and faults; their times differ with the machine. Needs a
`redis-server` on PATH. Exit code 1 if a run ended in anything but agreement.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

import httpx

from tests.fault_injection.altered import DEFECTS
from tests.fault_injection.faults import Faults
from tests.fault_injection.plant import SETTLED_WITHIN_S, Plant, running_plant
from tests.fault_injection.recovery import after_redis_restart, after_worker_kill
from tests.fault_injection.scenes import play_one
from tests.fault_injection.teachers import Teachers
from tests.fault_injection.verdict import Verdict, judge, not_ours
from workers.dev.demo.client import Json
from workers.grade_passback.scheduled import reconcile
from workers.runtime.process_end import end_on_sigterm

ACTS_IN_SILENCE = 12
FIRST_NEW_ID = 1_000_000
# Longer than every injected outage, so that a missing grade is not an undelivered event.
EVENT_RETRY_WAITS_S = (0.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one run. `settled` is false if work was still pending; recoveries are in seconds.

    `first` is the state once nothing was pending, without any reconciliation unless Canvas gave events up
    (`undelivered`); `scene` is the state after one of `scenes.py`, `repaired` the one after events were lost
    altogether and one reconciliation.
    """

    seed: int
    acts: int
    faults: dict[str, int]
    kills: int
    undelivered: int
    settled: bool
    settled_after_s: float
    dead_letters: int
    first: Verdict
    scene: Verdict
    repaired: Verdict
    worker_recovery_s: float
    redis_recovery_s: float
    deaths: tuple[str, ...] = field(default=())

    @property
    def is_clean(self) -> bool:
        """Say whether every promise held."""
        return self.settled and all(v.is_clean for v in self.verdicts) and not self.deaths

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All verdicts of the run."""
        return (self.first, self.scene, self.repaired)

    @property
    def lost(self) -> int:
        """How many grades or assignments were missing."""
        return sum(len(verdict.lost) for verdict in self.verdicts)

    @property
    def stale(self) -> int:
        """How many values were not Canvas's last, or overwrote a newer one."""
        return sum(len(verdict.stale) + len(verdict.backwards) for verdict in self.verdicts)

    @property
    def unaudited(self) -> int:
        """How many scores were written without an audit entry."""
        return sum(len(verdict.unaudited) for verdict in self.verdicts)

    @property
    def doubled(self) -> int:
        """How many assignments were there twice."""
        return sum(len(verdict.doubled) for verdict in self.verdicts)


def run(plant: Plant, seed: int, seconds: float) -> Run:
    """Let teachers work while faults are injected for so many seconds; return the result once nothing is pending."""
    rng = random.Random(seed)
    teachers = Teachers(plant.stage, rng, FIRST_NEW_ID + seed * 1000)
    faults = Faults(plant, rng)
    before = not_ours(plant.stage)
    plant.deaths.clear()
    _clear_deliveries(plant)
    _events(plant, drop=0.0)

    _inject_faults(plant, teachers, faults, seconds)
    settled, settled_after_s = _settle(plant)
    undelivered = _undelivered(plant)
    if undelivered:
        _reconcile(plant)
    dead_letters = len(plant.service.dead_letters.all())
    first = judge(plant.stage, teachers.work, before, plant.service.audit)

    play_one(plant, seed, rng)
    settled &= _settle(plant)[0]
    scene = judge(plant.stage, teachers.work, before, plant.service.audit)
    repaired = _silence(plant, teachers, before)
    worker_s, redis_s = after_worker_kill(plant, 20 + seed / 4), after_redis_restart(plant, 30 + seed / 4)
    settled &= _settle(plant)[0]
    return Run(
        seed, teachers.acts, dict(faults.count), faults.kills, undelivered, settled, round(settled_after_s, 2),
        dead_letters, first, scene, repaired, round(worker_s, 2), round(redis_s, 2), tuple(plant.deaths),
    )  # fmt: skip


def _inject_faults(plant: Plant, teachers: Teachers, faults: Faults, seconds: float) -> None:
    until = time.monotonic() + seconds
    next_act = next_fault = time.monotonic()
    while (now := time.monotonic()) < until:
        faults.repair()
        plant.tend()
        if now >= next_act:
            teachers.act()
            next_act = now + teachers.rng.uniform(0.02, 0.12)
        if now >= next_fault:
            faults.strike()
            next_fault = now + faults.rng.uniform(0.5, 1.8)
        time.sleep(0.01)
    faults.repair(everything=True)
    teachers.release()


def _settle(plant: Plant) -> tuple[bool, float]:
    started = time.monotonic()
    settled = plant.wait(plant.is_idle, SETTLED_WITHIN_S)
    return settled, time.monotonic() - started


def _silence(plant: Plant, teachers: Teachers, before: list[Json]) -> Verdict:
    """Lose every event for a while, reconcile once, and judge."""
    _events(plant, drop=1.0)
    for _ in range(ACTS_IN_SILENCE):
        teachers.act()
    teachers.release()
    plant.wait(plant.is_idle, SETTLED_WITHIN_S)
    _events(plant, drop=0.0)
    _reconcile(plant)
    return judge(plant.stage, teachers.work, before, plant.service.audit)


def _reconcile(plant: Plant) -> None:
    """Enqueue every course, as one rolling pass does, without its waits."""
    s, tick = plant.service, timedelta(milliseconds=1)
    for _ in range(4):
        reconcile(s.changes, s.records, s.unknown_changes, s.clock, 16 * tick, tick)
        time.sleep(0.02)
    _settle(plant)


def _events(plant: Plant, drop: float) -> None:
    settings = {
        "target": f"{plant.web}/events/canvas", "signed": True, "drop": drop, "duplicate": 0.1, "reorder": 4,
        "retry_waits_s": EVENT_RETRY_WAITS_S,
    }  # fmt: skip
    plant.stage.http.put(f"{plant.stage.canvas_url}/_sandbox/events", json=settings).raise_for_status()


def _clear_deliveries(plant: Plant) -> None:
    plant.stage.http.delete(f"{plant.stage.canvas_url}/_sandbox/deliveries").raise_for_status()


def _undelivered(plant: Plant) -> int:
    log = httpx.get(f"{plant.stage.canvas_url}/_sandbox/deliveries", timeout=10).raise_for_status().json()
    return sum(1 for delivery in log if delivery["status"] is None or delivery["status"] >= 300)


def summary(runs: Sequence[Run]) -> dict[str, object]:
    """Return the totals of all runs."""
    recoveries = _recoveries([one.worker_recovery_s for one in runs], [one.redis_recovery_s for one in runs])
    return {
        "runs": len(runs),
        "clean": sum(one.is_clean for one in runs),
        "acts": sum(one.acts for one in runs),
        "kills": sum(one.kills for one in runs),
        "lost": sum(one.lost for one in runs),
        "doubled": sum(one.doubled for one in runs),
        "stale": sum(one.stale for one in runs),
        "unaudited": sum(one.unaudited for one in runs),
        "dead_letters": sum(one.dead_letters for one in runs),
        **recoveries,
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) == 1:
        return values[0]
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 2)


def main() -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=10, help="duration of the faults, per run")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run; the next ones count up")
    parser.add_argument("--recoveries", type=int, default=0, help="measure so many recoveries instead of runs")
    parser.add_argument("--defaults", action="store_true", help="run with default settings instead of quick ones")
    parser.add_argument("--defect", choices=sorted(DEFECTS), default="", help="plant a defect, to see it found")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--logs", type=Path, help="keep the processes' output in this directory")
    wanted = parser.parse_args()
    end_on_sigterm()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="passback-reliability-") as scratch:
        logs = wanted.logs or Path(scratch)
        logs.mkdir(parents=True, exist_ok=True)
        with running_plant(logs, quick=not wanted.defaults, defect=wanted.defect) as plant:
            if wanted.recoveries:
                return _recover(plant, wanted.recoveries)
            for seed in range(wanted.seed, wanted.seed + wanted.runs):
                runs.append(run(plant, seed, wanted.seconds))
                if not wanted.json:
                    _show(runs[-1])
    if wanted.json:
        print(json.dumps({"summary": summary(runs), "runs": [asdict(one) for one in runs]}, indent=2))
    else:
        print(json.dumps(summary(runs), indent=2))
    return 0 if all(one.is_clean for one in runs) else 1


def _recover(plant: Plant, times: int) -> int:
    """Kill a worker and Redis so many times; print how long the interrupted grades took to arrive."""
    worker_s: list[float] = []
    redis_s: list[float] = []
    for number in range(times):
        for seconds, measured in ((worker_s, after_worker_kill), (redis_s, after_redis_restart)):
            seconds.append(measured(plant, 20 + len(worker_s + redis_s) / 4))
            _settle(plant)
        print(f"{number + 1}: worker {worker_s[-1]:.2f} s, Redis {redis_s[-1]:.2f} s", flush=True)
    print(json.dumps(_recoveries(worker_s, redis_s), indent=2))
    return 1 if plant.deaths or float("inf") in worker_s + redis_s else 0


def _recoveries(worker_s: Sequence[float], redis_s: Sequence[float]) -> dict[str, object]:
    named = {"worker_recovery_s": worker_s, "redis_recovery_s": redis_s}
    return {name: {"p50": _percentile(s, 50), "p99": _percentile(s, 99), "most": max(s)} for name, s in named.items()}


def _show(one: Run) -> None:
    print(
        f"seed {one.seed}: {one.acts} acts, {one.kills} kills, {sum(one.faults.values())} faults, "
        f"{one.undelivered} undelivered, at rest after {one.settled_after_s} s; lost {one.lost}, doubled "
        f"{one.doubled}, stale {one.stale}, unaudited {one.unaudited}, dead {one.dead_letters}; recovery: worker "
        f"{one.worker_recovery_s} s, Redis {one.redis_recovery_s} s{'' if one.is_clean else '  NOT CLEAN'}",
        flush=True,
    )
    if not one.is_clean:
        print(f"  {one.verdicts}\n  {one.deaths} settled={one.settled}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
