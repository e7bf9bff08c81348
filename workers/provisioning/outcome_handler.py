"""Handles the outcomes of provisioning steps: a run that fails is saved as far as it got, and retried or not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import assert_never

import structlog

from shared.adapters.redis.client import Lease
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.clock import Clock
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze, next_wait
from shared.domain.provisioning.run import Run, RunState
from shared.log_events import LogEvent
from workers.runtime.jobs import rounded_seconds, run_and_classify

log = structlog.get_logger()


@dataclass(frozen=True)
class RunOutcomeHandler:
    """Runs steps of provisioning runs and acts on their outcomes. Every path returns the run as it was saved."""

    runs: ProvisionRuns
    dead_letters: DeadLetters
    clock: Clock
    waits: Sequence[timedelta]
    random_fraction: Callable[[], float]

    def run_step(self, run: Run, lease: Lease, step: Callable[[], Run]) -> Run:
        """Run the step and act on its outcome. Raises `LeaseLost` and what Redis raises when it is unavailable."""
        result = run_and_classify(step, LogEvent.PROVISION_UNEXPECTED_ERROR, run_id=run.id)
        if isinstance(result, Run):
            if result.state is RunState.DONE and result.school_number is None:
                self.dead_letters.close_provisioning()
            return result
        saved = self.runs.find(run.id) or run
        # A step that ended the run, or left it to a person, may fail afterwards: its state stays.
        return self._act_on(result, saved, lease) if saved.state.is_open else saved

    def _act_on(self, outcome: Outcome, run: Run, lease: Lease) -> Run:
        match outcome:
            case Done():
                return run
            case Snooze(cause=cause, delay=delay):
                saved = self._postpone(replace(run, answer=outcome.error_text), lease, delay, cause)
                log.warning(LogEvent.PROVISION_DEFERRED, run_id=run.id, cause=cause, delay_s=rounded_seconds(delay))
                return saved
            case Retry(failures=failures):
                attempts, cause = run.attempts + 1, failures[0].cause
                wait = next_wait(attempts, self.waits, self.random_fraction)
                if wait is None:
                    return self._dead_letter(run, lease, failures[0])
                failed_at = (*run.failed_at, self.clock.now())[-attempts:]
                saved = self._postpone(replace(run, attempts=attempts, failed_at=failed_at), lease, wait, cause)
                fields = {"cause": cause, "attempts": attempts, "delay_s": rounded_seconds(wait)}
                log.warning(LogEvent.PROVISION_FAILED, run_id=run.id, **fields)
                return saved
            case Discard(failure=failure):
                return self._dead_letter(run, lease, failure)
            case never:
                assert_never(never)

    def _dead_letter(self, run: Run, lease: Lease, failure: Failure) -> Run:
        attempts, cause, answer = run.attempts + 1, failure.cause, failure.error_text
        earlier = run.failed_at if run.attempts else ()
        self.dead_letters.add_provisioning(run.id, cause, answer, attempts, failed_before=earlier)
        log.error(LogEvent.PROVISION_DEAD_LETTERED, run_id=run.id, cause=cause, attempts=attempts)
        dead = replace(run, state=RunState.FAILED, attempts=attempts, failure=cause, answer=answer)
        dead = replace(dead, finished_at=self.clock.now(), not_before=None, waits_for="")
        return self.runs.save(lease, dead)

    def _postpone(self, run: Run, lease: Lease, delay: timedelta, cause: str) -> Run:
        return self.runs.save(lease, replace(run, not_before=self.clock.now() + delay, waits_for=cause))
