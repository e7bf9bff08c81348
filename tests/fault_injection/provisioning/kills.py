"""Kills a real provisioning worker at a moment of a run, and follows the run to its end."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.domain.provisioning.imports.sis_imports import UploadState
from shared.domain.provisioning.run import Run, RunState
from tests.fault_injection.provisioning.town import RosterTown
from workers.dev.process_group import ProcessGroup

WORKER = "provisioning-worker"
ALTERED = "tests.fault_injection.altered"
# For `altered`: so that another worker soon continues an unfinished run.
CONSTANTS = (
    "--constant=shared.adapters.http.client:RESPONSE_TIMEOUT_S=3",
    "--constant=shared.adapters.redis.sync_queue.store:LEASE_DURATION=3",
)
SEEN_WITHIN_S = 60.0
OVER_WITHIN_S = 300.0
POLL_INTERVAL_S = 0.002
COUNTED_WITHIN_S = 0.2
WAKE_EVERY_S = 1.0

Moment = Callable[[Run], bool]


def _has(state: UploadState, number: int = 0) -> Moment:
    return lambda run: len(run.uploads) > number and run.uploads[number].state is state


MOMENTS: Mapping[str, Moment] = {
    "before it reads": lambda run: run.state is RunState.READING and run.started_at is None,
    "while it reads": lambda run: run.state is RunState.READING and run.started_at is not None,
    "planned": lambda run: run.state is RunState.APPLYING,
    "about to upload": _has(UploadState.INTENDED),
    "while Canvas imports": _has(UploadState.IMPORTING),
    "between two imports": _has(UploadState.IMPORTED),
    "about to upload the second": _has(UploadState.INTENDED, 1),
    "while Canvas imports the second": _has(UploadState.IMPORTING, 1),
    "all imported": lambda run: bool(run.uploads) and run.next_upload is None,
    "over": lambda run: run.state is RunState.DONE,
}


@dataclass
class Aftermath:
    """What a kill left: the run, how long it took to its end, and the data sets that were imported more than once."""

    run: Run
    moment: str
    seconds: float
    doubled: list[str]
    disagreements: list[str]

    @property
    def is_clean(self) -> bool:
        """Say whether the run ended as if nobody had been killed."""
        return self.run.state is RunState.DONE and not self.doubled and not self.disagreements


class Killer:
    """Runs the worker, kills it at a moment of a run, and starts another."""

    def __init__(self, town: RosterTown, processes: ProcessGroup) -> None:
        self._town = town
        self._processes = processes
        self._number = 0

    def start(self) -> None:
        """Start a worker."""
        self._number += 1
        self._processes.start(self._name, *CONSTANTS, WORKER, module=ALTERED)

    def kill(self) -> None:
        """Kill the worker, wherever it is."""
        self._processes.signal(self._name, signal.SIGKILL)
        while self._processes.exit_code(self._name) is None:
            time.sleep(POLL_INTERVAL_S)

    def at(self, moment: str) -> Aftermath:
        """Ask for a run, kill the worker at the moment, start another, and see the run to its end."""
        imports = len(self._town.imports)
        run = self._town.service.provisioning_service.request("drill")
        self._await(run, MOMENTS[moment], SEEN_WITHIN_S)
        self.kill()
        began = time.monotonic()
        self.start()
        over = self._await(run, lambda one: not one.state.is_open, OVER_WITHIN_S)
        names = Counter(str(each.request.identifier) for each in self._town.imports[imports:])
        doubled = [name for name, count in names.items() if count > 1]
        return Aftermath(over, moment, time.monotonic() - began, doubled, self._town.disagreements())

    def seen_to_its_end(self, run: Run) -> Run:
        """Wait until the run is no longer open and its requests are counted."""
        self._await(run, lambda one: not one.state.is_open, OVER_WITHIN_S)
        time.sleep(COUNTED_WITHIN_S)
        return self._town.service.provision_runs.find(run.id) or run

    @property
    def _name(self) -> str:
        return f"{WORKER}-{self._number}"

    def _await(self, run: Run, moment: Moment, within_s: float) -> Run:
        """Poll until the moment, or until the run is over if the moment was too short to see."""
        until, wake_at = time.monotonic() + within_s, 0.0
        while time.monotonic() < until:
            found = self._town.service.provision_runs.find(run.id)
            assert found is not None
            if moment(found) or not found.state.is_open:
                return found
            if time.monotonic() > wake_at:
                # In place of beat, whose ticks come every half minute.
                self._town.service.provisioning_service.start_tick()
                wake_at = time.monotonic() + WAKE_EVERY_S
            time.sleep(POLL_INTERVAL_S)
        raise AssertionError(f"run {run.id} does not get there: {self._town.service.provision_runs.find(run.id)}")
