"""Imports that hang, plans that waited long, sub-accounts that are missing, and what an older version left."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState, WaitedFor
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState, digest_of
from tests.unit.workers.provisioning.provisioning_kit import NOON, Campus, sections, users
from workers.provisioning.importer import MAX_IMPORT_DURATION

OPTIONS = ImportOptions("completed", "suspended", 10)
HOUR = timedelta(hours=1)
PERSON = RunCause.PERSON
FIRST = Hold("shrunk", "Much would end.", "Look.")
FEW, MORE = users(1, 2, 3), users(1, 2, 3, 4)


@pytest.fixture
def campus() -> Campus:
    """Return a Canvas that holds a few users, and a plan with one more."""
    campus = Campus()
    campus.has(FEW)
    campus.plan(MORE)
    return campus


def found(campus: Campus, run: Run) -> Run:
    """Return the run as it is kept now."""
    kept = campus.runs.find(run.id)
    assert kept is not None
    return kept


def ticked(campus: Campus, run: Run, length: timedelta, step: timedelta = timedelta(minutes=10)) -> Run:
    """Tick for so long, or until the run is over."""
    until = campus.clock.now() + length
    while campus.clock.now() < until and found(campus, run).state.is_open:
        campus.process().tick()
        campus.clock.advance(step)
    return found(campus, run)


def test_an_import_of_another_vendor_is_named(campus: Campus) -> None:
    """With its id, whose it is, its state and since when, from the first moment on; ids alone."""
    theirs = campus.imports.foreign(ImportState.IMPORTING)
    run = campus.desk.request("tester")
    campus.process().tick()
    waited = found(campus, run).waits_on
    assert waited == WaitedFor(theirs.id, "4711", "importing", theirs.created_at)
    assert waited.sentence(NOON + 3 * HOUR) == "SIS import 1 of Canvas user 4711 is importing, 3 h 0 min old"


def test_an_import_of_another_vendor_that_hangs_is_a_dead_letter(campus: Campus) -> None:
    """After the longest time for an import, not before; nothing of ours was sent, and the next run waits again."""
    campus.imports.foreign()
    run = campus.desk.request("tester")
    assert ticked(campus, run, MAX_IMPORT_DURATION - HOUR).state is RunState.APPLYING
    assert ticked(campus, run, 3 * HOUR).state is RunState.FAILED
    [letter] = campus.letters.all()
    assert letter.cause == "import_in_the_way"
    assert letter.answer.startswith("SIS import 1 of Canvas user 4711 is created, 6 h")
    assert len(campus.imports.started) == 1
    campus.imports.end(1, ImportState.ABORTED)
    assert campus.ask().state is RunState.DONE
    assert (campus.letters.all(), campus.agrees()) == ([], True)


def test_imports_of_others_without_end_are_bounded_too(campus: Campus) -> None:
    """None of them hangs, but one follows the other, and ours never has its turn."""
    last = campus.imports.foreign()
    run = campus.desk.request("tester")
    for _ in range(20):
        ticked(campus, run, HOUR)
        campus.imports.end(last.id, ImportState.IMPORTED)
        last = campus.imports.foreign()
    assert (found(campus, run).state, campus.letters.all()[0].cause) == (RunState.FAILED, "import_in_the_way")


def test_our_own_import_that_hangs_is_a_dead_letter(campus: Campus) -> None:
    """It is named as ours. Once a person has ended it, its data is sent whole: nobody knows what Canvas took."""
    campus.imports.polls = 10_000
    run = campus.desk.request("tester")
    campus.process().tick()
    waited = found(campus, run).waits_on
    assert waited is not None
    assert (waited.owner, waited.import_id) == ("passback", 1)
    assert ticked(campus, run, MAX_IMPORT_DURATION - HOUR).state is RunState.APPLYING
    assert ticked(campus, run, 3 * HOUR).state is RunState.FAILED
    [letter] = campus.letters.all()
    assert (letter.cause, len(campus.imports.started)) == ("import_hangs", 1)
    assert letter.answer.startswith("SIS import 1 of passback is created, 6 h")
    campus.imports.end(1, ImportState.ABORTED)
    campus.imports.polls = 1
    assert campus.ask().state is RunState.DONE
    assert [options.remaster for _, _, options in campus.imports.started] == [False, True]
    assert campus.agrees()


def test_a_hanging_import_of_ours_is_in_the_way_of_the_next_run(campus: Campus) -> None:
    """While nobody has ended it, the next run says so; it starts nothing beside it."""
    campus.imports.polls = 10_000
    ticked(campus, campus.desk.request("tester"), MAX_IMPORT_DURATION + HOUR)
    run = campus.desk.request("tester")
    campus.process().tick()
    waited = found(campus, run).waits_on
    assert waited is not None
    assert (waited.owner, waited.import_id, len(campus.imports.started)) == ("passback", 1, 1)


def test_nothing_is_waited_on_once_the_way_is_free(campus: Campus) -> None:
    """What was in the way is not named any more."""
    campus.imports.foreign()
    run = campus.desk.request("tester")
    campus.process().tick()
    campus.imports.end(1, ImportState.IMPORTED)
    assert campus.over(run).waits_on is None


def test_a_plan_that_waited_long_is_made_anew(campus: Campus) -> None:
    """The rosters changed while another vendor imported: what is sent is what they are now."""
    campus.imports.foreign()
    run = campus.desk.request("tester")
    ticked(campus, run, 2 * HOUR)
    campus.plan(users(1, 2, 3, 5))
    campus.imports.end(1, ImportState.IMPORTED)
    assert campus.over(run).state is RunState.DONE
    assert (campus.feed.reads, len(campus.imports.started), campus.agrees()) == (2, 2, True)


def test_a_plan_that_waited_shortly_is_kept(campus: Campus) -> None:
    """Rosters are not read again for a wait of minutes."""
    campus.imports.foreign()
    run = campus.desk.request("tester")
    ticked(campus, run, timedelta(minutes=30))
    campus.imports.end(1, ImportState.IMPORTED)
    assert campus.over(run).state is RunState.DONE
    assert campus.feed.reads == 1


def test_a_plan_is_made_anew_in_the_middle_of_its_imports() -> None:
    """What was imported before the wait stays in the record of the run, and a rollback undoes all of it."""
    campus = Campus()
    before = (users(1, 2, 3), sections(7))
    campus.has(*before)
    campus.plan(MORE, sections(7, 8))
    run = campus.desk.request("tester")
    while not any(each.state is ImportState.IMPORTED for each in campus.imports.imports):
        campus.process(stops=lambda: True).tick()
    campus.imports.foreign()
    ticked(campus, run, 2 * HOUR)
    campus.plan(MORE, sections(7, 8, 9))
    campus.imports.end(2, ImportState.IMPORTED)
    over = campus.over(run)
    assert (over.state, campus.feed.reads, campus.agrees()) == (RunState.DONE, 2, True)
    assert {change.key.entity: change.added for change in over.changes} == {Entity.USERS: 1, Entity.SECTIONS: 2}
    assert campus.over(campus.desk.rollback(over.id, "registrar")).state is RunState.DONE
    statuses = {key[0]: values[-1] for (_, key), values in campus.imports.records.items()}
    assert set(statuses) == {"1", "2", "3", "7"}


def test_an_approved_plan_that_waited_long_is_held_again_if_it_changed() -> None:
    """A person approved other rows than those that would be sent now."""
    campus = Campus()
    campus.has(users(*range(20)))
    campus.plan(users(*range(10)), holds=[FIRST])
    held = campus.ask()
    campus.imports.foreign()
    campus.desk.approve(held.id, "registrar")
    ticked(campus, held, 2 * HOUR)
    campus.plan(users(*range(5)), holds=[FIRST])
    campus.imports.end(1, ImportState.IMPORTED)
    run = campus.over(held)
    assert (run.state, run.replanned, len(campus.imports.started)) == (RunState.HELD, True, 1)


def courses(account: str, *ids: str) -> DataSet:
    """Return courses of an account."""
    rows = (SisRow((i, i, "Course", account, "100-1", "active"), 100) for i in ids)
    return DataSet(DataSetKey(Entity.COURSES, "100-1"), tuple(rows))


@pytest.fixture
def with_courses(campus: Campus) -> Campus:
    """Return a Canvas with a course of an account that is there, and a second school."""
    campus.imports.accounts = frozenset({"there"})
    second = DataSet(DataSetKey(Entity.SECTIONS, "200-1"), (SisRow(("9", "9", "Section", "active"), 200),))
    campus.has(courses("there", "C1"), second)
    return campus


def test_a_missing_sub_account_is_said_before_the_upload(with_courses: Campus) -> None:
    """Canvas would take no course of it: the school is held, and the account is named."""
    before = with_courses.planner.data_sets[1:]
    with_courses.plan(courses("gone", "C1", "C2"), *before)
    run = with_courses.ask()
    [held] = with_courses.runs.held_runs()
    assert (run.state, run.held_schools, with_courses.imports.started) == (RunState.DONE, (100,), [])
    assert [(hold.code, hold.school_number) for hold in held.reasons] == [("account_missing", 100)]
    assert "account gone, 2 courses" in held.reasons[0].sentence
    with_courses.imports.accounts |= {"gone"}
    assert with_courses.ask().held_schools == ()
    accounts = {key: row[3] for (entity, key), row in with_courses.imports.records.items() if entity is Entity.COURSES}
    assert (accounts, with_courses.runs.held_runs()) == ({("C1",): "gone", ("C2",): "gone"}, [])


def test_accounts_are_asked_for_where_courses_change(with_courses: Campus) -> None:
    """A course that is as it was costs no request; nor do courses of the root account."""
    fails = RuntimeError("asked")
    with_courses.imports.faults.on("missing_accounts", fails)
    with_courses.plan(MORE, *with_courses.planner.data_sets)
    assert with_courses.ask().state is RunState.DONE
    with_courses.plan(courses("", "C1", "C3"), *with_courses.planner.data_sets[2:])
    assert with_courses.ask().state is RunState.DONE


def test_a_run_that_outlived_the_history_wedges_nothing(campus: Campus) -> None:
    """Its record is gone, as of older versions, and it never began: the next one that is asked for is a new one."""
    lost = campus.runs.open(RunKind.ROSTER, PERSON, campus.clock.now())
    campus.redis.delete(campus.keys.run(lost.id))
    run = campus.desk.request("tester")
    assert run.id != lost.id
    assert campus.over(run).state is RunState.DONE
    assert campus.redis.zrange(campus.keys.open_runs, 0, -1) == []


def test_what_waits_has_no_lifetime(campus: Campus) -> None:
    """A run that is open or held is kept until it is over, however long it is paused or waits for a person."""
    campus.plan(MORE, holds=[FIRST])
    held = campus.ask()
    waiting = campus.runs.open(RunKind.DRY_RUN, PERSON, campus.clock.now())
    lives = [campus.redis.pttl(campus.keys.run(run.id)) for run in (held, waiting)]
    campus.desk.approve(held.id, "registrar")
    lives.append(campus.redis.pttl(campus.keys.run(held.id)))
    campus.over(held)
    assert lives == [-1, -1, -1]
    assert campus.redis.pttl(campus.keys.run(held.id)) > 0


def old_mark(campus: Campus, data_set: DataSet) -> None:
    """Let an older version have given Canvas this data set, in an import of its own."""
    digest = digest_of(data_set)
    campus.runs.save_rows(digest, data_set)
    name = f"{data_set.key.entity}:{data_set.key.term_sis_id}"
    mark = {
        "key": {"entity": data_set.key.entity.value, "term_sis_id": data_set.key.term_sis_id},
        "digest": digest,
        "at": NOON.isoformat(),
        "attempted": None,
        "has_errors": False,
        "remastered_on": NOON.date().isoformat(),
    }
    campus.redis.hset(campus.keys.applied, name, json.dumps(mark))
    for row in data_set.rows:
        campus.imports.records[data_set.key.entity, row.key(data_set.key.entity)] = row.values


def test_what_an_older_version_applied_is_read() -> None:
    """Nothing changed: nothing is imported. The first change sends the import whole, since Canvas knows no base of it.

    What is gone since is ended with it, and not forgotten.
    """
    campus = Campus()
    for data_set in (users(*range(30)), sections(7, 8)):
        old_mark(campus, data_set)
    campus.plan(users(*range(30)), sections(7, 8))
    assert campus.ask().uploads == ()
    campus.plan(users(*range(1, 30)), sections(7, 8))
    run = campus.ask()
    [(sent, name, options)] = campus.imports.started
    assert (run.state, name, options.remaster) == (RunState.DONE, "passback:district", True)
    assert sent.rows(Entity.USERS)[0].values[-1] == "suspended"
    campus.plan(users(*range(2, 30)), sections(7, 8))
    campus.ask()
    assert [each.remaster for _, _, each in campus.imports.started] == [True, False]


def test_an_older_versions_run_goes_on() -> None:
    """An import that was under way when passback was replaced is waited for, and what it applied is known."""
    campus = Campus()
    old_mark(campus, FEW)
    campus.plan(MORE)
    run = campus.runs.open(RunKind.ROSTER, PERSON, campus.clock.now())
    campus.runs.save_rows(digest_of(MORE), MORE)
    options = {"drop_status": "completed", "user_remove_status": "suspended", "change_threshold": 10}
    campus.imports.start([(Entity.USERS, MORE.rows)], "passback:users", OPTIONS)
    upload = {
        "key": {"entity": "users", "term_sis_id": ""},
        "data_set_id": "passback:users",
        "digest": digest_of(MORE),
        "holds": digest_of(MORE),
        "rows": 4,
        "options": options | {"remaster": False},
        "state": "importing",
        "import_id": 1,
    }
    kept = json.loads(campus.redis.get(campus.keys.run(run.id)) or b"")
    kept |= {"state": "applying", "started_at": NOON.isoformat(), "uploads": [upload]}
    campus.redis.set(campus.keys.run(run.id), json.dumps(kept))
    over = campus.over(run)
    assert (over.state, [part.rows for part in over.uploads[0].parts]) == (RunState.DONE, [4])
    [mark] = campus.runs.data_set_states()
    assert (mark.digest, mark.attempted, mark.data_set_id) == (digest_of(MORE), None, "passback:users")
    campus.plan(users(1, 2, 3, 4, 5))
    campus.ask()
    _, name, sent = campus.imports.started[-1]
    assert (name, sent.remaster, campus.agrees()) == ("passback:district", True, True)


def test_an_older_versions_unfinished_import_is_sent_whole() -> None:
    """It is not known what Canvas holds of it, whether or not the plan is the same."""
    campus = Campus()
    old_mark(campus, FEW)
    lease = campus.runs.lease()
    assert lease is not None
    run = campus.runs.open(RunKind.ROSTER, PERSON, campus.clock.now())
    mark = campus.runs.data_set_states()[0]
    campus.runs.save_rows("tried", MORE)
    campus.runs.save(lease, replace(run, state=RunState.FAILED), [replace(mark, attempted="tried")])
    campus.runs.release(lease)
    campus.plan(FEW)
    campus.ask()
    [(sent, _, options)] = campus.imports.started
    assert (options.remaster, [row.values[-1] for row in sent.rows(Entity.USERS)]) == (
        True,
        ["active", "active", "active", "suspended"],
    )
