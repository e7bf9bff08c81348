"""Runs the benchmarks: `python -m tests.benchmarks.run [--only NAME] [--compare [FILE]] [--store] [--json FILE]`.

Prints figures and marks with the machine's description; exit code 1 means that a mark was missed. `--store` keeps the
run among those of `runs/`, `--compare` sets the newest of them, or another, beside this one. `--quick` takes sizes that
show that everything runs, and nothing else.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import outcome
from tests.benchmarks.outcome import Result
from tests.benchmarks.passback import cost, engine, fold, growth, latency, memory, pace, reconcile, takeover, throttle
from tests.benchmarks.provisioning import rosters
from tests.benchmarks.web import ingest, pages
from tests.keeper import keeper
from workers.runtime.process_end import end_on_sigterm

NEWEST = Path("the newest stored run")
PLOT = Path(__file__).with_name("growth.svg")

BENCHMARKS: Mapping[str, Callable[[], Result]] = {
    "ingest": ingest.run,
    "fold": fold.run,
    "latency": latency.run,
    "cost": cost.run,
    "pace": pace.run,
    "throttle": throttle.run,
    "reconcile": reconcile.run,
    "engine": engine.run,
    "memory": memory.run,
    "growth": lambda: growth.run(plot=PLOT),
    "rosters": rosters.run,
    "takeover": takeover.run,
    "pages": pages.run,
}
QUICK: Mapping[str, Callable[[], Result]] = {
    "ingest": lambda: ingest.run(rounds=1, seconds=0.5, connections=8),
    "fold": lambda: fold.run(messages=2_000, tasks=100, rounds=1),
    "latency": lambda: latency.run(singles=4, courses=2, latencies_ms=(30,)),
    "cost": lambda: cost.run(
        courses=20, changes=200, way_courses=4, way_changes=40, window_courses=20, window_changes=200
    ),
    "pace": lambda: pace.run(courses=6, changes=60, seconds=5),
    "throttle": lambda: throttle.run(courses=6, permitted_ms=(100,), told_ms=(0,), styles=("403",)),
    "reconcile": lambda: reconcile.run(courses=4, rounds=1),
    "engine": lambda: engine.run(rows=2_000, rounds=1),
    "memory": lambda: memory.run(courses=4, messages=1_000, town_courses=2),
    "growth": lambda: growth.run(most=100),
    "rosters": lambda: rosters.run(sizes=(200, 400)),
    "takeover": lambda: takeover.run(courses=2, assignments=4, ambiguous=2),
    "pages": lambda: pages.run(courses=20, few=10, requests=2),
}


def main() -> int:
    """Run, print, write and compare."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", action="append", choices=sorted(BENCHMARKS), help="may be given several times")
    arguments.add_argument(
        "--compare", nargs="?", type=Path, const=NEWEST, metavar="FILE", help="an earlier run; the newest stored one"
    )
    arguments.add_argument("--store", action="store_true", help=f"write every figure to {outcome.RUNS.name}/")
    arguments.add_argument("--json", type=Path, help="file to write every figure to")
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    if given.store and (given.quick or given.only):
        arguments.error("only a whole run of default sizes is stored")
    end_on_sigterm()
    with keeper():
        return _run(given)


def _run(given: argparse.Namespace) -> int:
    described = outcome.machine()
    print(outcome.lines_of(described))
    path = outcome.newest() if given.compare is NEWEST else given.compare
    earlier = outcome.read(path) if path else None
    if earlier:
        print(f"\ncompared with {path}, of\n{outcome.lines_of(earlier['machine'])}")
    results = []
    for name in given.only or BENCHMARKS:
        began = time.monotonic()
        result = (QUICK if given.quick else BENCHMARKS)[name]()
        results.append(result)
        told = outcome.report([result], earlier and earlier["results"])
        print(told, f"\n  ({time.monotonic() - began:.0f} s)", flush=True)
    described["load_average_after"] = outcome.machine()["load_average"]
    for file in (given.json, outcome.stored_as(described) if given.store else None):
        if file:
            file.write_text(outcome.as_json(results, described))
    missed = [mark for result in results for mark in result.marks if not mark.is_met]
    print(f"\n{len(missed)} of {sum(len(result.marks) for result in results)} marks missed")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
