"""The benchmarks run, and their counts are right; times are not tested."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from shared.domain.passback.changes import DebounceWindow
from shared.sandbox.canvas.app import create_app
from shared.sandbox.district.small import Ids
from tests.benchmarks import outcome
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.passback import cost, engine, fold, growth, per_event, reconcile, takeover, twin
from tests.benchmarks.provisioning import district as provisioning
from tests.benchmarks.provisioning import rosters
from tests.benchmarks.rig import servers
from tests.benchmarks.rig.district import generated_district
from tests.benchmarks.rig.in_process import ROOT, rig
from tests.benchmarks.rig.remote import CANVAS, FIRST_DCID, FIRST_STUDENT, POWERSCHOOL, QUERY, TEACHER, Remote
from tests.benchmarks.rig.windows import Graded, Way, district_evening, evening_of, expected_syncs
from tests.unit.sandbox.canvas.canvas_client import Client
from tests.unit.sandbox.powerschool.powerschool_client import District as PowerSchoolDistrict
from tests.unit.sandbox.powerschool.powerschool_client import assignment, category, score

DAY = date(2026, 10, 5)
COLLECTED = DebounceWindow(timedelta(seconds=2), timedelta(seconds=15))
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH")


def at(*times: float, course: int = 0) -> list[Graded]:
    return [Graded(time, course, 1, 0, "1") for time in times]


@pytest.mark.parametrize(
    ("times", "syncs"),
    [
        ((0.0,), 1),
        ((0.0, 1.9), 1),
        ((0.0, 2.0), 2),
        (tuple(float(n) for n in range(15)), 1),
        (tuple(float(n) for n in range(16)), 2),
    ],
    ids=["one", "within the quiet period", "after it", "to the longest wait", "beyond it"],
)
def test_the_windows_arithmetic(times: tuple[float, ...], syncs: int) -> None:
    """A course is synced when nothing changed for 2 s, and 15 s after its first change."""
    assert expected_syncs(at(*times), COLLECTED) == syncs
    assert expected_syncs([*at(*times), *at(*times, course=1)], COLLECTED) == 2 * syncs


@pytest.mark.parametrize(
    ("times", "syncs"),
    [
        ((0.0,), 1),
        ((0.0, 0.1), 1),
        ((0.0, 0.3), 2),
        ((0.0, 8.1), 2),
        ((0.0, 8.1, 9.0), 2),
        ((0.0, 8.3, 9.0), 3),
        (tuple(float(n) for n in range(30)), 3),
    ],
    ids=["one", "gathered", "after it", "not at rest yet", "so together", "at rest again", "a score a second"],
)
def test_the_arithmetic_of_first_changes(times: tuple[float, ...], syncs: int) -> None:
    """The first change of a course at rest is synced after 0.2 s; at rest is what was not synced for 8 s."""
    prompt = replace(COLLECTED, first_change=timedelta(seconds=0.2))
    assert expected_syncs(at(*times), prompt) == syncs


def test_an_evening_is_as_large_as_it_says() -> None:
    """The same for the same seed, in order, with the same number of changes in every course."""
    trace = district_evening(20, 600)
    assert trace == district_evening(20, 600)
    assert [g.at for g in trace] == sorted(g.at for g in trace)
    assert {sum(g.course == course for g in trace) for course in range(20)} == {30}


def test_ways_of_grading_differ_in_events_a_sync() -> None:
    """By hand the windows fold least, a class at once becomes one sync; the changes are as many."""
    traces = {way: evening_of(way, 10, 300) for way in Way}
    assert {len(trace) for trace in traces.values()} == {300}
    syncs = [expected_syncs(traces[way], COLLECTED) for way in (Way.BY_HAND, Way.QUIZ, Way.AT_ONCE)]
    assert syncs == sorted(syncs, reverse=True)
    assert syncs[-1] == 10


def test_an_earlier_run_is_compared() -> None:
    """The report has the earlier figure and the ratio beside each, and says whether a mark is met."""
    results = [Result("one", {"ms": 3.0}, (Mark("ms", 3.0, 2.0, at_most=True),))]
    earlier = json.loads(outcome.as_json([Result("one", {"ms": 2.0})], {}))["results"]
    report = outcome.report(results, earlier)
    assert "was 2 (x 1.50)" in report
    assert "MISSED ms: 3 (at most 2)" in report


def test_the_newest_stored_run_is_compared_with(tmp_path: Path) -> None:
    """Runs are stored by date and machine, and the latest date is the newest."""
    described = {"date": "2026-10-05", "processor": "AMD EPYC (TM) 7B13", "cores": 2}
    stored = outcome.stored_as(described, tmp_path)
    assert stored.name == "2026-10-05-amd-epyc-tm-7b13-2-cores.json"
    for file in (stored, tmp_path / "2026-09-30-zen-64-cores.json"):
        file.write_text(outcome.as_json([Result("one", {"ms": 2.0})], described))
    assert outcome.newest(tmp_path) == stored
    assert outcome.read(stored)["results"]["one"]["figures"] == {"ms": 2.0}


def test_no_stored_run_is_said_so(tmp_path: Path) -> None:
    """Without a stored run a comparison ends with a message."""
    with pytest.raises(SystemExit, match="no run is stored"):
        outcome.newest(tmp_path)


PARENT = """
import subprocess, sys, time
from tests.keeper import keeper
with keeper():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    time.sleep(2)
    print(child.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_what_a_killed_benchmark_started_is_ended() -> None:
    """The processes of a benchmark end after SIGKILL, also those with sessions of their own."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    until = time.monotonic() + 30
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "it still runs"
        time.sleep(0.1)


def test_requests_in_flight_are_counted() -> None:
    """The count is the highest number at once, without the control plane, since the last DELETE."""
    app, alone = servers.watched("canvas", 1, 1, 1), "/api/v1/courses/1001"
    app.app.state.sandbox.switchboard.faults.latency_ms = 50  # type: ignore[attr-defined]

    async def count(*paths: str) -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://canvas.test") as client:
            await client.delete(servers.WATCH)
            await asyncio.gather(*(client.get(path) for path in paths))
            return int((await client.get(servers.WATCH)).json()["most"])

    assert asyncio.run(count(alone, alone, alone, "/_sandbox/state")) == 3
    assert asyncio.run(count(alone)) == 1


class Published:
    """In place of Celery: stores what would be published."""

    def __init__(self) -> None:
        self.arguments: list[list[Any]] = []

    def send_task(self, _name: str, args: list[Any], queue: str) -> None:
        self.arguments.append(args)


def test_the_twin_publishes_a_task_for_each_grade_and_for_nothing_else() -> None:
    """Canvas sends a submission's event beside the grade's; ids lose their shard."""
    published = Published()

    async def post(name: str) -> int:
        event = {
            "metadata": {"event_name": name},
            "body": {"assignment_id": "90000000001001001", "student_sis_id": "100001", "score": 7.5},
        }
        transport = httpx.ASGITransport(twin.receiver(published))
        async with httpx.AsyncClient(transport=transport, base_url="http://twin.test") as client:
            return (await client.post("/events/canvas", json=event)).status_code

    assert [asyncio.run(post(name)) for name in ("grade_change", "submission_updated")] == [202, 202]
    assert published.arguments == [["1001001", "100001", 7.5]]


def keys_of(value: Any) -> Any:
    """Return the field names of an object and of the first of each list in it."""
    if isinstance(value, list):
        return [keys_of(value[0])] if value else []
    return (
        {key: keys_of(item) for key, item in value.items() if isinstance(item, list)} | {"": set(value)}
        if (isinstance(value, dict))
        else None
    )


@pytest.mark.parametrize(
    "what",
    [
        "assignments?include[]=overrides&include[]=checkpoints",
        "sections",
        "students/submissions",
        "assignments/1001001?include[]=overrides&include[]=checkpoints",
        "assignments/1001001/submissions/110001",
    ],
)
def test_the_cheap_canvas_answers_like_the_sandbox(what: str) -> None:
    """Field by field, so that reading its answers costs what reading Canvas's costs."""
    district = generated_district(1, 1, 1, seed=1)
    query = (
        "?student_ids[]=all&grouped=1&include[]=visibility&assignment_ids[]=1001001"
        if what.startswith("students")
        else "?include[]=visibility"
        if "submissions" in what
        else ""
    )
    path = f"/api/v1/courses/1001/{what}{query}"
    theirs = Client(create_app(district.canvas), district.canvas.token).get(path).json()
    with httpx.Client(transport=Remote(1, 1, DAY)) as cheap:
        ours = cheap.get(CANVAS + path).json()
    assert keys_of(ours) == keys_of(theirs)


@pytest.fixture(scope="module")
def powerschool() -> PowerSchoolDistrict:
    """A sandbox with the cheap one's only section, student and assignment, which the plugin made, scored."""
    district = PowerSchoolDistrict(generated_district(1, 1, 1, seed=1, today=DAY).powerschool.model_dump())
    of = category(Ids.CATEGORY_HOMEWORK)
    made = assignment(sectionsdcid=FIRST_DCID, description="Read.", _assignmentcategoryassociations=of)
    assert district.create(made, TEACHER).status_code == 201
    (row,) = district.state()
    scored = score(row["assignment_section_id"], FIRST_STUDENT + 70_000)
    assert district.write_scores(scored, users_dcid=TEACHER).status_code == 200
    return district


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{QUERY}roster.sections?pagesize=0&count=true", {"section_dcids": [FIRST_DCID], "after_dcid": 0}),
        ("POST", f"{QUERY}roster.students?pagesize=0&count=true", {"section_dcids": [FIRST_DCID], "after_dcid": 0}),
        (
            "POST",
            f"{QUERY}gradebook.state?pagesize=0&count=true",
            {"section_dcids": [FIRST_DCID], "score_section_ids": [0]},
        ),
        (
            "POST",
            f"{QUERY}gradebook.state?pagesize=0&count=true",
            {"section_dcids": [FIRST_DCID], "score_section_ids": ["its"]},
        ),
        ("GET", "/ws/v1/metadata", None),
        ("GET", f"/ws/xte/teacher_category?users_dcid={TEACHER}&year_id=36", None),
    ],
    ids=["sections", "students", "state without scores", "state with scores", "metadata", "categories"],
)
def test_the_cheap_powerschool_answers_like_the_sandbox(
    powerschool: PowerSchoolDistrict, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """Field by field and value by value of the same type, tagged objects inside others included."""
    (row,) = powerschool.state()
    theirs = powerschool.call(method, path, json=with_number(body, row["assignment_section_id"])).json()
    with httpx.Client(transport=Remote(1, 1, DAY)) as cheap:
        ours = cheap.request(method, POWERSCHOOL + path, json=with_number(body, 1001 * 1000 + 1 + 5_000_000)).json()
    assert forms_of(ours) == forms_of(theirs)


def forms_of(value: Any) -> Any:
    """Return the types of an object's values by name, and those of the first of each list in it."""
    match value:
        case dict():
            return {key: forms_of(item) for key, item in value.items()}
        case list():
            return [forms_of(item) for item in value[:1]]
        case _:
            return type(value).__name__


def with_number(body: dict[str, Any] | None, number: int) -> dict[str, Any] | None:
    """Return the body with the number of the only assignment section, which each of the two gave itself."""
    return body and {key: [number] if value == ["its"] else value for key, value in body.items()}


def missed(result: Result, *about: str) -> Iterable[Mark]:
    return [mark for mark in result.marks if not mark.is_met and mark.name.startswith(about)]


@needs_redis
def test_a_changed_grade_costs_two_requests_to_each_system() -> None:
    """Steady state, with the real adapters: assignments and submissions; the gradebook's state and the scores."""
    with rig(3, 10) as bench:
        bench.warm_up(2)
        figures = cost.evening(bench, district_evening(2, 6, 30))
    assert figures["Canvas requests a sync"] == figures["PowerSchool requests a sync"] == 2
    assert figures["syncs / arithmetic"] == figures["score requests / least"] == 1
    assert figures["rows written"] == 6


@needs_redis
def test_an_unchanged_course_costs_five_requests_and_no_write() -> None:
    """A reconciliation of an unchanged course reads everything and writes nothing."""
    assert not missed(reconcile.run(courses=2, rounds=1), "writes", "requests")


@needs_redis
def test_a_vendors_district_is_taken_over_given_back_and_taken_over_again() -> None:
    """Nothing is made twice, no name is taken but the ambiguous ones', and linking writes nothing: every mark."""
    result = takeover.run(courses=2, assignments=6, ambiguous=2)
    assert all(mark.is_met for mark in result.marks), result.marks
    assert result.figures["name_taken before"] == 12
    assert result.figures["assignments in which the syncs changed scores"] > 0


@needs_redis
def test_a_windows_cost_is_flat_in_events_and_idle_courses() -> None:
    """The number of requests depends neither on the number of events nor on idle courses."""
    result = growth.run(most=2)
    assert not missed(result, "requests")
    assert result.figures["changed courses 2: requests"] == 6
    assert result.figures["twin, events in the window 200: requests"] == 200
    assert growth.svg({"a": {1: 1.0, 10: 9.0}, "b": {1: 1.0}, "c": {10: 2.0}}).count("<circle") == 4


@pytest.mark.slow
@needs_redis
def test_folding_and_planning_run() -> None:
    """Every message is aggregated, every task executed, every row planned."""
    assert fold.run(messages=200, tasks=10, rounds=1).figures["folded / null tasks"] > 0
    assert engine.run(rows=2_000, rounds=1).figures["rows"] == 2_000


@needs_redis
def test_a_full_resend_sends_every_score_and_the_limit_only_reads() -> None:
    """Six requests of 200 rows for 30 students and 40 assignments; the bytes by the same five requests."""
    figures = reconcile.run(courses=2, rounds=1).figures
    assert figures["full resend: rows a course"] == 1_200
    assert figures["full resend: score requests a course"] == 6
    assert figures["bytes alone: requests a course"] == figures["unchanged: requests a course"]


@pytest.mark.slow
@needs_redis
def test_the_twins_of_an_event_send_one_score_and_the_equal_one_reads_twice() -> None:
    """Publish, task, put; and a submission and an assignment before that."""
    with rig(3, 10) as bench:
        naive_s, equal_s = per_event.naive_and_equal(bench, 4)
        assert equal_s > naive_s > 0
        assert bench.remote.requests["powerschool xte/score"] == 4
        assert bench.remote.requests["canvas submission"] == bench.remote.requests["canvas assignment"] == 4
        assert bench.remote.differing() == 0


@pytest.mark.slow
@needs_redis
def test_sixty_schools_are_provisioned_in_a_handful_of_imports(capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty imports at the most for the first run, five for a day with one drop per school, none without a change.

    Four requests to Canvas for each. The size of the district makes the files larger, not more.
    """
    assert provisioning.measured(schools=60, students=600, week=1) == []
    runs = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [(run["imports"], run["requests"]) for run in runs[:3]] == [(4, 16), (0, 0), (3, 12)]
    assert runs[2]["rows_applied"] == 60


@pytest.mark.slow
@needs_redis
def test_a_districts_rosters_are_measured_with_their_growth() -> None:
    """Three runs in processes of their own: everything, a few classes, nothing; and what more students take."""
    figures = rosters.run(sizes=(200, 400)).figures
    imports = [figures[f"400 students, {kind} run: imports"] for kind in rosters.RUNS]
    assert (imports[0] > 0, imports[1:]) == (True, [1, 0])
    assert all(figures[f"400 students, {kind} run: peak MB"] > 0 for kind in rosters.RUNS)
    assert "MB more per 1,000 students with 6,000 enrollments" in figures


def test_the_made_up_rosters_are_pages_like_any_others() -> None:
    """In the order of the plugin's queries, each page after the last row of the page before."""
    made = rosters.RemoteRosters(300, changed=False, today=DAY)
    with httpx.Client(transport=httpx.MockTransport(made.answer)) as client:
        rows: list[dict[str, str]] = []
        for _ in range(3):
            after = int(rows[-1]["enrollment_dcid"]) if rows else 0
            asked = client.post(f"{POWERSCHOOL}{rosters.QUERY}enrollments?pagesize=700", json={"after_dcid": after})
            assert asked.json()["count"] == 300 * rosters.CLASSES - after
            rows += asked.json()["record"]
        assert client.post(f"{POWERSCHOOL}{rosters.QUERY}enrollments/count", json={"after_dcid": 0}).json() == {
            "count": len(rows)
        }
    assert len({row["enrollment_dcid"] for row in rows}) == len(rows) == 300 * rosters.CLASSES
