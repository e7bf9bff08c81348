"""`passback sync` of a school, a term and all: what is selected, at which pace, and what it says in the end."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta

import fakeredis
import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.redis.client import Lease
from shared.domain.actions import Verb
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import State
from tests.command_line import app
from tests.unit.cli.district.town_of_courses import EARLIER, Courses, courses_on, record
from workers.cli import sync
from workers.grade_passback.operations import bulk_sync


@pytest.fixture
def courses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Courses]:
    # Minutes pass in fewer steps.
    monkeypatch.setattr(bulk_sync, "POLL_INTERVAL", timedelta(seconds=5))
    with courses_on(fakeredis.FakeServer()) as found:
        monkeypatch.setattr(sync, "services", lambda: nullcontext(found.service))
        yield found


@pytest.fixture
def run(courses: Courses) -> Callable[[str], Result]:
    return lambda line: CliRunner().invoke(app, ["sync", *line.split(), "--actor", "rivera"])


@pytest.mark.parametrize(
    ("line", "selected"),
    [
        ("--school 100", {"101", "102", "103", "104"}),
        ("--school 200", {"201", "202", "203"}),
        ("--term 2026-27", {"101", "102", "103", "104", "201", "202", "203"}),
        ("--term 2027-01-05/2027-05-28", {"203"}),
        ("--school 200 --term 2026-08-17/2026-12-18", {"201", "202"}),
        ("--all --yes", {"101", "102", "103", "104", "201", "202", "203"}),
    ],
)
def test_the_selected_courses_are_synced(
    courses: Courses, run: Callable[[str], Result], line: str, selected: set[str]
) -> None:
    """To the end; the action is recorded once, with its number of courses."""
    result = run(line)
    assert result.exit_code == 0, result.output
    assert set(courses.synced) == selected
    assert result.output == f"{len(selected)} of {len(selected)} course{'s' if len(selected) > 1 else ''} synced\n"
    (action,) = courses.service.actions.newest(9)
    assert (action.verb, action.actor, action.count) == (Verb.SYNC, "rivera", len(selected))


def test_a_school_is_synced_as_by_a_pass_over_all_courses(courses: Courses, run: Callable[[str], Result]) -> None:
    """Other changes go first, closed terms stay closed, and the history has who asked and for what."""
    run("--school 100")
    assert {changes.causes for changes in courses.changes} == {frozenset({ChangeCause.RECONCILE, ChangeCause.BULK})}
    assert all(changes.lets_others_go_first for changes in courses.changes)
    assert all(changes.triggers == {ChangeCause.BULK} for changes in courses.changes)
    assert {changes.actors for changes in courses.changes} == {frozenset({"rivera"})}


@pytest.mark.parametrize(("term", "by_person"), [("2027-01-05/2027-05-28", True), ("2026-27", False)])
def test_who_names_a_term_by_its_days_means_a_closed_one_as_well(
    courses: Courses, run: Callable[[str], Result], term: str, by_person: bool
) -> None:
    """As a sync of one course that a person asks for. A school year has terms that are over: these stay closed."""
    run(f"--term {term}")
    assert {changes.asked_for_by_person for changes in courses.changes} == {by_person}


def test_few_courses_are_due_at_once(courses: Courses, run: Callable[[str], Result]) -> None:
    """So that a change that arrives is synced between them."""
    for number in range(40):
        courses.service.records.save(record(str(300 + number), EARLIER, school=300))
    assert run("--school 300").exit_code == 0
    assert len(courses.synced) == 40
    assert courses.most_waiting <= bulk_sync.WINDOW


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "name one course, or select courses"),
        ("101 --all", "name one course, or select courses"),
        ("101 --school 100", "name one course, or select courses"),
        ("--all --term 2026-27", "name one course, or select courses"),
        ("--school 999", "those of courses: 100, 200"),
        ("--school -1", "Invalid value"),
        ("--term 1999-00", "no course is of term 1999-00; those of courses: 2027-01-05/2027-05-28"),
        ("--school 100 --assignment 11", "is for one course: name it"),
        ("101 --unless-since 1h", "is for many courses"),
        ("--school 100 --unless-since yesterday", "is no time"),
        ("--all", "7 courses of the district will be synced. Nothing was done: add --yes"),
    ],
)
def test_a_wrong_selection_syncs_nothing(courses: Courses, run: Callable[[str], Result], line: str, why: str) -> None:
    """It ends with exit code 2 and what could be selected."""
    result = run(line)
    assert result.exit_code == 2
    assert why in " ".join(result.output.replace("│", "").split())
    assert not any(courses.service.changes.counts())
    assert courses.service.actions.newest(9) == []


def test_a_dry_run_names_the_courses(courses: Courses, run: Callable[[str], Result]) -> None:
    """Without a question, and without a request."""
    found = json.loads(run("--all --dry-run --json").output)
    assert len(found["would_sync"]) == 7
    assert not any(courses.service.changes.counts())


def test_a_course_that_fails_is_named_and_the_others_go_on(courses: Courses, run: Callable[[str], Result]) -> None:
    """With the cause of its dead letter; the exit code says that somebody has to look."""
    courses.service.dead_letters.add("102", "11", "canvas_unexpected", "", 1)
    courses.outcome = lambda id_: State.RETRYING if id_ == "103" else State.SYNCED
    result = run("--school 100")
    assert result.exit_code == 1
    assert "2 of 4 courses synced" in result.output
    assert "course 102 failed: dead letter: canvas_unexpected; `passback explain 102`" in result.output
    assert "course 103 failed: some of its work is retried" in result.output


def test_a_paused_course_is_not_waited_for(courses: Courses, run: Callable[[str], Result]) -> None:
    """Its sync stays due for the end of the pause; the others are synced."""
    courses.service.pauses.pause("course:102", "kim", "is being moved")
    before = courses.clock.ahead
    result = run("--school 100")
    assert result.exit_code == 1
    assert "3 of 4 courses synced" in result.output
    assert "course 102 is not done: This course is paused by kim" in " ".join(result.output.split())
    assert courses.clock.ahead - before < timedelta(minutes=1)
    assert courses.service.changes.state_of("102").pending is not None


def test_while_everything_is_paused_nothing_is_requested(courses: Courses, run: Callable[[str], Result]) -> None:
    """The command says who paused it and what resumes it."""
    courses.service.pauses.pause("passback", "kim", "report cards")
    result = run("--school 100")
    assert result.exit_code == 1
    assert "everything is paused by kim: report cards. `passback resume` resumes it" in result.output
    assert not any(courses.service.changes.counts())


def test_a_failing_course_holds_up_no_other(courses: Courses, run: Callable[[str], Result]) -> None:
    """It waits for its next attempt, which may be in an hour; the command ends before, and says so."""
    courses.outcome = lambda id_: None if id_ == "101" else State.SYNCED
    result = run("--school 100 --json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert (found["synced"], list(found["waiting"])) == (3, ["101"])
    assert "1 attempt failed" in found["waiting"]["101"]
    assert courses.clock.ahead < bulk_sync.PATIENCE + timedelta(minutes=1)


def test_an_outage_does_not_hang_it_forever(courses: Courses, run: Callable[[str], Result]) -> None:
    """After some minutes without any progress it ends; the courses that were not asked for are named to go on with."""
    for number in range(40):
        courses.service.records.save(record(str(300 + number), EARLIER, school=300))
    courses.clock.work = lambda: None
    keys = courses.service.keys
    courses.service.redis.set(keys.pause("powerschool"), "powerschool_unavailable", ex=3600)
    result = run("--school 300")
    assert result.exit_code == 1
    assert f"{40 - bulk_sync.WINDOW} courses not asked for. To go on: passback sync --school 300 --unless-since" in (
        result.output
    )
    assert "PowerSchool has not answered" in result.output
    assert courses.clock.ahead < bulk_sync.PATIENCE + timedelta(minutes=1)


def test_attempts_during_an_outage_are_no_progress(courses: Courses, run: Callable[[str], Result]) -> None:
    """Workers try a course again and again while PowerSchool is away: the command ends all the same."""
    service = courses.service

    def try_in_vain() -> None:
        service.redis.set(service.keys.pause("powerschool"), "powerschool_unavailable", ex=3600)
        for course_id in service.changes.claim_due(1):
            taken = service.changes.start_sync(course_id)
            assert taken is not None
            attempts.append(taken[0])
        if len(attempts) > 1:
            service.changes.reschedule(attempts.pop(0), timedelta(0), 0, "powerschool_unavailable")

    attempts: list[Lease] = []
    courses.clock.work = try_in_vain
    result = run("--school 100")
    assert result.exit_code == 1
    assert "0 of 4 courses synced" in result.output
    assert courses.clock.ahead < bulk_sync.PATIENCE + timedelta(minutes=1)


def test_without_a_worker_it_ends(courses: Courses, run: Callable[[str], Result]) -> None:
    """And says that none is running."""
    courses.clock.work = lambda: None
    courses.service.heartbeats.remove("worker@host:1")
    result = run("--school 100")
    assert (result.exit_code, "No worker is running" in result.output) == (1, True)


def test_ctrl_c_leaves_a_clear_state(
    courses: Courses, run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for stays due, nothing else is asked for, and the command that goes on leaves out what is done."""
    for number in range(40):
        courses.service.records.save(record(str(300 + number), EARLIER, school=300))
    work = courses.clock.work

    def work_and_interrupt() -> None:
        work()
        if len(courses.synced) >= 6:
            os.kill(os.getpid(), signal.SIGINT)

    courses.clock.work = work_and_interrupt
    result = run("--school 300")
    assert result.exit_code == 1
    _, _, go_on = result.output.partition("To go on: passback sync ")
    requested = 40 - int(result.output.split(" courses not asked for")[0].split("\n")[-1])
    courses.clock.work = work
    while courses.service.changes.counts().due:
        courses.work()
    assert len(courses.synced) == requested < 40
    assert run(go_on.strip()).exit_code == 0
    assert len(courses.synced) == len(set(courses.synced)) == 40
