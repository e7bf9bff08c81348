"""What a person may do about provisioning: for the command line, the API and the status pages."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.clock import Clock
from shared.domain.actions import PROVISIONING
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.errors import RunChanged
from shared.log_events import LogEvent

log = structlog.get_logger()

RUNS_LIMIT = 50
MAX_TRIES = 5
KIND = "provisioning-worker"
"""The name of the worker's process among the heartbeats."""


class InvalidOperation(Exception):
    """What a person asked for cannot be done; the message says why, in a sentence."""


class UnknownRun(InvalidOperation):
    """There is no run of this id, or not any more."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id}; `passback provision history` lists the stored ones")


class ProvisioningService:
    """Requests runs, and decides about held ones. `start_tick` starts a tick of the worker, as beat does every 30 s."""

    def __init__(self, runs: ProvisionRuns, pauses: Pauses, clock: Clock, start_tick: Callable[[], None]) -> None:
        self._runs = runs
        self._pauses = pauses
        self._clock = clock
        self.start_tick = start_tick

    def request(self, actor: str, *, dry_run: bool = False) -> Run:
        """Open a run that a person asks for; one that has not begun yet is returned instead. Returns at once."""
        kind = RunKind.DRY_RUN if dry_run else RunKind.ROSTER
        run = self._runs.open(kind, RunCause.PERSON, self._clock.now(), actor)
        log.info(LogEvent.PROVISION_REQUESTED, run_id=run.id, kind=kind, actor=actor)
        self.start_tick()
        return run

    def approve(self, run_id: str, actor: str, plan_digest: str | None = None) -> Run:
        """Approve a held run: exactly its plan is applied, or a new one is made if the rosters have changed since.

        A new plan is held again if it has a reason. `plan_digest` is that of the plan that the person saw.
        Raises: InvalidOperation.
        """

        def approved(run: Run) -> Run:
            read = replace(run, state=RunState.READING, attempts=0, not_before=None)
            return replace(read, approved_by=actor, approved_plan=run.plan_digest)

        run = self._decide(run_id, plan_digest, approved)
        log.info(LogEvent.PROVISION_APPROVED, run_id=run_id, actor=actor)
        self.start_tick()
        return run

    def discard(self, run_id: str, actor: str, plan_digest: str | None = None) -> Run:
        """Close a held run without doing anything. The next run plans again. Raises: InvalidOperation."""
        now = self._clock.now()
        run = self._decide(run_id, plan_digest, lambda held: replace(held, state=RunState.DISCARDED, finished_at=now))
        log.info(LogEvent.PROVISION_DISCARDED, run_id=run_id, actor=actor)
        return run

    def rollback(self, run_id: str | None, actor: str) -> Run:
        """Open a run that restores what Canvas was given before that run: by default the newest that wrote anything.

        Provisioning is paused, since its next run would undo this; `resume` lets it go on. Raises: InvalidOperation.
        """
        run = self.rollback_target(run_id)
        now = self._clock.now()
        self._pauses.pause(PROVISIONING, actor, f"rolled back to before run {run.id}")
        opened = self._runs.open(RunKind.ROLLBACK, RunCause.PERSON, now, actor, rollback_of=run.id)
        log.info(LogEvent.PROVISION_REQUESTED, run_id=opened.id, kind=opened.kind, actor=actor)
        self.start_tick()
        return opened

    def _decide(self, run_id: str, plan_digest: str | None, decision: Callable[[Run], Run]) -> Run:
        """Save the decision about the plan of this digest, which a person saw; None means the plan that is held now.

        The worker may save the run meanwhile.
        """
        run = self.awaiting_approval(run_id)
        seen = run.plan_digest if plan_digest is None else plan_digest
        for _ in range(MAX_TRIES):
            if run.plan_digest != seen:
                break
            with suppress(RunChanged):
                return self._runs.decide(decision(run))
            run = self.awaiting_approval(run_id)
        raise InvalidOperation(f"run {run_id} has changed meanwhile: look at it again")

    def awaiting_approval(self, run_id: str) -> Run:
        """Return the held run of this id. Raises: InvalidOperation."""
        run = self._runs.find(run_id)
        if run is None:
            raise UnknownRun(run_id)
        if run.state is not RunState.HELD:
            raise InvalidOperation(f"run {run_id} is not held: it is {run.state}")
        return run

    def rollback_target(self, run_id: str | None) -> Run:
        """Return the run that a rollback undoes. Raises: InvalidOperation."""
        if run_id is None:
            found = next((run for run in self._runs.newest(RUNS_LIMIT) if run.has_written), None)
        else:
            found = self._runs.find(run_id)
        if found is None:
            raise UnknownRun(run_id) if run_id else InvalidOperation("no stored run has written anything")
        if not found.has_written:
            raise InvalidOperation(f"run {found.id} has written nothing")
        return found
