"""One school's doubt holds one school: the others are applied, and approving applies that school's rows alone."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.live_rows import LiveHistory
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.errors import RunChanged
from tests.unit.workers.provisioning.provisioning_kit import Campus
from workers.provisioning.changed_rows import changed_rows
from workers.provisioning.service import InvalidOperation

NORTH, SOUTH, NOBODYS = 100, 200, 0


def people(north: int, south: int, shared: int = 1) -> DataSet:
    """Return so many users of each school, and teachers of both."""
    rows = [
        *((NORTH, f"1{n:03}") for n in range(north)),
        *((SOUTH, f"2{n:03}") for n in range(south)),
        *((NOBODYS, f"T{n}") for n in range(shared)),
    ]
    values = (((i, i, "Student", f"No. {i}", "", "student", "active"), school) for school, i in rows)
    return DataSet(DataSetKey(Entity.USERS), tuple(SisRow(v, school, v[0]) for v, school in sorted(values)))


def doubt(*schools: int | None) -> Sequence[Hold]:
    """Return a reason to hold each of these schools (None: the whole district)."""
    return [Hold("shrunk", f"Of school {n} much would end.", "Look.", Entity.USERS, n) for n in schools]


@pytest.fixture
def campus() -> Campus:
    """Return a Canvas that holds ten users of each of two schools; of one many would end, and the other grows."""
    campus = Campus()
    campus.has(people(10, 10))
    campus.plan(people(4, 11), holds=doubt(NORTH))
    return campus


def users_in(campus: Campus) -> set[str]:
    """Return the SIS ids of the users whom Canvas was given."""
    return {key[0] for (_, key), values in campus.imports.records.items() if values[-1] == "active"}


def held(campus: Campus) -> dict[int | None, Run]:
    """Return the held runs by school."""
    return {run.school_number: run for run in campus.runs.held_runs()}


def test_the_other_school_is_applied(campus: Campus) -> None:
    """The doubtful school's rows stay as they were; the run says which school it left."""
    run = campus.ask()
    assert (run.state, run.held_schools) == (RunState.DONE, (NORTH,))
    assert users_in(campus) == {row.values[0] for row in people(10, 11).rows}


def test_the_held_run_shows_that_schools_rows_alone(campus: Campus) -> None:
    """Each row that would end, and none of the other school."""
    campus.ask()
    run = held(campus)[NORTH]
    [changed] = changed_rows(campus.runs, run)
    assert (run.school_number, [hold.school_number for hold in run.reasons]) == (NORTH, [NORTH])
    assert sorted(row.before.values[0] for row in changed.rows if row.before) == [f"1{n:03}" for n in range(4, 10)]
    assert (changed.change.removed, changed.change.added) == (6, 0)


def test_approving_applies_that_school_alone(campus: Campus) -> None:
    """Also where the other school has changed since: that is for the next run, and no reason to plan anew."""
    campus.ask()
    campus.plan(people(4, 12), holds=doubt(NORTH))
    campus.desk.approve(held(campus)[NORTH].id, "registrar")
    run = campus.over(campus.runs.open_runs()[0])
    assert (run.state, run.approved_by, run.replanned) == (RunState.DONE, "registrar", False)
    assert users_in(campus) == {row.values[0] for row in people(4, 11).rows}
    assert campus.runs.held_runs() == []


def test_a_school_that_changed_since_is_held_again(campus: Campus) -> None:
    """What was approved is not what would be applied now."""
    campus.ask()
    campus.plan(people(2, 11), holds=doubt(NORTH))
    campus.desk.approve(held(campus)[NORTH].id, "registrar")
    run = campus.over(campus.runs.open_runs()[0])
    assert (run.state, run.replanned, run.school_number) == (RunState.HELD, True, NORTH)
    assert len(users_in(campus)) == 22


def test_a_discarded_school_is_held_anew(campus: Campus) -> None:
    """Nothing of it is applied; the next run looks again."""
    campus.ask()
    first = held(campus)[NORTH]
    campus.desk.discard(first.id, "registrar")
    assert held(campus) == {}
    campus.ask()
    assert held(campus)[NORTH].id != first.id


def test_the_same_doubt_keeps_its_run(campus: Campus) -> None:
    """A run that comes to the plan that waits leaves it alone; a newer one takes its place."""
    campus.ask()
    first = held(campus)[NORTH]
    campus.ask()
    assert held(campus)[NORTH].id == first.id
    campus.plan(people(3, 11), holds=doubt(NORTH))
    campus.ask()
    second = held(campus)[NORTH]
    closed = campus.runs.find(first.id)
    assert closed is not None
    assert (closed.state, closed.superseded_by) == (RunState.SUPERSEDED, second.id)


def test_a_doubt_that_is_gone_closes_the_held_run(campus: Campus) -> None:
    """PowerSchool was mended: the next run applies the school's rows and closes what waited."""
    campus.ask()
    first = held(campus)[NORTH]
    campus.plan(people(10, 12))
    run = campus.ask()
    closed = campus.runs.find(first.id)
    assert closed is not None
    assert (closed.state, closed.superseded_by, campus.runs.held_runs()) == (RunState.SUPERSEDED, run.id, [])
    assert campus.agrees()


def test_each_doubtful_school_has_a_plan_of_its_own() -> None:
    """Approving the one leaves the other held. Rows of no school in particular are one of them."""
    campus = Campus()
    campus.has(people(10, 10, shared=5), *eastern(1))
    campus.plan(people(5, 5, shared=1), *eastern(2), holds=doubt(NORTH, NOBODYS))
    assert campus.ask().held_schools == (NOBODYS, NORTH)
    assert users_in(campus) >= {"T0", "T4", "1009", "2000"}
    assert "2009" not in users_in(campus)
    campus.desk.approve(held(campus)[NOBODYS].id, "registrar")
    campus.over(campus.runs.open_runs()[0])
    assert ("T4" in users_in(campus), "1009" in users_in(campus), set(held(campus))) == (False, True, {NORTH})


def eastern(*numbers: int) -> list[DataSet]:
    """Return sections of a third school."""
    rows = tuple(SisRow((f"3{n}", f"3{n}", "Section", "active"), 300) for n in numbers)
    return [DataSet(DataSetKey(Entity.SECTIONS, "300-1"), rows)]


@pytest.mark.parametrize("schools", [(None,), (NORTH, None), (NORTH, SOUTH)])
def test_a_doubt_about_all_holds_all(campus: Campus, schools: Sequence[int | None]) -> None:
    """What concerns the whole district, or every school of it, is one decision."""
    campus.plan(people(4, 11), holds=doubt(*schools))
    run = campus.ask()
    assert (run.state, run.school_number, run.held_schools) == (RunState.HELD, None, ())
    assert campus.imports.started == []
    campus.desk.approve(run.id, "registrar")
    assert campus.over(run).state is RunState.DONE
    assert campus.agrees()


def test_a_plan_of_the_whole_district_takes_the_place_of_the_schools(campus: Campus) -> None:
    """It shows their rows too; and a run that applies all but one school closes it again."""
    campus.ask()
    campus.plan(people(4, 4), holds=doubt(NORTH, SOUTH))
    whole = campus.ask()
    assert {run.id for run in campus.runs.held_runs()} == {whole.id}
    campus.plan(people(4, 11), holds=doubt(NORTH))
    campus.ask()
    assert set(held(campus)) == {NORTH}


def test_a_dry_run_holds_no_school(campus: Campus) -> None:
    """It shows the doubts, keeps nothing held and sends nothing."""
    run = campus.over(campus.desk.request("operator", dry_run=True))
    assert (run.state, campus.runs.held_runs(), campus.imports.started) == (RunState.SHOWN, [], [])


def test_a_person_who_teaches_at_two_schools_is_not_ended_by_one(campus: Campus) -> None:
    """A school that is missing takes its rows with it, not those of a teacher who is still at the other one."""
    campus.plan(people(0, 10, shared=1), holds=doubt(NORTH))
    campus.ask()
    assert {"T0", "1009"} <= users_in(campus)


def test_a_school_that_failed_leaves_the_districts_letter(campus: Campus) -> None:
    """A school's approved plan that is done is no answer to a run of the district that failed."""
    campus.ask()
    campus.letters.add_provisioning("0", "import_failed", "", 3)
    campus.desk.approve(held(campus)[NORTH].id, "registrar")
    campus.over(campus.runs.open_runs()[0])
    assert [letter.cause for letter in campus.letters.all()] == ["import_failed"]


def test_an_approval_between_two_saves_of_a_step_counts(campus: Campus) -> None:
    """The worker keeps what the step cost after it held the run: what a person decided meanwhile stays decided."""
    campus.plan(people(4, 11), holds=doubt(None))
    run = campus.desk.request("tester")
    process = campus.process(drain_requests=lambda: approve(campus, run.id))
    process.tick()
    found = campus.runs.find(run.id)
    assert found is not None
    assert (found.approved_by, found.requests["powerschool"] > 1) == ("registrar", True)
    assert campus.over(run).state is RunState.DONE
    assert campus.agrees()


def test_a_discard_between_two_saves_of_a_step_counts(campus: Campus) -> None:
    """Likewise: it is not held again."""
    campus.plan(people(4, 11), holds=doubt(None))
    run = campus.desk.request("tester")
    campus.process(drain_requests=lambda: discard(campus, run.id)).tick()
    found = campus.runs.find(run.id)
    assert found is not None
    assert (found.state, next(iter(campus.runs.held_runs()), None)) == (RunState.DISCARDED, None)


def test_a_newer_run_does_not_close_what_was_just_approved(campus: Campus) -> None:
    """The person decided after the newer run had seen the plan held: the approval is carried out."""
    campus.plan(people(4, 11), holds=doubt(None))
    first = campus.ask()
    seen = campus.runs.held_runs()
    campus.runs.held_runs = lambda: seen  # type: ignore[method-assign]  # as it was a moment ago
    campus.desk.approve(first.id, "registrar")
    lease = campus.runs.lease()
    assert lease is not None
    with pytest.raises(RunChanged):
        campus.runs.save(lease, first)
    campus.runs.release(lease)
    found = campus.runs.find(first.id)
    assert found is not None
    assert (found.state, found.approved_by) == (RunState.READING, "registrar")


def approve(campus: Campus, run_id: str) -> dict[str, int]:
    """Approve a run as soon as it is held."""
    decide(campus, run_id, campus.desk.approve)
    return {"powerschool": 1}


def discard(campus: Campus, run_id: str) -> dict[str, int]:
    """Discard a run as soon as it is held."""
    decide(campus, run_id, campus.desk.discard)
    return {"powerschool": 1}


def decide(campus: Campus, run_id: str, act: object) -> None:
    """Act on the run if it is held now."""
    assert callable(act)
    found = campus.runs.find(run_id)
    if found is not None and found.state is RunState.HELD:
        act(run_id, "registrar")


def losing(limit: int) -> object:
    """Return a safety rule: a school must not lose more than so many users within a day."""

    def safety(applied: Sequence[DataSet], planned: Sequence[DataSet], history: LiveHistory | None) -> Sequence[Hold]:
        now = sum(1 for s in planned for row in s.rows if row.school_number == NORTH)
        then = [c.rows.get(DataSetKey(Entity.USERS), {}).get(NORTH, 0) for c in (history.counts if history else ())]
        return doubt(NORTH) if then and max(then) - now > limit else ()

    return safety


def test_what_was_live_is_remembered_and_an_approval_starts_anew(campus: Campus) -> None:
    """Each run that is done leaves its counts; after an approval the school is measured from there on."""
    campus.planner.safety = losing(5)  # type: ignore[assignment]
    for north in (9, 7, 5):
        campus.plan(people(north, 10))
        assert campus.ask().held_schools == ()
        campus.clock.advance(hours(4))
    campus.plan(people(3, 10))
    assert campus.ask().held_schools == (NORTH,)
    campus.desk.approve(held(campus)[NORTH].id, "registrar")
    campus.over(campus.runs.open_runs()[0])
    campus.plan(people(2, 10))
    assert campus.ask().held_schools == ()


def hours(count: int) -> timedelta:
    """Return so many hours."""
    return timedelta(hours=count)


def test_a_run_that_is_not_held_cannot_be_approved(campus: Campus) -> None:
    """Nor one of a school that was decided about."""
    campus.ask()
    run = held(campus)[NORTH]
    campus.desk.discard(run.id, "registrar")
    with pytest.raises(InvalidOperation):
        campus.desk.approve(run.id, "registrar")


def test_the_first_run_is_no_schools_doubt() -> None:
    """Nothing was applied yet: that is for a person to see as a whole."""
    campus = Campus()
    campus.plan(people(3, 3), holds=doubt(NORTH))
    run = campus.over(campus.runs.open(RunKind.ROSTER, RunCause.SCHEDULE, campus.clock.now()))
    assert (run.state, run.school_number) == (RunState.HELD, None)
