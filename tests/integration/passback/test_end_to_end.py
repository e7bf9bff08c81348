"""The main job with real processes: an event goes in, the grade is in PowerSchool."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.config import load
from shared.domain.actions import course_target
from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town, town
from workers.container import Container

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

WRITES = ("PUT", "POST")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("logs"), QUIET_PERIOD_S="1", MAX_WAIT_S="8", RETRY_WAITS_S="0.2,0.2") as one:
        yield one


def test_a_grade_arrives_exactly(running: Town) -> None:
    """A score entered in Canvas is in PowerSchool, decimals kept, without anybody asking for it."""
    student = Ids.STUDENTS_HEALTHY[0]
    running.stage.grade("one", Ids.HEALTHY_COURSE, 1021, user_id_of(student), 7.125)
    running.settle()
    assert running.score("Warm-up 1", Ids.HEALTHY_DCID, student) == Decimal("7.125")


def test_a_grade_costs_two_requests_to_each_system(running: Town) -> None:
    """Assignments and submissions are read, the gradebook's state is read and the score put, and that is all."""
    student = Ids.STUDENTS_HEALTHY[1]
    running.stage.grade("first", Ids.HEALTHY_COURSE, 1021, user_id_of(student), 6.5)
    running.settle()
    running.clear_requests()
    running.stage.grade("second", Ids.HEALTHY_COURSE, 1021, user_id_of(student), 7.5)
    running.settle()
    course = f"/api/v1/courses/{Ids.HEALTHY_COURSE}"
    canvas = [r["path"] for r in running.stage.requests(running.stage.canvas_url)]
    assert canvas == [f"{course}/assignments", f"{course}/students/submissions"]
    powerschool = [(r["method"], r["path"]) for r in running.powerschool_requests()]
    state = "/ws/schema/query/org.passback.sync.gradebook.state"
    assert powerschool == [("POST", state), ("PUT", "/ws/xte/score")]
    assert running.score("Warm-up 1", Ids.HEALTHY_DCID, student) == Decimal("7.5")


def test_a_burst_costs_few_requests_and_a_second_run_none(running: Town) -> None:
    """300 changes within one window cost at most 2 syncs and 2 score requests per section; unchanged, none."""
    running.settle()
    running.clear_requests()
    students = [*Ids.STUDENTS_A, *Ids.STUDENTS_B]
    assignments = (
        Ids.ESSAY_DRAFT,
        Ids.MAP_WORKSHEET,
        Ids.BONUS_PUZZLE,
        Ids.NAME_OF_30,
        Ids.VOCABULARY,
        Ids.SAFETY_CHECK,
    )
    grades = [
        {"course_id": Ids.COURSE, "assignment_id": a, "user_id": user_id_of(n), "score": 1 + (n + a) % 5}
        for a in assignments
        for n in students
    ][:300]
    # Held back until all of them are there, so that they are in one window however slowly a busy machine delivers them.
    target = course_target(str(Ids.COURSE))
    running.service.pauses.pause(target, "test")
    running.stage.act(do="grade_many", grades=grades)
    until = time.monotonic() + 60
    while running.stage.outstanding_events() or running.service.changes.pending_messages():
        assert time.monotonic() < until
        time.sleep(0.05)
    running.service.pauses.resume(target)
    running.settle()
    requests = running.powerschool_requests()
    batches = [r for r in requests if r["path"] == "/ws/xte/score"]
    syncs = [
        r
        for r in running.stage.requests(running.stage.canvas_url)
        if r["path"] == f"/api/v1/courses/{Ids.COURSE}/assignments"
    ]
    assert {r["status"] for r in batches} == {200}
    assert len(batches) <= 2 * 2
    assert sum(r["rows"] for r in batches) >= 300
    assert len(syncs) <= 2

    running.clear_requests()
    done = running.passback("sync", str(Ids.COURSE), "--wait", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["synced"] is True
    writes = [
        r for r in running.powerschool_requests() if r["method"] in WRITES and "/ws/schema/query/" not in r["path"]
    ]
    assert writes == []
    assert running.stage.writes() == []


def test_a_course_that_canvas_never_had_is_refused(running: Town) -> None:
    """By name, as a usage error, and nothing of it is in Redis."""
    for more in ([], ["--dry-run"], ["--wait"]):
        done = running.passback("sync", "999", *more)
        assert done.returncode == 2
        assert "999" in done.stderr
    with closing(Container(load(running.environ, Path("no.env")))) as service:
        assert list(service.redis.scan_iter("*:999:*")) == []
        assert not service.records.is_connected("999")
        assert service.dead_letters.of_course("999") == []


def test_explain_gives_every_reason_in_the_contracts_shape(running: Town) -> None:
    """`explain --json` says of every assignment and section its state and all reasons, with remedy and who can act."""
    running.stage.act(
        do="edit_assignment", course_id=Ids.COURSE, assignment_id=Ids.NAME_TOO_LONG, changes={"post_to_sis": False}
    )
    running.settle()
    answer = json.loads(running.passback("explain", str(Ids.COURSE), "--json").stdout)
    assert answer["course_id"] == str(Ids.COURSE)
    by_id = {a["assignment_id"]: a for a in answer["assignments"]}
    sections = by_id[str(Ids.NAME_TOO_LONG)]["sections"]
    assert [s["section_sis_id"] for s in sections] == [str(Ids.SECTION_A_DCID), str(Ids.SECTION_B_DCID)]
    assert {s["state"] for s in sections} == {"blocked"}
    assert [r["code"] for r in sections[0]["reasons"]] == ["sis_sync_off", "name_too_long"]
    assert all(r["message"] and r["remedy"] and r["who"] == "teacher" for r in sections[0]["reasons"])
    synced = by_id[str(Ids.LAB_REPORT)]["sections"][0]
    assert synced["state"] == "synced"
    assert synced["reasons"] == []
    assert synced["powerschool"]["scores"] == 30


def test_a_repeated_failure_becomes_a_dead_letter_that_a_later_success_closes(running: Town) -> None:
    """Attempts spent make a dead letter with cause and attempts; once the work succeeds, it is closed."""
    failure = {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 500, "body": "{}", "times": 3}
    running.stage.powerschool_faults(fail_next=[failure])
    student = Ids.STUDENTS_OUTAGE[0]
    running.stage.grade("dead", Ids.OUTAGE_COURSE, 1062, user_id_of(student), 4.5)
    running.settle()
    [letter] = running.service.dead_letters.all()
    assert (letter.course_id, letter.assignment_id, letter.attempts) == (str(Ids.OUTAGE_COURSE), "1062", 3)
    told = json.loads(running.passback("explain", str(Ids.OUTAGE_COURSE), "--json").stdout)
    states = {a["assignment_id"]: a["sections"][0]["state"] for a in told["assignments"]}
    assert states["1062"] == "dead"

    done = running.passback("sync", str(Ids.OUTAGE_COURSE), "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert running.score("Warm-up 2", Ids.OUTAGE_DCID, student) == Decimal("4.5")
    assert running.service.dead_letters.all() == []


def test_an_outage_spends_no_attempt(running: Town) -> None:
    """While PowerSchool is in maintenance nothing is dead-lettered, and the grade arrives by itself afterwards."""
    running.stage.powerschool_faults(maintenance=True)
    student = Ids.STUDENTS_OUTAGE[1]
    running.stage.grade("outage", Ids.OUTAGE_COURSE, 1061, user_id_of(student), 3.25)
    until = running.service.clock.now().timestamp() + 10
    while not running.service.redis.exists(running.service.keys.pause("powerschool")):
        assert running.service.clock.now().timestamp() < until
    running.stage.powerschool_faults()
    running.settle()
    assert running.service.dead_letters.all() == []
    assert running.score("Warm-up 1", Ids.OUTAGE_DCID, student) == Decimal("3.25")


def test_a_lost_create_answer_makes_no_duplicate(running: Town) -> None:
    """If a create was committed but its answer lost, the retry adopts it."""
    running.stage.act(
        do="create_assignment",
        course_id=Ids.HEALTHY_COURSE,
        assignment={
            "id": 1029,
            "name": "Lost and found",
            "due_at": running.service.clock.now().isoformat(),
            "assignment_group_id": Ids.HEALTHY_COURSE * 10 + 3000,
        },
    )
    running.stage.powerschool_faults(
        lose_response_after_commit=1, lose_response_path_prefix="/ws/xte/section/assignment"
    )
    student = Ids.STUDENTS_HEALTHY[2]
    running.stage.grade("lost", Ids.HEALTHY_COURSE, 1029, user_id_of(student), 5)
    running.settle()
    running.stage.powerschool_faults()
    named = [row for row in running.stage.gradebook() if row["name"] == "Lost and found"]
    assert len(named) == 1
    assert running.score("Lost and found", Ids.HEALTHY_DCID, student) == Decimal(5)


def test_status_answers_in_json(running: Town) -> None:
    """`status` counts what there is."""
    running.stage.grade("seen", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[3]), 6)
    running.settle()
    status = json.loads(running.passback("status", "--json").stdout)
    assert status["courses"]["connected"] >= 1
    assert status["last_event_at"] is not None
    assert status["dead_letters"] == 0


def test_what_happened_is_in_the_metrics(running: Town) -> None:
    """After a grade arrived, `/metrics` tells of the event, the sync, the requests, the write and how long it took."""
    running.stage.grade("counted", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[5]), 8)
    running.settle()
    until = time.monotonic() + 10
    while True:
        found = metrics(running)
        counted = [found.get(name, 0) for name in COUNTED_AFTER_A_GRADE]
        if all(counted) or time.monotonic() > until:
            break
        time.sleep(0.2)
    assert all(counted), dict(zip(COUNTED_AFTER_A_GRADE, counted, strict=True))
    assert found["passback_processes", ("alive", "worker")] == 1
    hours = running.service.counters.hours(running.service.clock.now(), 2)
    assert sum(hour.total for hour in hours) >= 1


COUNTED_AFTER_A_GRADE = (
    ("passback_events_total", ("/events/canvas", "grade_change", "stored")),
    ("passback_syncs_total", ("", "done")),
    ("passback_http_requests_total", ("2xx", "PUT /ws/xte/score", "powerschool")),
    ("passback_http_requests_total", ("2xx", "GET /api/v1/courses/{course_id}/sections", "canvas")),
    ("passback_http_request_seconds_count", ("powerschool",)),
    ("passback_powerschool_token_fetches_total", ("ok",)),
    ("passback_written_total", ("scores",)),
    ("passback_event_to_powerschool_seconds_count", ()),
    ("passback_last_event_age_seconds", ()),
)


def metrics(running: Town) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = httpx.get(f"{running.web}/metrics").raise_for_status()
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_dry_run_shows_the_plan_and_writes_nothing(running: Town) -> None:
    """`sync --dry-run` prints what would be done; PowerSchool sees reads only."""
    running.stage.grade("before", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[4]), 5)
    running.settle()
    running.stage.act(do="mark_missing", course_id=Ids.HEALTHY_COURSE, assignment_id=1021, user_id=user_id_of(10611))
    running.clear_requests()
    shown = running.passback("sync", str(Ids.HEALTHY_COURSE), "--assignment", "1021", "--dry-run", "--json")
    assert shown.returncode == 0, shown.stderr
    steps = json.loads(shown.stdout)["steps"]
    assert [(step["do"], step["new"]) for step in steps] == [("scores", 1)]
    assert running.stage.writes() == []


def test_unsigned_events_are_refused(running: Town) -> None:
    """Without a signature of Canvas nothing gets in."""
    answer = httpx.post(f"{running.web}/events/canvas", json={"metadata": {"event_name": "grade_change"}, "body": {}})
    assert answer.status_code == 401
