"""A whole district provisioned on the sandboxes, changed, truncated and killed, against an oracle of its own.

    python -m tests.fault_injection.provisioning.drill
    python -m tests.fault_injection.provisioning.drill --schools 2 --students 200 --sections 40 --changes 50

Starts both sandboxes, a Redis and a provisioning worker, kills the worker at every step of a run, and prints what it
found. Exit code 1 if anything is not as promised. Needs nothing but this checkout with its extras `demo` and `test`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.domain.provisioning.run import Run, RunState
from shared.sandbox.district.generator import DistrictSize
from tests.fault_injection.provisioning.kills import MOMENTS, Killer
from tests.fault_injection.provisioning.town import RosterTown, roster_town
from workers.dev.process_group import process_group, without_settings
from workers.runtime.process_end import end_on_sigterm

# So that a worker can be killed while Canvas imports, or between its request and Canvas's answer.
IMPORT_S, LATENCY_MS = 0.4, 30


@dataclass
class Report:
    """The lines of the report, and the broken promises."""

    lines: list[dict[str, object]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, **facts: object) -> None:
        """Record and print a line."""
        self.lines.append({"what": what, **facts})
        print(json.dumps(self.lines[-1]), flush=True)

    def must(self, what: str, holds: object, found: object = "") -> None:
        """Record a promise that does not hold."""
        if not holds:
            self.wrong.append(f"{what}: {found}")
            print(f"WRONG: {what}: {found}", flush=True)


class Drill:
    """One district, from its first run on."""

    def __init__(self, town: RosterTown, killer: Killer, changes: int) -> None:
        self._town = town
        self._killer = killer
        self._changes = changes
        self.report = Report()

    def run(self) -> Report:
        """Do everything."""
        self.first_run()
        self.run_without_changes()
        self.random_changes()
        self.truncated()
        for number, moment in enumerate(MOMENTS):
            self.killed(number, moment)
        self.run_without_changes()
        self.only_reads()
        return self.report

    def first_run(self) -> None:
        """Provision an empty Canvas."""
        run = self._asked()
        self._tell("first run", run)
        self.report.must("the first run ends", run.state is RunState.DONE, run.failure)
        self._must_agree("after the first run")

    def run_without_changes(self) -> None:
        """Without a change nothing is imported."""
        imports = len(self._town.imports)
        run = self._asked()
        self._tell("run without changes", run)
        self.report.must("nothing is imported without a change", len(self._town.imports) == imports)
        self.report.must("a run without changes costs a handful of requests", sum(run.requests.values()) <= 60)

    def random_changes(self) -> None:
        """Change the rosters at random, and approve what is held."""
        self._town.change(seed=1, count=self._changes)
        run = self._asked()
        held = run.state is RunState.HELD or bool(run.held_schools)
        run = self._approved(run)
        self._tell("random changes", run, changes=self._changes, was_held=held)
        self._must_agree("after random changes")

    def truncated(self) -> None:
        """A truncated roster is held, and nothing is imported."""
        imports = len(self._town.imports)
        numbers = sorted(school.number for school in self._town.rosters.schools.values())
        for what, knobs in (
            ("a school is missing", {"hidden_school_numbers": numbers[:1]}),
            ("everything is missing", {"empty_rosters": True}),
        ):
            self._town.powerschool_faults(**knobs)
            run = self._asked()
            self._tell(what, run, reasons=sorted({hold.code for hold in run.reasons}))
            is_held = run.state is RunState.HELD or bool(run.held_schools)
            self.report.must(f"{what}: held", is_held, run.state)
        self._town.powerschool_faults()
        self.report.must("nothing is sent of a truncated feed", len(self._town.imports) == imports)
        self._must_agree("after truncated feeds")

    def killed(self, number: int, moment: str) -> None:
        """Change some rows, and kill the worker at a moment of the run."""
        self._town.change(seed=100 + number, count=4)
        found = self._killer.at(moment)
        run = self._approved(found.run)
        self._tell(f"killed: {moment}", run, seconds_after_kill=round(found.seconds, 1), doubled=found.doubled)
        self.report.must(f"killed {moment}: no import twice", not found.doubled, found.doubled)
        self.report.must(f"killed {moment}: the run ends", run.state is RunState.DONE, run.state)
        self._must_agree(f"after a kill {moment}")

    def only_reads(self) -> None:
        """No request to PowerSchool was a write."""
        writes = [each for each in self._town.powerschool_requests if not each.startswith(("GET ", "POST /ws/schema/"))]
        tokens = [each for each in writes if each.startswith("POST /oauth/")]
        self.report.add("PowerSchool", requests=len(self._town.powerschool_requests), tokens=len(tokens))
        self.report.must("PowerSchool is only read", len(writes) == len(tokens), sorted(set(writes) - set(tokens)))
        self.report.must("PowerSchool accepted no write", not self._town.rosters.writes)

    def _asked(self) -> Run:
        return self._killer.seen_to_its_end(self._town.service.provisioning_service.request("drill"))

    def _approved(self, run: Run) -> Run:
        """Approve what the run left held, as a whole or by school; return the run, or the one that was approved."""
        service = self._town.service
        for held in service.provision_runs.held_runs():
            approved = self._killer.seen_to_its_end(service.provisioning_service.approve(held.id, "drill"))
            run = approved if held.id == run.id else run
        return run

    def _must_agree(self, when: str) -> None:
        found = self._town.disagreements()
        self.report.must(f"Canvas equals PowerSchool {when}", not found, found)

    def _tell(self, what: str, run: Run, **facts: object) -> None:
        took = (run.finished_at - run.started_at).total_seconds() if run.finished_at and run.started_at else None
        self.report.add(
            what, state=run.state, imports=len(run.uploads), requests=dict(run.requests), rows=dict(run.counts),
            seconds=took, **facts,
        )  # fmt: skip


@contextmanager
def drilled(size: DistrictSize, logs: Path, changes: int) -> Iterator[Drill]:
    """Yield a drill over a district with a running worker."""
    with roster_town(size) as town:
        town.canvas_faults(sis_import_s=IMPORT_S, latency_ms=LATENCY_MS)
        with process_group(logs, {**without_settings(), **town.settings}) as processes:
            killer = Killer(town, processes)
            killer.start()
            yield Drill(town, killer, changes)


def main() -> int:
    """Run the drill; 1 if anything is not as promised."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--schools", type=int, default=3)
    parser.add_argument("--students", type=int, default=2_000)
    parser.add_argument("--sections", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--changes", type=int, default=200)
    chosen = parser.parse_args()
    end_on_sigterm()
    size = DistrictSize(chosen.schools, chosen.students, chosen.sections, chosen.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as logs, drilled(size, Path(logs), chosen.changes) as drill:
        report = drill.run()
    print(f"{len(report.wrong)} wrong, {time.monotonic() - began:.0f} s")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
