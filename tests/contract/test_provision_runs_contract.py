"""The contract of `ProvisionRuns`: runs are kept under a lease, rows under their digests."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.cache import stored_student_ids
from shared.adapters.redis.client import Lease
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.provisioning.runs import ProvisionRuns, ScheduleState
from shared.domain.provisioning.imports.row_errors import ImportMessage, RowError
from shared.domain.provisioning.imports.sis_imports import DataSetState
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState, digest_of
from shared.errors import LeaseLost, RunChanged

NOW = datetime(2031, 3, 4, 9, 0, tzinfo=UTC)
MONTH = timedelta(days=30)
KEY = DataSetKey(Entity.USERS)
USERS = DataSet(KEY, (SisRow(("7", "7", "Student", "No. 7", "", "student", "active"), 100, "STUDENTS.DCID 7"),))


@pytest.fixture
def runs(client: redis.Redis, keys: Keys) -> ProvisionRuns:
    return ProvisionRuns(client, keys, MONTH, timedelta(seconds=10))


def a_run(runs: ProvisionRuns, kind: RunKind = RunKind.ROSTER) -> Run:
    return runs.open(kind, RunCause.PERSON, NOW, "operator")


def leased(runs: ProvisionRuns) -> Lease:
    lease = runs.lease()
    assert lease is not None
    return lease


def test_one_worker_at_a_time(runs: ProvisionRuns) -> None:
    """Whoever comes second gets no lease before the first one lets go; tokens grow."""
    first = leased(runs)
    assert runs.lease() is None
    runs.release(first)
    assert leased(runs).token > first.token


def test_who_lost_the_lease_keeps_nothing(runs: ProvisionRuns, client: redis.Redis, keys: Keys) -> None:
    """Once somebody else may have the lease, a run, a data set and notes stay as they were."""
    run, lost = a_run(runs), leased(runs)
    client.delete(keys.run_lease)
    leased(runs)
    for keep in (
        lambda: runs.save(lost, replace(run, state=RunState.DONE), [DataSetState(KEY, "d", NOW)]),
        lambda: runs.save_schedule_state(lost, ScheduleState(slot=NOW)),
        lambda: runs.renew(lost),
    ):
        with pytest.raises(LeaseLost):
            keep()
    runs.release(lost)
    assert (runs.open_runs(), runs.data_set_states(), runs.schedule_state(), runs.lease()) == (
        [run],
        [],
        ScheduleState(),
        None,
    )


def test_a_run_that_has_not_begun_is_opened_once(runs: ProvisionRuns) -> None:
    """Who asks for a run that waits already gets that one; once it has begun, or of another kind, a new one."""
    first = a_run(runs)
    assert a_run(runs) == first
    assert a_run(runs, RunKind.DRY_RUN).id != first.id
    runs.save(leased(runs), replace(first, started_at=NOW))
    assert a_run(runs).id not in (first.id, "")
    assert len(runs.open_runs()) == 3


def test_rollbacks_come_first(runs: ProvisionRuns) -> None:
    """Open runs come in their order, rollbacks before all others; what is over is not open."""
    roster, rollback = a_run(runs), a_run(runs, RunKind.ROLLBACK)
    assert runs.open_runs() == [rollback, roster]
    done = runs.save(leased(runs), replace(rollback, state=RunState.DONE))
    assert runs.open_runs() == [roster]
    assert [run.id for run in runs.newest(5)] == [rollback.id, roster.id]
    assert runs.newest(1) == [done]


def test_one_run_is_held_at_the_most(runs: ProvisionRuns) -> None:
    """A held run is open no more; the next one that is held takes its place."""
    lease = leased(runs)
    first = runs.save(lease, replace(a_run(runs), started_at=NOW, state=RunState.HELD))
    assert (next(iter(runs.held_runs()), None), runs.open_runs()) == (first, [])
    second = runs.save(lease, replace(a_run(runs), started_at=NOW, state=RunState.HELD))
    runs.save(lease, replace(first, state=RunState.SUPERSEDED))
    assert next(iter(runs.held_runs()), None) == second


def test_a_hold_ends_once(runs: ProvisionRuns) -> None:
    """Of two people who decide about a held run, the second learns that it is not held any more."""
    held = runs.save(leased(runs), replace(a_run(runs), started_at=NOW, state=RunState.HELD))
    approved = runs.decide(replace(held, state=RunState.READING, approved_by="operator"))
    for run in (held, approved):
        with pytest.raises(RunChanged):
            runs.decide(replace(run, state=RunState.DISCARDED))
    assert (next(iter(runs.held_runs()), None), runs.open_runs()) == (None, [approved])


def test_what_was_read_before_a_decision_is_not_saved(runs: ProvisionRuns) -> None:
    """The worker reads the run again; an approval and a discard stay."""
    lease = leased(runs)
    for state in (RunState.READING, RunState.DISCARDED):
        held = runs.save(lease, replace(a_run(runs), started_at=NOW, state=RunState.HELD))
        decided = runs.decide(replace(held, state=state, approved_by="operator"))
        for stale in (held, replace(held, requests={"canvas": 1}), replace(held, state=RunState.DONE)):
            with pytest.raises(RunChanged):
                runs.save(lease, stale)
        assert runs.find(held.id) == decided


def test_a_save_may_be_repeated(runs: ProvisionRuns) -> None:
    """A call whose answer was lost is sent again: it says what the first one said."""
    lease, run = leased(runs), a_run(runs)
    begun = replace(run, started_at=NOW)
    assert runs.save(lease, begun) == runs.save(lease, begun) == runs.find(run.id)


def test_a_run_of_an_older_version_is_saved(runs: ProvisionRuns, client: redis.Redis, keys: Keys) -> None:
    """It has no revision yet, and gets one."""
    lease, run = leased(runs), a_run(runs)
    kept = json.loads(client.get(keys.run(run.id)) or b"")
    del kept["revision"]
    client.set(keys.run(run.id), json.dumps(kept))
    saved = runs.save(lease, replace(runs.find(run.id) or run, started_at=NOW))
    assert (saved.revision, runs.find(run.id)) == (1, saved)


def test_a_discarded_run_is_over(runs: ProvisionRuns) -> None:
    """What a person closes is neither held nor open."""
    held = runs.save(leased(runs), replace(a_run(runs), started_at=NOW, state=RunState.HELD))
    runs.decide(replace(held, state=RunState.DISCARDED))
    assert (next(iter(runs.held_runs()), None), runs.open_runs()) == (None, [])


def test_a_run_and_its_data_set_are_kept_together(runs: ProvisionRuns) -> None:
    """What was applied of a data set is kept with the run that did it, and replaced by the next."""
    run, lease = a_run(runs), leased(runs)
    run = runs.save(lease, run, [DataSetState(KEY, "one", NOW)])
    runs.save(lease, run, [DataSetState(KEY, "two", NOW, attempted="three")])
    assert runs.data_set_states() == [DataSetState(KEY, "two", NOW, attempted="three")]


def test_rows_are_kept_under_their_digest(runs: ProvisionRuns) -> None:
    """Rows come back as they were; where they came from does not change their digest, their content does."""
    runs.save_rows("d", USERS)
    assert (runs.rows("d"), runs.rows("other")) == (USERS, None)
    elsewhere = DataSet(KEY, (replace(USERS.rows[0], source="", school_number=0),))
    changed = DataSet(KEY, (replace(USERS.rows[0], values=("7", *USERS.rows[0].values[1:6], "suspended")),))
    assert digest_of(USERS) == digest_of(elsewhere) != digest_of(changed)


def test_what_canvas_holds_is_kept_longer(runs: ProvisionRuns, client: redis.Redis, keys: Keys) -> None:
    """Rows live as long as runs do; those that Canvas holds, longer, until others take their place."""
    for digest in ("now", "before"):
        runs.save_rows(digest, USERS)
    runs.retain_rows(["now", "before"], [])
    runs.retain_rows(["now"], ["before"])
    runs.save_rows("now", USERS)
    lives = {digest: timedelta(milliseconds=client.pttl(keys.rows(digest))) for digest in ("now", "before")}
    assert lives["before"] <= MONTH < lives["now"]


def test_messages_about_rows_are_kept_by_import(runs: ProvisionRuns) -> None:
    """What Canvas said is there in the order of the imports, and said twice it is there once."""
    early, late = (ImportMessage(KEY, n, RowError("users.csv", 2, "refused"), "Why.", "What to do.") for n in (9, 10))
    runs.save_messages("1", 10, [late])
    runs.save_messages("1", 9, [early])
    runs.save_messages("1", 9, [early])
    assert runs.messages("1") == [early, late]
    assert runs.messages("2") == []


def test_notes_and_hints(runs: ProvisionRuns, client: redis.Redis, keys: Keys) -> None:
    """What scheduling notes comes back; the newest hint is the one that receivers left."""
    notes = ScheduleState(slot=NOW, checked_at=NOW, data_version="16", hint_ms=5)
    runs.save_schedule_state(leased(runs), notes)
    assert (runs.schedule_state(), runs.last_notification_ms()) == (notes, 0)
    client.set(keys.roster_changed_at, 1_900_000_000_123)
    assert runs.last_notification_ms() == 1_900_000_000_123


def test_kept_sis_ids_are_replaced(runs: ProvisionRuns, client: redis.Redis, keys: Keys) -> None:
    """Those of the last run count, of students by STUDENTS.DCID; who lost the lease keeps none."""
    lease = leased(runs)
    runs.save_sis_ids(lease, {"STUDENTS.DCID 7": "1007", "USERS.DCID 3": "T3"})
    assert stored_student_ids(client, keys) == {7: "1007"}
    runs.save_sis_ids(lease, {})
    assert stored_student_ids(client, keys) == {}
    client.delete(keys.run_lease)
    with pytest.raises(LeaseLost):
        runs.save_sis_ids(lease, {"STUDENTS.DCID 7": "1007"})


def test_logins_of_who_left_are_kept_and_forgotten(runs: ProvisionRuns, client: redis.Redis, keys: Keys) -> None:
    """By their digests, for as long as what was applied is."""
    runs.save_former_logins({"a1": "1007", "b2": "1008"}, ())
    runs.save_former_logins({"c3": "1009"}, ["1007", "1010"])
    assert runs.former_logins() == {"b2": "1008", "c3": "1009"}
    assert client.pttl(keys.former_logins) > timedelta(days=399) / timedelta(milliseconds=1)
