"""A process that is killed anywhere leaves a run that the next one finishes, with no import made twice."""

import pytest

from shared.domain.provisioning.run import RunCause, RunKind, RunState
from tests.unit.workers.provisioning.provisioning_kit import Campus, Fuse, Killed, sections, users

MANY = 10_000


def changed_campus() -> Campus:
    """Return an installation whose next run uploads two data sets: somebody left, and a section came."""
    campus = Campus()
    campus.has(sections(1, 2), users(*range(10, 40)))
    campus.plan(sections(1, 2, 3), users(*range(11, 40)))
    campus.imports.polls = 2
    return campus


def calls_of_a_run() -> int:
    """Return how many calls to the outside a whole run makes."""
    campus, fuse = changed_campus(), Fuse(MANY)
    campus.runs.open(RunKind.ROSTER, RunCause.PERSON, campus.clock.now())
    campus.process(fuse).tick()
    assert campus.agrees()
    return MANY - fuse.calls_left


@pytest.mark.parametrize("call", range(1, calls_of_a_run() + 1))
def test_a_kill_after_any_call_makes_no_double_import(call: int) -> None:
    """Killed right after any call to Redis, Canvas or PowerSchool, a run is finished by another process.

    Each import is made once, and Canvas holds the plan. Right after a call is right before the next one.
    """
    campus = changed_campus()
    run = campus.runs.open(RunKind.ROSTER, RunCause.PERSON, campus.clock.now())
    with pytest.raises(Killed):
        campus.process(Fuse(call, after=True)).tick()
    campus.dies()

    assert campus.over(run).state is RunState.DONE
    assert campus.agrees()
    started = [name for _, name, _ in campus.imports.started]
    assert [name.partition("-")[0] for name in started] == ["passback:district", "passback:classes"]
