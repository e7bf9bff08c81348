"""What is held for a person, and what the person may do: approve, discard, show, roll back, pause."""

import pytest

from shared.domain.actions import EVERYTHING, PROVISIONING
from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.sis_imports import ImportState
from shared.domain.provisioning.rows.sis_rows import DataSet
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.errors import ServiceUnavailable
from tests.unit.workers.provisioning.provisioning_kit import Campus, sections, users
from workers.provisioning.changed_rows import changed_rows
from workers.provisioning.runner import MAX_TICK_DURATION
from workers.provisioning.service import InvalidOperation

ALL, HALF, NONE = users(*range(20)), users(*range(10)), users()
SHRUNK = Hold("shrunk", "10 of 20 users would end.", "Look.")


@pytest.fixture
def campus() -> Campus:
    """Return a Canvas that holds twenty users, half of whom a doubtful plan would end."""
    campus = Campus()
    campus.has(ALL)
    campus.plan(HALF, holds=[SHRUNK])
    return campus


def doubtful(campus: Campus, *data_sets: DataSet) -> Run:
    campus.plan(*data_sets, holds=[SHRUNK])
    return campus.ask()


def test_a_doubtful_plan_is_held_with_its_rows(campus: Campus) -> None:
    """Nothing is sent; the reasons and the exact rows are there to see."""
    run = campus.ask()
    assert (run.state, run.reasons, campus.imports.started) == (RunState.HELD, (SHRUNK,), [])
    assert next(iter(campus.runs.held_runs()), None) == run
    [changed] = changed_rows(campus.runs, run)
    assert [(row.before.values[0] if row.before else None, row.after) for row in changed.rows] == [
        (str(n), None) for n in range(10, 20)
    ]


def test_an_approved_plan_is_applied_exactly(campus: Campus) -> None:
    """Once a person approved it and the rosters are the same, the plan is applied, doubts or not."""
    held = campus.ask()
    campus.desk.approve(held.id, "registrar")
    run = campus.over(held)
    assert (run.state, run.approved_by, run.replanned) == (RunState.DONE, "registrar", False)
    assert (campus.agrees(), next(iter(campus.runs.held_runs()), None)) == (True, None)


def test_rosters_that_changed_since_are_planned_anew(campus: Campus) -> None:
    """What was approved is not what is there now: a new doubtful plan is held again, and says so."""
    held = campus.ask()
    campus.plan(users(*range(5)), holds=[SHRUNK])
    campus.desk.approve(held.id, "registrar")
    run = campus.over(held)
    assert (run.id, run.state, run.replanned, campus.imports.started) == (held.id, RunState.HELD, True, [])
    campus.desk.approve(held.id, "registrar")
    assert campus.over(held).state is RunState.DONE
    assert campus.agrees()


def test_a_harmless_new_plan_goes_on(campus: Campus) -> None:
    """Where the doubt is gone by the time of the approval, what is there now is applied."""
    held = campus.ask()
    campus.plan(users(*range(21)))
    campus.desk.approve(held.id, "registrar")
    assert (campus.over(held).replanned, campus.agrees()) == (True, True)


def test_the_same_doubtful_plan_is_held_once(campus: Campus) -> None:
    """A later run that comes to the held plan leaves it held, and is over."""
    held, again = campus.ask(), campus.ask()
    assert (again.state, again.superseded_by, next(iter(campus.runs.held_runs()), None)) == (
        RunState.STILL_HELD,
        held.id,
        held,
    )


def test_a_newer_doubtful_plan_takes_the_place_of_the_held_one(campus: Campus) -> None:
    """One plan is held at a time: the newest."""
    first, second = campus.ask(), doubtful(campus, users(1))
    closed = campus.runs.find(first.id)
    assert closed is not None
    assert (closed.state, closed.superseded_by) == (RunState.SUPERSEDED, second.id)
    assert next(iter(campus.runs.held_runs()), None) == second


def test_a_run_that_succeeds_closes_the_held_one(campus: Campus) -> None:
    """Once the rosters are whole again, there is nothing left to approve."""
    held = campus.ask()
    campus.plan(ALL)
    campus.ask()
    closed = campus.runs.find(held.id)
    assert closed is not None
    assert (closed.state, next(iter(campus.runs.held_runs()), None)) == (RunState.SUPERSEDED, None)
    with pytest.raises(InvalidOperation, match="is not held: it is superseded"):
        campus.desk.approve(held.id, "registrar")


def test_a_discarded_plan_is_over(campus: Campus) -> None:
    """A person closes it; the next run looks anew, and holds what it finds doubtful."""
    held = campus.ask()
    campus.desk.discard(held.id, "registrar")
    assert next(iter(campus.runs.held_runs()), None) is None
    with pytest.raises(InvalidOperation):
        campus.desk.discard(held.id, "registrar")
    assert campus.ask().state is RunState.HELD


def test_a_dry_run_shows_and_sends_nothing(campus: Campus) -> None:
    """It is there to look at, with reasons and rows, and neither held nor applied; also while all is paused."""
    campus.pauses.pause(PROVISIONING, "operator")
    run = campus.over(campus.desk.request("operator", dry_run=True))
    assert (run.state, run.reasons, campus.imports.started) == (RunState.SHOWN, (SHRUNK,), [])
    assert [len(part.rows) for part in changed_rows(campus.runs, run)] == [10]
    assert (next(iter(campus.runs.held_runs()), None), campus.ask_paused()) == (None, RunState.READING)


def test_the_first_run_is_held_unless_a_person_asks_for_it() -> None:
    """With nothing to compare with, only a person can know that SIS ids and logins fit."""
    campus = Campus()
    campus.plan(ALL)
    by_itself = campus.over(campus.runs.open(RunKind.ROSTER, RunCause.SCHEDULE, campus.clock.now()))
    assert (by_itself.state, [hold.code for hold in by_itself.reasons]) == (RunState.HELD, ["first_run"])
    assert campus.ask().state is RunState.DONE
    assert campus.agrees()


def test_forgotten_rows_are_a_reason_to_hold(campus: Campus) -> None:
    """Where it is not known any more what Canvas holds, it cannot be told what a plan would end."""
    for key in campus.redis.keys("*:rows:*"):
        campus.redis.delete(key)
    campus.plan(HALF)
    run = campus.ask()
    assert (run.state, [hold.code for hold in run.reasons]) == (RunState.HELD, ["rows_forgotten"])
    campus.desk.approve(run.id, "registrar")
    assert campus.over(run).state is RunState.DONE


def test_a_rollback_restores_what_was_applied_before(campus: Campus) -> None:
    """The rows of before are imported again, and provisioning is paused so that they stay."""
    campus.plan(HALF, sections(7))
    undone = campus.ask()
    run = campus.over(campus.desk.rollback(None, "registrar"))
    assert (run.state, run.rollback_of) == (RunState.DONE, undone.id)
    campus.plan(ALL, sections(7))
    assert campus.agrees(), "the section that came with the run stays"
    assert [pause.target for pause in campus.pauses.all()] == [PROVISIONING]


def test_a_rollback_closes_what_is_under_way(campus: Campus) -> None:
    """A run in the middle of its imports would undo it: it is over, and what it may have sent is ended."""
    campus.plan(users(*range(30)))
    campus.imports.polls = 9
    under_way = campus.desk.request("tester")
    process = campus.process(stops=lambda: bool(campus.imports.started))
    process.tick()
    run = campus.over(campus.desk.rollback(under_way.id, "registrar"))
    closed = campus.runs.find(under_way.id)
    assert closed is not None
    assert (run.state, closed.state, campus.runs.open_runs()) == (RunState.DONE, RunState.SUPERSEDED, [])
    statuses = {key[0]: values[-1] for (_, key), values in campus.imports.records.items()}
    assert statuses == {str(n): "active" if n < 20 else "suspended" for n in range(30)}


def test_what_cannot_be_undone_is_said(campus: Campus) -> None:
    """A run that wrote nothing, and one that is unknown, cannot be rolled back, and nothing is paused."""
    held = campus.ask()
    for run_id in (None, held.id, "99"):
        with pytest.raises(InvalidOperation):
            campus.desk.rollback(run_id, "registrar")
    assert campus.pauses.all() == []


def test_before_the_first_run_there_was_nothing(campus: Campus) -> None:
    """The first run of all cannot be rolled back: that would end every course of the district."""
    campus = Campus()
    campus.plan(ALL)
    campus.ask()
    run = campus.over(campus.desk.rollback(None, "registrar"))
    assert (run.state, run.failure) == (RunState.FAILED, "nothing_applied_before")
    assert campus.agrees()


@pytest.mark.parametrize("target", [PROVISIONING, EVERYTHING])
def test_what_is_paused_waits(campus: Campus, target: str) -> None:
    """A run that is asked for while provisioning is paused begins once it is resumed."""
    campus.plan(HALF)
    campus.pauses.pause(target, "operator")
    assert campus.ask_paused() is RunState.READING
    assert campus.feed.reads == 0
    campus.pauses.resume(target)
    assert campus.ask().state is RunState.DONE


def test_a_process_that_stops_leaves_the_rest_to_the_next(campus: Campus) -> None:
    """Told to stop, a tick ends with its step, and lets the lease go."""
    campus.plan(HALF)
    run = campus.desk.request("tester")
    assert campus.process(stops=lambda: True).tick() is False
    begun = campus.runs.find(run.id)
    assert begun is not None
    assert (begun.state, begun.started_at is not None) == (RunState.READING, True)
    assert campus.over(run).state is RunState.DONE


def test_a_long_import_takes_several_ticks(campus: Campus) -> None:
    """A tick ends after a minute, and asks for the next one, so that a run goes on without waiting for beat."""
    campus.plan(HALF)
    campus.imports.polls = 12
    run, began = campus.desk.request("tester"), campus.clock.now()
    assert campus.process().tick() is True
    assert campus.clock.now() - began <= MAX_TICK_DURATION
    while campus.process().tick():
        pass
    over = campus.runs.find(run.id)
    assert over is not None
    assert over.state is RunState.DONE


def test_a_long_wait_is_left_to_beat(campus: Campus) -> None:
    """While a system is away for longer than a tick lasts, ticks end at once and ask for nothing."""
    campus.plan(HALF)
    away = ServiceUnavailable("GET sis_imports: 503", cause="canvas_unavailable", delay=10 * MAX_TICK_DURATION)
    campus.imports.faults.on("unfinished", away)
    campus.desk.request("tester")
    assert [campus.process().tick() for _ in range(2)] == [False, False]


def test_a_second_worker_does_nothing(campus: Campus) -> None:
    """While one has the lease, another one's tick ends at once."""
    campus.desk.request("tester")
    lease = campus.runs.lease()
    assert lease is not None
    campus.process().tick()
    assert campus.feed.reads == 0


def test_the_aftermath_follows_once_the_imports_are_over(campus: Campus) -> None:
    """Courses are looked at when Canvas holds the plan, and not for a plan that is held."""
    campus.ask()
    assert campus.resynced == []
    campus.plan(HALF)
    run = campus.ask()
    assert campus.resynced == [run.id]
    assert campus.imports.imports[-1].state is ImportState.IMPORTED
