"""What becomes of an import: waited for, adopted, tried again, told about."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportState, SisImport
from shared.domain.provisioning.rows.sis_rows import Entity
from shared.domain.provisioning.run import RunState
from shared.errors import ServiceUnavailable, TransientError
from tests.unit.workers.provisioning.provisioning_kit import NOON, SECOND, Campus, sections, users
from workers.provisioning.importer import UPLOAD_SETTLES_IN

TIMEOUT = TransientError("POST sis_imports: timeout", cause="canvas_timeout")
FEW, MORE = users(1, 2, 3), users(1, 2, 3, 4)
TOO_LARGE = SisImport(0, ImportState.IMPORTED_WITH_MESSAGES, NOON, threshold_exceeded=True)


@pytest.fixture
def campus() -> Campus:
    """Return a Canvas that holds a few users, and a plan with one more."""
    campus = Campus()
    campus.has(FEW)
    campus.plan(MORE)
    return campus


def test_what_is_equal_is_not_imported(campus: Campus) -> None:
    """A plan that Canvas holds already costs no import and no request to Canvas."""
    campus.plan(FEW)
    run = campus.ask()
    assert (run.state, run.uploads, run.changes, campus.imports.started) == (RunState.DONE, (), (), [])


def test_only_what_changed_is_imported(campus: Campus) -> None:
    """Of two imports the changed one alone is made, to be compared with the last one of its name."""
    campus.has(FEW, sections(7))
    campus.plan(MORE, sections(7))
    run = campus.ask()
    [(sent, name, options)] = campus.imports.started
    assert (sent.rows(Entity.USERS), name, options.remaster) == (MORE.rows, "passback:district", False)
    assert [(c.added, c.changed, c.removed) for c in run.changes] == [(1, 0, 0)]
    assert campus.agrees()


def test_imports_of_others_are_waited_for(campus: Campus) -> None:
    """While anybody's import is unfinished, none of ours begins, however long that takes."""
    foreign = campus.imports.foreign()
    run = campus.desk.request("tester")
    campus.process().tick()
    waiting = campus.runs.find(run.id)
    assert waiting is not None
    assert (waiting.waits_for, len(campus.imports.started), waiting.attempts) == ("other_import", 1, 0)
    campus.imports.end(foreign.id, ImportState.IMPORTED)
    assert campus.over(run).state is RunState.DONE
    assert campus.agrees()


def test_an_import_whose_answer_was_lost_is_adopted(campus: Campus) -> None:
    """Canvas took the upload and the answer got lost: the import is found, and not made again."""
    campus.imports.loses_answer = TIMEOUT
    run = campus.ask()
    assert (run.state, len(campus.imports.started), run.uploads[0].import_id) == (RunState.DONE, 1, 1)


def test_an_upload_that_never_arrived_is_sent_again(campus: Campus) -> None:
    """Canvas never got it: it is sent again, but not before it could not turn up any more."""
    campus.imports.faults.on("start", TIMEOUT)
    run = campus.ask()
    assert (run.state, len(campus.imports.started)) == (RunState.DONE, 1)
    assert campus.imports.imports[0].created_at >= NOON + UPLOAD_SETTLES_IN


def test_an_import_that_canvas_lost_is_made_again(campus: Campus) -> None:
    """An import that is not there any more spends an attempt, and is made anew."""
    campus.imports.polls = 3
    run = campus.desk.request("tester")
    lost = campus.imports.imports
    campus.imports.faults.on("find", TIMEOUT)
    campus.process().tick()
    lost.clear()
    campus.imports.started.clear()
    assert campus.over(run).state is RunState.DONE
    assert campus.agrees()


@pytest.mark.parametrize("state", [ImportState.ABORTED, ImportState.RESTORED, ImportState.PARTIALLY_RESTORED])
def test_what_a_person_did_to_an_import_is_left_to_a_person(campus: Campus, state: ImportState) -> None:
    """An aborted or restored import is a dead letter at once; the run is over, its data set not applied."""
    campus.imports.ends = [state]
    run = campus.ask()
    [letter] = campus.letters.all()
    assert (run.state, run.failure, len(campus.imports.started)) == (RunState.FAILED, f"import_{state}", 1)
    assert (letter.kind, letter.cause, letter.source) == ("provisioning", f"import_{state}", run.id)


@pytest.mark.parametrize("state", [ImportState.FAILED, ImportState.FAILED_WITH_MESSAGES])
def test_a_failed_import_is_tried_again_as_a_new_base(campus: Campus, state: ImportState) -> None:
    """The data set is sent whole, since Canvas may refuse to compare it; a success closes the letter."""
    campus.letters.add_provisioning("0", "earlier", "", 1)
    campus.imports.ends = [state]
    assert campus.ask().state is RunState.DONE
    assert [options.remaster for _, _, options in campus.imports.started] == [False, True]
    assert (campus.agrees(), campus.letters.all()) == (True, [])


def test_attempts_end_in_a_dead_letter(campus: Campus) -> None:
    """An import that fails whenever it is tried ends after the attempts that the settings give."""
    campus.imports.ends = [ImportState.FAILED] * 9
    run = campus.ask()
    [letter] = campus.letters.all()
    assert (run.state, run.attempts, len(campus.imports.started)) == (RunState.FAILED, 3, 3)
    assert (letter.cause, letter.attempts, len(letter.attempt_times)) == ("import_failed", 3, 3)


def test_after_a_failure_it_is_not_known_what_canvas_holds(campus: Campus) -> None:
    """The next run sends the data set whole, as it was before or not, and ends what the failure may have left."""
    campus.imports.ends = [ImportState.ABORTED]
    campus.ask()
    campus.plan(FEW)
    assert campus.ask().state is RunState.DONE
    sent, _, options = campus.imports.started[-1]
    assert options.remaster
    assert {row.values[0]: row.values[-1] for row in sent.rows(Entity.USERS)} == dict.fromkeys("123", "active") | {
        "4": "suspended"
    }
    assert campus.ask().uploads == ()


def test_messages_are_fetched_at_once_and_kept(campus: Campus) -> None:
    """What Canvas says about rows is kept with the run in plain words; the rest of the import counts."""
    campus.imports.ends = [ImportState.IMPORTED_WITH_MESSAGES]
    campus.imports.messages = [RowError("users.csv", 2, "no"), RowError("users.csv", 3, "never", is_failure=True)]
    run = campus.ask()
    assert (run.state, run.uploads[0].failures, run.uploads[0].warnings) == (RunState.DONE, 1, 1)
    assert [(t.error.message, t.explanation) for t in campus.runs.messages(run.id)] == [
        ("no", "Canvas did not take the row as it is."),
        ("never", "Canvas did not take the row as it is."),
    ]


def test_a_difference_too_large_for_canvas_is_carried_through(campus: Campus) -> None:
    """Canvas compared nothing and dropped nothing: a new base follows, in which those who left are ended."""
    campus.plan(users(2, 3))
    campus.imports.ends = [TOO_LARGE]
    run = campus.ask()
    (_, _, first), (sent, _, second) = campus.imports.started
    assert (run.state, first.remaster, second.remaster) == (RunState.DONE, False, True)
    assert {row.values[0]: row.values[-1] for row in sent.rows(Entity.USERS)} == {
        "1": "suspended",
        "2": "active",
        "3": "active",
    }
    assert campus.ask().uploads == ()


def test_an_unwell_canvas_spends_no_attempt(campus: Campus) -> None:
    """The run waits as long as Canvas is unwell, and then goes on."""
    is_unavailable = ServiceUnavailable("GET sis_imports: 503", cause="canvas_unavailable", delay=5 * SECOND)
    campus.imports.faults.on("unfinished", is_unavailable, times=9)
    run = campus.ask()
    assert (run.state, run.attempts, campus.letters.all()) == (RunState.DONE, 0, [])


def test_an_import_that_succeeds_gives_the_attempts_back(campus: Campus) -> None:
    """Failures of different data sets do not add up to a dead letter."""
    campus.has(FEW, sections(7))
    campus.plan(MORE, sections(8))
    campus.imports.faults.on("unfinished", TIMEOUT, nth=1, times=2)
    campus.imports.faults.on("newest", TIMEOUT, nth=2, times=2)
    assert campus.ask().state is RunState.DONE


def test_two_imports_of_ours_never_overlap(campus: Campus) -> None:
    """One import follows the other, users before classes, each after the end of the one before."""
    campus.has()
    campus.plan(users(1), sections(7))
    campus.imports.polls = 4
    campus.ask()
    assert [name.partition("-")[0] for _, name, _ in campus.imports.started] == [
        "passback:district",
        "passback:classes",
    ]


def test_a_rows_time_may_be_over(campus: Campus) -> None:
    """A run whose rows are not kept any more is a dead letter; the next one reads anew."""
    run = campus.desk.request("tester")
    campus.imports.foreign()
    campus.process().tick()
    for key in campus.redis.keys("*:rows:*"):
        campus.redis.delete(key)
    campus.imports.imports[0] = replace(campus.imports.imports[0], state=ImportState.IMPORTED)
    assert (campus.over(run).state, campus.letters.all()[0].cause) == (RunState.FAILED, "rows_forgotten")
