"""Acting on outcomes: acknowledge, wait, retry or dead-letter. The only retry code there is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar, assert_never

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.provisioning.runs import ProvisionRuns, RunLease
from shared.adapters.redis.sync_queue.store import Lease, SyncQueue
from shared.adapters.telemetry.exceptions import exception_fields
from shared.clock import Clock
from shared.domain.backoff import next_wait
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.plugin_queries import QueryFault
from shared.domain.provisioning.run import Run, RunState
from shared.errors import LeaseLost, PassbackError, PermanentError, RequestRejected, ServiceUnavailable, TransientError
from shared.log_events import LogEvent

log = structlog.get_logger()

T = TypeVar("T")

# These concern every course alike and need an administrator: wait instead of filling the dead letters.
CONCERNS_EVERY_COURSE = frozenset(
    {"canvas_401", "powerschool_401", "powerschool_grant_missing", "powerschool_token_refused", *QueryFault}
)
ADMINISTRATOR_DELAY = timedelta(seconds=60)
# Anything else that Redis raises is a defect of ours.
REDIS_GONE = (RedisConnectionError, RedisTimeoutError)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run of a course came to.

    `dead` holds assignments that no retry will help while the rest of the course went on. `settled` holds the
    assignments whose earlier dead letters are answered: they are synced, waiting or blocked with a reason. What was
    written is counted by assignment section and by score. A run that was not `whole` looked at some scores alone.
    """

    outcome: Outcome
    dead: tuple[Failure, ...] = ()
    settled: frozenset[str] = frozenset()
    assignments_written: int = 0
    scores_written: int = 0
    whole: bool = True


def outcome_of_error(error: Exception) -> Outcome:
    """Return what an error means for the job that raised it. Unknown errors are our own defects: retried, then dead."""
    match error:
        case ServiceUnavailable():
            return Snooze(error.cause, error.delay)
        case TransientError():
            return Retry((Failure(error.cause, str(error)),))
        case PermanentError() if error.cause in CONCERNS_EVERY_COURSE:
            return Snooze(error.cause, ADMINISTRATOR_DELAY, str(error))
        case RequestRejected():
            return Discard(Failure(error.cause, f"{error} {error.words}".strip()))
        case PermanentError():
            return Discard(Failure(error.cause, str(error)))
        case _:
            # The text of an unforeseen error may quote data, so only its type is kept.
            return Retry((Failure(f"defect_{type(error).__name__}"),))


class SyncOutcomeHandler:
    """Settles courses: every path ends the lease, and none forgets work that is not done."""

    def __init__(
        self,
        changes: SyncQueue,
        dead_letters: DeadLetters,
        waits: Sequence[timedelta],
        dice: Callable[[], float],
    ) -> None:
        self._changes = changes
        self._dead_letters = dead_letters
        self._waits = waits
        self._dice = dice

    def run(self, lease: Lease, changes: PendingChanges, job: Callable[[], SyncReport]) -> Outcome:
        """Run the job and settle what it came to. Never raises for what the job did."""
        try:
            return self._settled(lease, changes, job)
        except REDIS_GONE:
            # Without Redis nothing can be released: the lease ends by itself, and its course is due again.
            log.warning(LogEvent.COURSE_SYNC_WAITS, course_id=lease.course_id, cause="redis_unavailable", delay_s=0)
            return Snooze("redis_unavailable", timedelta(0))

    def _settled(self, lease: Lease, changes: PendingChanges, job: Callable[[], SyncReport]) -> Outcome:
        try:
            return self.settle(lease, changes, _report(lease, job))
        except LeaseLost:
            self._look_again(lease)
            return Snooze("lease_lost", timedelta(0))

    def settle(self, lease: Lease, changes: PendingChanges, report: SyncReport) -> Outcome:
        """Act on the report; return the outcome that was acted on (spent attempts turn a retry into its letters)."""
        self._answer_letters(lease.course_id, report)
        self._keep(changes, report.dead)
        match report.outcome:
            case Done():
                self._release(lease)
            case Snooze(cause=cause, delay=delay):
                self._changes.reschedule(lease, delay, changes.attempts, cause)
                log.warning(
                    LogEvent.COURSE_SYNC_WAITS,
                    course_id=lease.course_id,
                    cause=cause,
                    delay_s=round(delay.total_seconds(), 3),
                )
            case Retry(failures=failures):
                self._retry(lease, changes, failures)
            case Discard(failure=failure):
                self._keep(changes, (failure,))
                self._release(lease)
            case never:
                assert_never(never)
        return report.outcome

    def _retry(self, lease: Lease, changes: PendingChanges, failures: Sequence[Failure]) -> None:
        attempts = changes.attempts + 1
        wait = next_wait(attempts, self._waits, self._dice)
        if wait is None:
            self._keep(changes, failures)
            self._release(lease)
            return
        log.warning(
            LogEvent.COURSE_SYNC_FAILED,
            course_id=lease.course_id,
            cause=failures[0].cause,
            attempts=attempts,
            delay_s=round(wait.total_seconds(), 3),
        )
        self._changes.reschedule(lease, wait, attempts, failures[0].cause)

    def _release(self, lease: Lease) -> None:
        if not self._changes.release(lease):
            self._look_again(lease)

    def _look_again(self, lease: Lease) -> None:
        """Ask for one more sync of a course whose lease was lost.

        A process may stop for as long as a lease between asking for it and sending a write, which PowerSchool then
        takes for the newer one: it has no fencing tokens.
        """
        log.warning(LogEvent.LEASE_LOST, course_id=lease.course_id, token=lease.token)
        self._changes.request(lease.course_id, ChangeCause.RECONCILE)

    def _keep(self, changes: PendingChanges, failures: Iterable[Failure]) -> None:
        course_id, attempts = changes.course_id, changes.attempts + 1
        for failure in failures:
            assignment_id, cause = failure.assignment_id, failure.cause
            self._dead_letters.add(
                course_id, assignment_id, cause, failure.answer, attempts, failed_before=changes.failed_at
            )
            log.error(LogEvent.DEAD_LETTERED, course_id=course_id, assignment_id=assignment_id, cause=cause)

    def _answer_letters(self, course_id: str, report: SyncReport) -> None:
        """Close the letters whose work is done; after a whole run also the course's and deleted assignments' own."""
        whole = report.whole and isinstance(report.outcome, Done)
        dead = {failure.assignment_id for failure in report.dead}
        for letter in self._dead_letters.of_course(course_id):
            if letter.assignment_id in report.settled or (whole and letter.assignment_id not in dead):
                self._dead_letters.close(course_id, letter.assignment_id)


class RunOutcomeHandler:
    """Settles the steps of provisioning runs: a run that fails is kept as far as it got, and goes on later or not."""

    def __init__(
        self,
        runs: ProvisionRuns,
        dead_letters: DeadLetters,
        clock: Clock,
        waits: Sequence[timedelta],
        dice: Callable[[], float],
    ) -> None:
        self._runs = runs
        self._dead_letters = dead_letters
        self._clock = clock
        self._waits = waits
        self._dice = dice

    def step(self, run: Run, lease: RunLease, job: Callable[[], Run]) -> Run:
        """Take the step and settle what it came to; return the run as it is kept then.

        Raises `LeaseLost` and what Redis raises when it is away: then nothing can be kept, nor need it be.
        """
        came_to = run_and_classify(job, LogEvent.PROVISION_DEFECT, run_id=run.id)
        if isinstance(came_to, Run):
            if came_to.state is RunState.DONE and came_to.school_number is None:
                self._dead_letters.close_provisioning()
            return came_to
        kept = self._runs.find(run.id) or run
        # What a step has ended, or left to a person, is not for it to take back.
        return self._settled(kept, lease, came_to) if kept.state.is_open else kept

    def _settled(self, run: Run, lease: RunLease, outcome: Outcome) -> Run:
        match outcome:
            case Snooze(cause=cause, delay=delay, answer=answer):
                delay_s = round(delay.total_seconds(), 3)
                log.warning(LogEvent.PROVISION_WAITS, run_id=run.id, cause=cause, delay_s=delay_s)
                return self._later(replace(run, answer=answer), lease, delay, cause)
            case Retry(failures=failures):
                return self._again(run, lease, failures[0])
            case Discard(failure=failure):
                return self._dead(run, lease, failure)
            case Done():
                return run
            case never:
                assert_never(never)

    def _again(self, run: Run, lease: RunLease, failure: Failure) -> Run:
        attempts, cause = run.attempts + 1, failure.cause
        wait = next_wait(attempts, self._waits, self._dice)
        if wait is None:
            return self._dead(run, lease, failure)
        delay_s = round(wait.total_seconds(), 3)
        log.warning(LogEvent.PROVISION_FAILED, run_id=run.id, cause=cause, attempts=attempts, delay_s=delay_s)
        failed_at = (*run.failed_at, self._clock.now())[-attempts:]
        return self._later(replace(run, attempts=attempts, failed_at=failed_at), lease, wait, cause)

    def _dead(self, run: Run, lease: RunLease, failure: Failure) -> Run:
        attempts, cause, answer = run.attempts + 1, failure.cause, failure.answer
        earlier = run.failed_at if run.attempts else ()
        self._dead_letters.add_provisioning(run.id, cause, answer, attempts, failed_before=earlier)
        log.error(LogEvent.PROVISION_DEAD, run_id=run.id, cause=cause, attempts=attempts)
        dead = replace(run, state=RunState.FAILED, attempts=attempts, failure=cause, answer=answer)
        dead = replace(dead, finished_at=self._clock.now(), not_before=None, waits_for="")
        self._runs.save(lease, dead)
        return dead

    def _later(self, run: Run, lease: RunLease, delay: timedelta, cause: str) -> Run:
        waiting = replace(run, not_before=self._clock.now() + delay, waits_for=cause)
        self._runs.save(lease, waiting)
        return waiting


def run_and_classify(job: Callable[[], T], defect: LogEvent, **context: object) -> T | Outcome:
    """Return what the job returns, else what its error means.

    Raises `LeaseLost` and what Redis raises when it is away: neither says anything about the job.
    """
    try:
        return job()
    except (LeaseLost, *REDIS_GONE):
        raise
    except PassbackError as error:
        return outcome_of_error(error)
    except Exception as error:  # noqa: BLE001  # The one place: a defect fails its own job alone.
        log.error(defect, **context, **exception_fields(error))  # noqa: TRY400  # without its text: that may quote data
        return outcome_of_error(error)


def _report(lease: Lease, job: Callable[[], SyncReport]) -> SyncReport:
    came_to = run_and_classify(job, LogEvent.COURSE_SYNC_DEFECT, course_id=lease.course_id)
    return came_to if isinstance(came_to, SyncReport) else SyncReport(came_to)
