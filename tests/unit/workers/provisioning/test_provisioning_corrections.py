"""SIS ids and logins are corrected before anything else of a run, once, wherever its process is killed."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.corrections import CanvasUsers
from shared.domain.provisioning.imports.sis_imports import ImportState, SisImport
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.roster import Roster, School
from shared.domain.provisioning.rows.sis_rows import DataSet, Entity
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.errors import AccessDenied
from tests.unit.domain.provisioning.rosters import ROSTER, plan, roster, student
from tests.unit.workers.provisioning.provisioning_kit import NOON, Campus, FakePlanner, Fuse, Killed
from workers.provisioning.changed_rows import changed_rows

MANY = 10_000
EXCHANGED = roster(students=(student(501, number="1502"), student(502, number="1501")))
RENUMBERED = roster(students=(student(501, number="2501"), student(502)))
NORTH, SOUTH = School(100, 7, "North"), School(200, 8, "South")
TWO_BEFORE = roster(schools=(NORTH, SOUTH), students=(student(501), student(502), student(601, school_number=200)))
TWO_SCHOOLS = roster(
    schools=(NORTH, SOUTH),
    students=(student(501, number="2501"), student(502), student(601, number="2601", school_number=200)),
)
ANOTHER = ("2501", "another", "", "", "", "student", "active")


def planner_of(rosters: Roster) -> FakePlanner:
    """Return a planner that plans these rosters, as the real one does."""

    def planned(asked: FakePlanner) -> ImportPlan:
        found = plan(rosters, applied=asked.applied, canvas=asked.canvas)
        asked.data_sets = found.data_sets
        return replace(found, holds=asked.holds)

    return FakePlanner(planned=planned)


def campus_of(rosters: Roster, before: Roster = ROSTER) -> Campus:
    """Return a provisioned installation whose rosters have become these."""
    campus = Campus()
    data_sets: Sequence[DataSet] = plan(before).data_sets
    campus.has(*data_sets)
    campus.planner = planner_of(rosters)
    return campus


def asked(campus: Campus) -> Run:
    return campus.runs.open(RunKind.ROSTER, RunCause.PERSON, campus.clock.now())


def calls_of_a_run() -> int:
    """Return how many calls to the outside a whole run makes."""
    campus, fuse = campus_of(EXCHANGED), Fuse(MANY)
    asked(campus)
    campus.process(fuse).tick()
    assert campus.agrees()
    return MANY - fuse.calls_left


@pytest.mark.parametrize("call", range(1, calls_of_a_run() + 1))
def test_numbers_are_exchanged_once_wherever_the_process_dies(call: int) -> None:
    """Killed right after any call, the run is finished by another process: each id has changed just twice."""
    campus = campus_of(EXCHANGED)
    run = asked(campus)
    with pytest.raises(Killed):
        campus.process(Fuse(call, after=True)).tick()
    campus.dies()

    assert campus.over(run).state is RunState.DONE
    assert campus.agrees()
    assert sorted(campus.imports.renamed) == [
        ("1501", "renumbering-1501"),
        ("1502", "renumbering-1502"),
        ("renumbering-1501", "1502"),
        ("renumbering-1502", "1501"),
    ]


def test_corrections_come_first_and_are_kept_in_the_run() -> None:
    """The run says which imports it made, with their rows, beside those of its data sets."""
    campus = campus_of(RENUMBERED)
    run = campus.over(asked(campus))

    assert run.uploads[0].parts[0].key.entity is Entity.SIS_ID_CHANGES
    assert [upload.parts[0].key.entity for upload in run.corrections] == [Entity.SIS_ID_CHANGES]
    changes = next(each for each in changed_rows(campus.runs, run) if each.change.key.entity is Entity.SIS_ID_CHANGES)
    assert [row.after.values for row in changes.rows if row.after] == [("1501", "2501", "user")]


def test_the_files_after_a_change_of_ids_are_sent_whole() -> None:
    """Canvas would compare them with rows by the old ids, and suspend whom they name."""
    campus = campus_of(RENUMBERED)
    run = campus.over(asked(campus))
    files = [upload for upload in run.uploads if not upload.is_correction]

    assert all(upload.options.remaster for upload in files)
    assert {entity for upload in files for entity in upload.entities} >= {Entity.USERS, Entity.ENROLLMENTS}
    assert campus.over(asked(campus)).uploads == ()


def test_a_repeated_change_is_done_and_no_refusal() -> None:
    """Canvas refuses a row whose new id exists; that it is the same person shows where the old id is nobody's."""
    campus = campus_of(RENUMBERED)
    user = campus.imports.records.pop((Entity.USERS, ("1501",)))
    campus.imports.records[Entity.USERS, ("2501",)] = ("2501", *user[1:])
    campus.imports.ends = [ImportState.IMPORTED_WITH_MESSAGES]
    run = campus.over(asked(campus))

    assert (run.state, run.refused_ids) == (RunState.DONE, {})
    assert {row.values[0] for each in campus.planner.data_sets for row in each.rows} >= {"2501"}


def refused(campus: Campus) -> Run:
    """Let Canvas refuse the new id, and say so; return the run."""
    campus.imports.records[Entity.USERS, ("2501",)] = ANOTHER
    campus.imports.ends = [ImportState.IMPORTED_WITH_MESSAGES]
    return campus.over(asked(campus))


def test_a_refused_change_is_remembered() -> None:
    """The run says which new id was refused, and the next one that nobody asked for does not try it again."""
    campus = campus_of(RENUMBERED)
    run = refused(campus)

    assert (run.state, run.refused_ids) == (RunState.DONE, {"STUDENTS.DCID 501": "2501"})
    quiet = campus.over(campus.runs.open(RunKind.ROSTER, RunCause.DATA_VERSION, campus.clock.now()))
    assert quiet.uploads == ()
    assert campus.planner.canvas == CanvasUsers(refused_ids={"STUDENTS.DCID 501": "2501"})
    campus.imports.ends = [ImportState.IMPORTED_WITH_MESSAGES]
    again = campus.over(campus.runs.open(RunKind.ROSTER, RunCause.SCHEDULE, campus.clock.now()))
    assert [upload.parts[0].key.entity for upload in again.uploads] == [Entity.SIS_ID_CHANGES]


def test_a_token_that_may_not_look_takes_canvas_at_its_word() -> None:
    """What Canvas says of a row counts then."""
    campus = campus_of(RENUMBERED)
    campus.imports.faults.always("user", AccessDenied("GET users/{id}: 401", cause="canvas_401", status=401))
    run = refused(campus)

    assert (run.state, run.refused_ids) == (RunState.DONE, {"STUDENTS.DCID 501": "2501"})


def test_a_failed_import_of_corrections_is_made_again() -> None:
    """After the waits, and the ids change once."""
    campus = campus_of(RENUMBERED)
    campus.imports.ends = [SisImport(0, ImportState.FAILED, NOON)]
    run = campus.over(asked(campus))

    assert (run.state, campus.agrees(), campus.imports.renamed) == (RunState.DONE, True, [("1501", "2501")])


def test_a_doubtful_school_keeps_its_ids_and_holds_no_other() -> None:
    """Whose school is held keeps the SIS id until a person approves; everybody else's changes at once."""
    campus = campus_of(TWO_SCHOOLS, TWO_BEFORE)
    doubt = Hold("shrunk", "Doubtful.", school_number=200)
    campus.planner.holds = (doubt,)
    run = campus.over(asked(campus))

    assert (run.state, campus.imports.renamed) == (RunState.DONE, [("1501", "2501")])
    assert campus.imports.login_of("1601") is not None
    [held] = campus.runs.held_runs()
    assert [each.change.key.entity for each in changed_rows(campus.runs, held)] >= [Entity.SIS_ID_CHANGES]
    campus.desk.approve(held.id, "registrar")
    assert campus.over(held).state is RunState.DONE
    assert campus.imports.renamed == [("1501", "2501"), ("1601", "2601")]
    assert campus.agrees()
