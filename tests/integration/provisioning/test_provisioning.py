"""Whole provisioning runs on the sandboxes: a generated district, small enough for every change of the code."""

import json
import re
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from shared.domain.actions import PROVISIONING
from shared.domain.provisioning.run import RunState
from shared.sandbox.district.generator import DistrictSize
from shared.sandbox.powerschool.queries import PROVISIONING_QUERIES
from tests.command_line import app
from tests.fault_injection.provisioning.town import RosterTown, roster_town
from workers.provisioning.changed_rows import changed_rows
from workers.status import read_status, status_json

pytestmark = pytest.mark.xdist_group("provisioning")

SMALL = DistrictSize(schools=2, students=60, sections=12)
READS = re.compile(r"GET /ws/.+|POST /ws/schema/query/[\w.]+(/count)?|POST /oauth/access_token/?")
HANDFUL = 20


@pytest.fixture
def town() -> Iterator[RosterTown]:
    with roster_town(SMALL) as one:
        yield one


@pytest.fixture
def provisioned(town: RosterTown) -> RosterTown:
    """Return a town whose Canvas was provisioned once."""
    assert town.ask().state is RunState.DONE
    return town


def settled(town: RosterTown) -> None:
    """Let a run come to its end; a doubtful one is approved, as a person does who made the changes."""
    run = town.ask()
    for held in town.service.provision_runs.held_runs():
        town.service.provisioning_service.approve(held.id, "registrar")
        assert town.finished(held.id).state is RunState.DONE, held
    assert run.state in (RunState.DONE, RunState.HELD), run


def passback(town: RosterTown, *arguments: str) -> tuple[int, str]:
    """Return the exit code and output of a command."""
    result = CliRunner().invoke(app, arguments, env=town.settings, catch_exceptions=False)
    return result.exit_code, result.stdout


def test_canvas_equals_powerschool_and_a_second_run_does_nothing(town: RosterTown) -> None:
    """Entity by entity Canvas holds what PowerSchool says; a run without changes costs a handful of requests."""
    first = town.ask()
    assert (first.state, town.disagreements()) == (RunState.DONE, [])
    imports = len(town.imports)
    second = town.ask()
    assert (second.state, len(town.imports)) == (RunState.DONE, imports)
    assert second.requests.get("canvas", 0) == 0
    assert second.requests["powerschool"] <= HANDFUL


def test_random_changes_converge(provisioned: RosterTown) -> None:
    """Whatever people change, transfers, teachers, sections, leavers, the next runs make Canvas equal again."""
    for seed in (1, 2):
        provisioned.change(seed, 25)
        settled(provisioned)
        assert provisioned.disagreements() == []
    imports = len(provisioned.imports)
    assert provisioned.ask().state is RunState.DONE
    assert len(provisioned.imports) == imports


def test_an_empty_feed_is_held(provisioned: RosterTown) -> None:
    """An empty read waits for a person; nothing is sent, and Canvas stays as it was."""
    imports = len(provisioned.imports)
    provisioned.powerschool_faults(empty_rosters=True)
    run = provisioned.ask()
    assert run.state is RunState.HELD
    assert {"nothing_read", "school_missing"} & {hold.code for hold in run.reasons}
    provisioned.powerschool_faults()
    assert (len(provisioned.imports), provisioned.disagreements()) == (imports, [])
    assert provisioned.ask().state is RunState.DONE
    assert next(iter(provisioned.service.provision_runs.held_runs()), None) is None


def test_a_school_that_is_missing_holds_itself_alone(provisioned: RosterTown) -> None:
    """Its rows stay as they were and wait for a person; what changed at the other school is applied meanwhile."""
    missing, other = (school.number for school in list(provisioned.rosters.schools.values())[:2])
    imports = len(provisioned.imports)
    provisioned.powerschool_faults(hidden_school_numbers=[missing])
    student = next(
        s for s in provisioned.rosters.students.values() if s.school_number == other and s.enroll_status == 0
    )
    student.first_name = "Renamed"
    run = provisioned.ask()
    held = next(iter(provisioned.service.provision_runs.held_runs()), None)
    assert held is not None
    assert (run.state, run.held_schools, held.school_number) == (RunState.DONE, (missing,), missing)
    assert {"school_missing", "shrunk"} & {hold.code for hold in held.reasons}
    assert (len(provisioned.imports), provisioned.disagreements()) == (imports + 1, [])
    shown = changed_rows(provisioned.service.provision_runs, held)
    schools = {row.before.school_number for part in shown for row in part.rows if row.before is not None}
    assert schools == {missing}
    provisioned.powerschool_faults()
    assert provisioned.ask().state is RunState.DONE
    assert (next(iter(provisioned.service.provision_runs.held_runs()), None), len(provisioned.imports)) == (
        None,
        imports + 1,
    )


def test_a_second_run_over_a_doubtful_school_is_a_no_op(provisioned: RosterTown) -> None:
    """The plan that waits already is left as it is, and nothing is imported."""
    provisioned.powerschool_faults(hidden_school_numbers=[100])
    provisioned.ask()
    held, imports = provisioned.service.provision_runs.held_runs(), len(provisioned.imports)
    provisioned.ask()
    assert (provisioned.service.provision_runs.held_runs(), len(provisioned.imports)) == (held, imports)


def test_a_truncated_feed_is_never_planned(provisioned: RosterTown) -> None:
    """Rows that PowerSchool counts and does not give are asked for again, and then left to a person."""
    imports = len(provisioned.imports)
    provisioned.powerschool_faults(rows_lost=5)
    run = provisioned.ask()
    [letter] = provisioned.service.dead_letter_queue.all()
    assert (run.state, letter.cause, len(provisioned.imports)) == (RunState.FAILED, "roster_truncated", imports)
    provisioned.powerschool_faults()
    queue = provisioned.service.dead_letter_queue
    assert queue.retry([letter], "registrar", lambda _: False).retried == (letter.id,)
    [opened] = provisioned.service.provision_runs.open_runs()
    assert provisioned.finished(opened.id).state is RunState.DONE
    assert provisioned.service.dead_letter_queue.all() == []


def test_powerschool_is_only_read(provisioned: RosterTown) -> None:
    """A run, a run with changes, a dry run and a rollback send PowerSchool reads, and nothing but reads."""
    provisioned.change(3, 10)
    passback(provisioned, "provision", "run", "--dry-run")
    settled(provisioned)
    rollback = provisioned.service.provisioning_service.rollback(None, "registrar")
    assert provisioned.finished(rollback.id).state is RunState.DONE
    assert [each for each in provisioned.powerschool_requests if not READS.fullmatch(each)] == []
    assert provisioned.rosters.writes == []


def test_a_rollback_gives_canvas_its_rosters_back(provisioned: RosterTown) -> None:
    """After a rollback Canvas holds what it held before the run; once resumed, the next run brings it forward again."""
    before = provisioned.canvas_roster()
    provisioned.rename_somebody()
    settled(provisioned)
    assert provisioned.canvas_roster() != before
    rollback = provisioned.service.provisioning_service.rollback(None, "registrar")
    assert provisioned.finished(rollback.id).state is RunState.DONE
    assert provisioned.canvas_roster() == before
    provisioned.service.pauses.resume(PROVISIONING)
    settled(provisioned)
    assert provisioned.disagreements() == []


def test_refused_rows_are_explained_and_offered_again(provisioned: RosterTown) -> None:
    """What Canvas refused is kept with the PowerSchool record to mend; the rest of the file is applied."""
    student = provisioned.claim_a_login_by_hand()
    run = provisioned.ask()
    assert run.state is RunState.DONE
    troubles = provisioned.service.provision_runs.messages(run.id)
    assert [trouble.source for trouble in troubles if "login" in trouble.explanation] == [f"STUDENTS.DCID {student}"]
    code, told = passback(provisioned, "provision", "history", run.id, "--json")
    assert code == 0
    assert json.loads(told)["messages"][0]["remedy"]


def test_the_command_line_shows_what_a_run_would_do(provisioned: RosterTown) -> None:
    """A dry run counts and lists the rows and writes nothing; a held run is shown with its rows, and exits with 1."""
    provisioned.change(4, 3)
    imports, runs = len(provisioned.imports), len(provisioned.service.provision_runs.newest(50))
    code, told = passback(provisioned, "provision", "run", "--dry-run", "--json")
    shown = json.loads(told)
    assert (code, shown["would_hold"], len(provisioned.imports)) == (0, False, imports)
    assert len(provisioned.service.provision_runs.newest(50)) == runs
    assert all(len(d["changes"]) == d["added"] + d["changed"] + d["removed"] for d in shown["data_sets"])
    assert sum(len(d["changes"]) for d in shown["data_sets"]) > 0

    provisioned.powerschool_faults(hidden_school_numbers=[100])
    asked = provisioned.ask()
    code, told = passback(provisioned, "provision", "held", "--json")
    shown = json.loads(told)
    held = next(iter(provisioned.service.provision_runs.held_runs()), None)
    assert held is not None
    assert (code, shown["id"], shown["state"], shown["school_number"]) == (1, held.id, "held", 100)
    assert [each["id"] for each in shown["held_runs"]] == [held.id]
    assert "did not change schools 100" in passback(provisioned, "provision", "history", asked.id)[1]
    assert passback(provisioned, "provision", "show", held.id)[0] == 0
    for unanswered in (("discard", held.id), ("run", "--approve", held.id), ("rollback",)):
        assert passback(provisioned, "provision", *unanswered)[0] == 2
    assert next(iter(provisioned.service.provision_runs.held_runs()), None) == held
    assert passback(provisioned, "provision", "discard", held.id, "--yes")[0] == 0
    assert passback(provisioned, "provision", "held") == (0, "nothing is held\n")
    assert passback(provisioned, "provision", "run", "--approve", held.id, "--yes")[0] == 1
    assert passback(provisioned, "provision", "run", "--dry-run", "--wait")[0] == 2
    _, listed = passback(provisioned, "provision", "history", "--json")
    assert [run["state"] for run in json.loads(listed)] == ["discarded", "done", "done"]
    assert status_json(read_status(provisioned.service))["last_provisioning"] == {
        "run_id": held.id, "state": "discarded", "at": held.created_at.isoformat(), "held": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"missing_queries": ["org.passback.sync.provisioning.students"]}, "powerschool_query_missing"),
        ({"missing_grants": ["emailaddress.emailaddress"]}, "powerschool_query_not_granted"),
    ],
)
def test_a_run_waits_for_a_query_that_does_not_run(town: RosterTown, fault: dict[str, list[str]], cause: str) -> None:
    """Nothing is read or planned; the run and the status name the query. Once it runs, so does the run."""
    query = "org.passback.sync.provisioning.students"
    town.powerschool_faults(**fault)
    run = town.service.provisioning_service.request("registrar")
    town.service.provisioning.provisioner.tick()
    waiting = town.service.provision_runs.find(run.id)
    assert waiting is not None
    assert (waiting.state, waiting.waits_for, waiting.plan_digest) == (RunState.READING, cause, "")
    assert query in waiting.answer
    assert town.imports == []
    assert town.service.dead_letter_queue.count() == 0
    (told,) = status_json(read_status(town.service))["unavailable_queries"]  # type: ignore[misc]
    assert (told["query"], told["cause"]) == (query, cause)
    code, status = passback(town, "status")
    assert (code, cause in status) == (1, True)
    town.powerschool_faults()
    town.service.redis.delete(town.service.keys.unavailable_queries)
    assert town.finished(run.id).state is RunState.DONE
    assert town.disagreements() == []


def test_a_list_that_changes_during_every_reading_is_held(provisioned: RosterTown) -> None:
    """Nobody's classes end for it. Approving reads anew, and nothing has to be approved any more."""
    rows = sorted(row.dcid for roster in provisioned.rosters.rosters.values() for row in roster)
    query = "org.passback.sync.provisioning.enrollments"
    moves = [{"query": query, "after_pages": pages, "deleted": [dcid]} for pages, dcid in enumerate(rows[:40], 1)]
    provisioned.powerschool_faults(query_page_cap=len(rows) // 4, row_moves=moves)
    before, imports = provisioned.canvas_roster(), len(provisioned.imports)
    run = provisioned.ask()
    assert (run.state, [hold.code for hold in run.reasons]) == (RunState.HELD, ["roster_unsettled"])
    assert (provisioned.canvas_roster(), len(provisioned.imports)) == (before, imports)
    provisioned.powerschool_faults()
    provisioned.service.provisioning_service.approve(run.id, "registrar")
    assert provisioned.finished(run.id).state is RunState.DONE
    assert provisioned.disagreements() == []


def test_a_row_deleted_between_pages_ends_its_own_class_alone(provisioned: RosterTown) -> None:
    """One row of CC is gone, and with it one enrollment; everybody else's classes go on."""
    rows = sorted((row.dcid, key) for key, roster in provisioned.rosters.rosters.items() for row in roster)
    gone, section = rows[2]
    query = "org.passback.sync.provisioning.enrollments"
    provisioned.powerschool_faults(query_page_cap=10, row_moves=[{"query": query, "deleted": [gone]}])
    run = provisioned.ask()
    assert run.state is RunState.DONE
    assert sum(change.removed + change.changed for change in run.changes) == 1
    provisioned.rosters.rosters[section] = [row for row in provisioned.rosters.rosters[section] if row.dcid != gone]
    provisioned.powerschool_faults()
    assert provisioned.ask().changes == ()
    assert provisioned.disagreements() == []


# A text that is left out is empty, which is no odd row; of a date what follows it is not read.
ODD_TEXTS = [
    ("schools", "school_name"), ("terms", "term_name"), ("courses", "course_name"), ("sections", "section_number"),
    ("staff", "last_name"), ("students", "last_name"),
]  # fmt: skip
ODD_NUMBERS = [("terms", "first_day"), ("students", "enroll_status")]


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        *((*place, kind) for place in ODD_TEXTS for kind in ("null", "half_emoji")),
        *((*place, kind) for place in ODD_NUMBERS for kind in ("null", "absent")),
        ("enrollments", "is_dropped", "null"),
    ],
)
def test_one_odd_row_is_kept_as_it_was_and_the_rest_goes_on(
    prepared: RosterTown, name: str, column: str, kind: str
) -> None:
    """It is named by its DCID; a student who comes meanwhile is in Canvas afterwards, and nothing else has changed."""
    query = f"org.passback.sync.provisioning.{name}"
    row = first_record(prepared, query)
    prepared.powerschool_faults(odd_columns=[{"query": query, "row": row, "column": column, "kind": kind}])
    dcid = prepared.add_a_student()
    before = prepared.canvas_roster()
    run = prepared.ask()
    assert run.state is RunState.DONE, run.reasons
    assert [p.source for p in run.problems if p.code == "row_unreadable"] == [f"{RECORDS[name]} {row}"]
    prepared.powerschool_faults()
    assert prepared.canvas_roster() != before
    assert sum(change.removed + change.changed for change in run.changes) == 0
    assert dcid in prepared.rosters.students
    assert prepared.disagreements() == []


def test_many_odd_rows_are_held(provisioned: RosterTown) -> None:
    """Eleven of them are no typing errors."""
    query = "org.passback.sync.provisioning.students"
    odd = [
        {"query": query, "row": dcid, "column": "last_name", "kind": "half_emoji"}
        for dcid in sorted(provisioned.rosters.students)[:11]
    ]
    provisioned.powerschool_faults(odd_columns=odd)
    imports = len(provisioned.imports)
    run = provisioned.ask()
    assert (run.state, [hold.code for hold in run.reasons]) == (RunState.HELD, ["odd_rows"])
    assert len(provisioned.imports) == imports


RECORDS = {
    "schools": "SCHOOLS.DCID", "terms": "TERMS.DCID", "courses": "COURSES.DCID", "sections": "SECTIONS.DCID",
    "staff": "USERS.DCID", "students": "STUDENTS.DCID", "enrollments": "CC.DCID",
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared() -> Iterator[RosterTown]:
    """Return a town that several tests use one after the other; each leaves it provisioned."""
    with roster_town(SMALL) as one:
        assert one.ask().state is RunState.DONE
        yield one


def first_record(town: RosterTown, query: str) -> int:
    """Return the first record of a list that is of the school year under way."""
    known = PROVISIONING_QUERIES[query]
    return min(known.position(row)[0] for row in known.rows(town.rosters, {}))
