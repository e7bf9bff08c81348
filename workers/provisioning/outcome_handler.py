"""Handles the outcomes of provisioning steps: a run that fails is saved as far as it got, and retried or not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from shared.adapters.redis.client import Lease
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.clock import Clock
from shared.domain.outcome import Failure, Snooze
from shared.domain.provisioning.run import Run, RunState
from shared.log_events import LogEvent
from workers.runtime.outcome_handler import OutcomeHandler, run_and_classify

log = structlog.get_logger()


class RunOutcomeHandler(OutcomeHandler[tuple[Run, Lease], Run]):
    """Runs steps of provisioning runs and acts on their outcomes. Every path returns the run as it was saved."""

    def __init__(
        self,
        runs: ProvisionRuns,
        dead_letters: DeadLetters,
        clock: Clock,
        waits: Sequence[timedelta],
        random_fraction: Callable[[], float],
    ) -> None:
        super().__init__(waits, random_fraction)
        self._runs = runs
        self._dead_letters = dead_letters
        self._clock = clock

    def run_step(self, run: Run, lease: Lease, step: Callable[[], Run]) -> Run:
        """Run the step and act on its outcome. Raises `LeaseLost` and what Redis raises when it is unavailable."""
        result = run_and_classify(step, LogEvent.PROVISION_UNEXPECTED_ERROR, run_id=run.id)
        if isinstance(result, Run):
            if result.state is RunState.DONE and result.school_number is None:
                self._dead_letters.close_provisioning()
            return result
        saved = self._runs.find(run.id) or run
        # A step that ended the run, or left it to a person, may fail afterwards: its state stays.
        return self._act_on(result, (saved, lease)) if saved.state.is_open else saved

    deferred_event = LogEvent.PROVISION_DEFERRED
    failed_event = LogEvent.PROVISION_FAILED

    def _log_fields(self, job: tuple[Run, Lease]) -> dict[str, object]:
        return {"run_id": job[0].id}

    def _attempts(self, job: tuple[Run, Lease]) -> int:
        return job[0].attempts

    def _complete(self, job: tuple[Run, Lease]) -> Run:
        return job[0]

    def _snooze(self, job: tuple[Run, Lease], snooze: Snooze) -> Run:
        run, lease = job
        return self._postpone(replace(run, answer=snooze.error_text), lease, snooze.delay, snooze.cause)

    def _retry(self, job: tuple[Run, Lease], cause: str, attempts: int, wait: timedelta) -> Run:
        run, lease = job
        failed_at = (*run.failed_at, self._clock.now())[-attempts:]
        return self._postpone(replace(run, attempts=attempts, failed_at=failed_at), lease, wait, cause)

    def _dead_letter(self, job: tuple[Run, Lease], failures: Sequence[Failure]) -> Run:
        run, lease = job
        attempts, cause, answer = run.attempts + 1, failures[0].cause, failures[0].error_text
        earlier = run.failed_at if run.attempts else ()
        self._dead_letters.add_provisioning(run.id, cause, answer, attempts, failed_before=earlier)
        log.error(LogEvent.PROVISION_DEAD_LETTERED, run_id=run.id, cause=cause, attempts=attempts)
        dead = replace(run, state=RunState.FAILED, attempts=attempts, failure=cause, answer=answer)
        dead = replace(dead, finished_at=self._clock.now(), not_before=None, waits_for="")
        return self._runs.save(lease, dead)

    def _postpone(self, run: Run, lease: Lease, delay: timedelta, cause: str) -> Run:
        return self._runs.save(lease, replace(run, not_before=self._clock.now() + delay, waits_for=cause))
