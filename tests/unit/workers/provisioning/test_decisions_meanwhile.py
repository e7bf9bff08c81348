"""A person decides about a held run while the worker, or another person, is about to save what was read before."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.run import Run, RunState
from tests.unit.workers.provisioning.provisioning_kit import Campus, users
from workers.provisioning.service import InvalidOperation

SHRUNK = Hold("shrunk", "10 of 20 users would end.", "Look.")
Decision = Callable[[Campus, str], Run]


def approve(campus: Campus, run_id: str) -> Run:
    return campus.desk.approve(run_id, "registrar")


def discard(campus: Campus, run_id: str) -> Run:
    return campus.desk.discard(run_id, "registrar")


class Interrupted:
    """A store before whose calls something else happens."""

    def __init__(self, target: object, before: Callable[[str], None]) -> None:
        self._target = target
        self._before = before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._before(name)
            return found(*args, **kwargs)

        return call


@pytest.fixture
def campus() -> Campus:
    """Return a Canvas that holds twenty users, half of whom a doubtful plan would end."""
    campus = Campus()
    campus.has(users(*range(20)))
    campus.plan(users(*range(10)), holds=[SHRUNK])
    return campus


@pytest.mark.parametrize("decision", [approve, discard])
def test_a_decision_while_the_worker_saves_the_held_run_stays(campus: Campus, decision: Decision) -> None:
    """Whichever call to the store the worker makes next: the decision is not overwritten, and requests are counted."""
    store, decided = campus.runs, list[Run]()

    def before(call: str) -> None:
        held = next(iter(store.held_runs()), None)
        if held is not None and not decided and call == "save":
            decided.append(decision(campus, held.id))

    campus.runs = cast("Any", Interrupted(store, before))
    worker = campus.process(drain_requests=lambda: {"canvas": 1})
    campus.runs = store
    run = campus.desk.request("tester")
    worker.tick()
    assert decided, "the worker saves a held run"
    found = campus.over(run) if decision is approve else store.find(run.id)
    assert found is not None
    assert (found.state, found.approved_by) == (
        (RunState.DONE, "registrar") if decision is approve else (RunState.DISCARDED, "")
    )
    assert found.requests["canvas"] > 0


def test_a_decision_about_an_older_plan_is_refused(campus: Campus) -> None:
    """Somebody approved, and the plan made anew is held again, before the other one's decision arrives."""
    held = campus.ask()
    store, done = campus.runs, list[str]()

    def before(call: str) -> None:
        if call == "decide" and not done:
            done.append(call)
            campus.runs = store
            approve(Campus.sharing(campus), held.id)
            campus.plan(users(*range(5)), holds=[SHRUNK])
            assert campus.over(held).state is RunState.HELD

    with_interruption = Campus.sharing(campus, cast("Any", Interrupted(store, before)))
    with pytest.raises(InvalidOperation, match="look at it again"):
        discard(with_interruption, held.id)
    now = next(iter(store.held_runs()), None)
    assert now is not None
    assert (now.approved_by, now.replanned) == ("registrar", True)
