"""Outcomes are acted on in one place: what waits, what is tried again, what a person must look at."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut
from structlog.testing import capture_logs

from shared.adapters.redis.client import RedisUnavailable
from shared.domain.causes import Cause, Scope
from shared.domain.outcome import Discard, Done, Failure, Outcome, Retry, Snooze
from shared.domain.passback.changes import ChangeCause
from shared.errors import AccessDenied, LeaseLost, PermanentError, ServiceUnavailable, TransientError
from shared.log_events import LogEvent
from tests.fakes import not_found, refused
from tests.unit.workers.grade_passback.school import NOW, WAITS, School, change_set
from workers.grade_passback.course_sync import SyncReport
from workers.grade_passback.sync_job import SyncOutcomeHandler
from workers.runtime.jobs import ADMINISTRATOR_DELAY

TIMEOUT = TransientError("GET /api/v1/courses/{course_id}: timeout", cause="canvas_timeout")
MINUTE = timedelta(minutes=1)
EARLIER = ("1", "11", "powerschool_error", "", 3)


def settle(school: School, job: Callable[[], SyncReport], attempts: int = 0) -> Outcome:
    return school.outcome_handler.run(school.changes.lease("1"), change_set(attempts), job).outcome


def reporting(outcome: Outcome, **fields: object) -> Callable[[], SyncReport]:
    return lambda: SyncReport(outcome, **fields)  # type: ignore[arg-type]


def raising(error: Exception) -> Callable[[], SyncReport]:
    def job() -> SyncReport:
        raise error

    return job


def test_done_ends_the_lease(school: School) -> None:
    """Work that is done is released and leaves nothing behind."""
    settle(school, reporting(Done()))
    assert school.changes.leases == set()
    assert (len(school.changes.released), school.changes.later, school.letters()) == (1, [], [])


@pytest.mark.parametrize(("attempts", "wait"), list(enumerate(WAITS)))
def test_retries_follow_the_waits(school: School, attempts: int, wait: timedelta) -> None:
    """Each failed attempt waits as long as the settings say, and is counted."""
    settle(school, raising(TIMEOUT), attempts)
    assert school.changes.later == [("1", wait, attempts + 1)]
    assert school.letters() == []


def test_the_dice_shorten_a_wait() -> None:
    """Courses that failed together come back at different times."""
    school = School()
    outcome_handler = SyncOutcomeHandler(school.changes, school.dead_letters, [MINUTE], lambda: 0.5)
    outcome_handler.run(school.changes.lease("1"), change_set(), raising(TIMEOUT))
    assert school.changes.later == [("1", MINUTE * 0.875, 1)]


def test_spent_attempts_become_a_letter_per_assignment(school: School) -> None:
    """After the last attempt every assignment that still fails is a dead letter of its own; the course is released."""
    failures = (Failure("powerschool_error", "PUT: 500", "11"), Failure("powerschool_timeout", "PUT: timeout", "12"))
    settle(school, reporting(Retry(failures)), attempts=len(WAITS))
    letters = {letter.assignment_id: letter for letter in school.dead_letters.all()}
    assert {id_: letter.cause for id_, letter in letters.items()} == {
        "11": "powerschool_error",
        "12": "powerschool_timeout",
    }
    assert letters["11"].attempts == len(WAITS) + 1
    assert letters["11"].answer == "PUT: 500"
    assert len(school.changes.released) == 1


def test_a_letter_has_the_time_of_every_attempt(school: School) -> None:
    """The first failure is that of the first attempt, minutes before the letter was made."""
    earlier = (NOW - timedelta(minutes=9), NOW - timedelta(minutes=4))
    changes = replace(change_set(len(WAITS)), failed_at=earlier)
    school.outcome_handler.run(school.changes.lease("1"), changes, raising(TIMEOUT))
    [letter] = school.dead_letters.all()
    assert (letter.first_failed_at, letter.attempt_times[:2]) == (earlier[0], earlier)


def test_a_course_that_cannot_be_read_is_a_letter_of_the_course(school: School) -> None:
    """After the last attempt at reading a course, the letter names the course alone."""
    settle(school, raising(TIMEOUT), attempts=len(WAITS))
    assert school.letters() == [(None, "canvas_timeout")]


@pytest.mark.parametrize(
    ("error", "cause", "answer"),
    [
        (PermanentError("GET: odd", cause="canvas_unexpected"), "canvas_unexpected", "GET: odd"),
        (refused("GET: 409", "powerschool_409", words="because"), "powerschool_409", "GET: 409 because"),
        (not_found("GET: 404"), "powerschool_404", "GET: 404"),
    ],
)
def test_a_permanent_error_is_a_letter_of_the_course_at_once(
    school: School, error: Exception, cause: str, answer: str
) -> None:
    """What will not pass by itself is not tried again: the course is a dead letter with the remote answer."""
    assert isinstance(settle(school, raising(error)), Discard)
    [letter] = school.dead_letters.all()
    assert (letter.assignment_id, letter.cause, letter.answer, letter.attempts) == (None, cause, answer, 1)
    assert len(school.changes.released) == 1


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause.scope is Scope.DISTRICT])
def test_refused_credentials_wait(school: School, cause: str) -> None:
    """What an administrator must mend for every course fills no dead letters and spends no attempt."""
    outcome = settle(school, raising(AccessDenied("GET: 401", cause=cause, status=401)), attempts=1)
    assert outcome == Snooze(cause, ADMINISTRATOR_DELAY, "GET: 401")
    assert school.changes.later == [("1", ADMINISTRATOR_DELAY, 1)]
    assert school.letters() == []


def test_an_unwell_system_waits(school: School) -> None:
    """The course waits as long as the system asks, with the attempts it had."""
    settle(school, raising(ServiceUnavailable("GET: 503", cause="canvas_unavailable", delay=MINUTE)), attempts=2)
    assert school.changes.later == [("1", MINUTE, 2)]


def test_a_defect_is_tried_again(school: School) -> None:
    """An exception that nobody foresaw is tried again like any failure, and spends an attempt."""
    settle(school, raising(ZeroDivisionError()))
    assert school.changes.later == [("1", WAITS[0], 1)]


def test_a_defect_becomes_a_letter_without_its_text(school: School) -> None:
    """A defect that stays is a dead letter of its course; only its type is kept, since its text may quote data."""
    settle(school, raising(ValueError("Jane Roe scored 9.5")), attempts=len(WAITS))
    [letter] = school.dead_letters.all()
    assert (letter.cause, letter.answer) == ("defect_ValueError", "")


def test_a_defect_is_logged_without_its_text(school: School) -> None:
    """The log tells a defect's type and the way it came, never its text or that of what caused it."""
    with capture_logs() as logs:
        settle(school, raising(ValueError("Jane Roe scored 9.5")))
    [line] = [line for line in logs if line["event"] == "course_sync_unexpected_error"]
    assert line["error"] == "ValueError"
    assert any(place.startswith("test_outcome_handler.py:") for place in line["way"])
    assert "Jane" not in repr(logs)


def test_a_defect_fails_only_its_course(school: School) -> None:
    """The course after it is settled as if nothing had happened."""
    settle(school, raising(RuntimeError()))
    assert settle(school, reporting(Done())) == Done()


def test_dead_assignments_leave_the_rest_done(school: School) -> None:
    """Assignments that no retry will help are letters at once, while the course is done."""
    settle(school, reporting(Done(), dead=(Failure("powerschool_412", "PUT: 412", "11"),)))
    assert school.letters() == [("11", "powerschool_412")]
    assert len(school.changes.released) == 1


def test_a_repeated_failure_is_one_letter(school: School) -> None:
    """A letter that is open stays one letter, with its first time and the newest cause."""
    first = school.dead_letters.add(*EARLIER)
    school.clock.advance(MINUTE)
    settle(school, reporting(Done(), dead=(Failure("powerschool_412", "", "11"),)))
    [letter] = school.dead_letters.all()
    assert (letter.cause, letter.first_failed_at) == ("powerschool_412", first.first_failed_at)
    assert letter.last_failed_at == school.clock.now()


def test_a_success_closes_the_letters_of_what_succeeded(school: School) -> None:
    """An assignment that is settled needs nobody any more, even where others of its course still fail."""
    school.dead_letters.add(*EARLIER)
    school.dead_letters.add("1", "12", "powerschool_error", "", 3)
    settle(school, reporting(Retry((Failure("powerschool_error", "", "12"),)), resolved=frozenset({"11"})))
    assert school.letters() == [("12", "powerschool_error")]


@pytest.mark.parametrize("assignment_id", [None, "99"])
def test_a_whole_run_closes_what_it_answers(school: School, assignment_id: str | None) -> None:
    """A run that finished closes the course's own letter, and that of an assignment that Canvas no longer has."""
    school.dead_letters.add("1", assignment_id, "canvas_404", "", 1)
    settle(school, reporting(Done()))
    assert school.letters() == []


def test_a_run_of_some_scores_closes_no_letter_of_the_course(school: School) -> None:
    """What it did not look at may still lack what the letter stands for."""
    school.dead_letters.add("1", None, "canvas_404", "", 1)
    settle(school, reporting(Done(), full=False))
    assert school.letters() == [(None, "canvas_404")]


def test_a_failed_run_closes_nothing(school: School) -> None:
    """A course that could not be read answers no letter."""
    school.dead_letters.add(*EARLIER)
    settle(school, raising(TIMEOUT))
    assert school.letters() == [("11", "powerschool_error")]


def test_other_courses_letters_stay(school: School) -> None:
    """Success answers the letters of its own course only."""
    school.dead_letters.add("2", None, "canvas_404", "", 1)
    settle(school, reporting(Done()))
    assert school.letters() == [(None, "canvas_404")]


REDIS_GONE = [ConnectionFailed("refused"), TimedOut("slow"), RedisUnavailable("EVALSHA", ConnectionFailed("refused"))]


@pytest.mark.parametrize("error", REDIS_GONE, ids=lambda error: type(error).__name__)
def test_a_redis_that_is_gone_waits_quietly(school: School, error: Exception) -> None:
    """Without Redis a job is neither failed nor released: its lease ends by itself, and one warning says so."""
    with capture_logs() as logs:
        assert isinstance(settle(school, raising(error)), Snooze)
    assert [(line["event"], line["log_level"], line["cause"]) for line in logs] == [
        ("course_sync_deferred", "warning", "redis_unavailable")
    ]
    assert (school.changes.released, school.changes.later, school.letters()) == ([], [], [])


@pytest.mark.parametrize("method", ["release", "reschedule"])
def test_a_redis_gone_while_settling_waits_quietly(school: School, method: str) -> None:
    """Redis may go while a job is being settled, too: one warning, and nothing raised into the worker."""
    school.changes.faults.on(method, RedisUnavailable("EVALSHA", ConnectionFailed("refused")))
    outcome: Outcome = Done() if method == "release" else Snooze("canvas_throttled", MINUTE)
    with capture_logs() as logs:
        assert isinstance(settle(school, reporting(outcome)), Snooze)
    assert [line["event"] for line in logs] == ["course_sync_deferred"]


def test_what_redis_refuses_as_wrong_is_a_defect(school: School) -> None:
    """A command that Redis calls wrong does not pass by waiting."""
    assert settle(school, raising(ResponseError("WRONGTYPE"))) == Retry((Failure("defect_ResponseError"),))


@pytest.mark.parametrize(
    "job", [reporting(Done()), raising(LeaseLost("1")), reporting(Discard(Failure("powerschool_400")))]
)
def test_a_lost_lease_asks_for_one_more_look(school: School, job: Callable[[], SyncReport]) -> None:
    """A worker may have stopped right before a write for longer than its lease: its course is looked at once more."""
    lease = school.changes.lease("1")
    school.changes.leases.clear()
    with capture_logs() as lines:
        school.outcome_handler.run(lease, change_set(), job)
    assert school.changes.requested == [("1", ChangeCause.RECONCILE)]
    assert [line["event"] for line in lines if line["event"] == LogEvent.LEASE_LOST] == [LogEvent.LEASE_LOST]


def test_a_kept_lease_asks_for_nothing_more(school: School) -> None:
    """A sync that ends while it has its course causes no other."""
    settle(school, reporting(Done()))
    assert school.changes.requested == []


def test_a_lost_lease_without_redis_is_left_to_its_end(school: School) -> None:
    """Who cannot ask for one more look does not fail: the other holder's sync, or reconciliation, looks anyway."""
    school.changes.faults.on("request", RedisUnavailable("EVALSHA", ConnectionFailed("x")))
    assert settle(school, raising(LeaseLost("1"))) == Snooze("redis_unavailable", timedelta(0))
