"""How a check of readiness runs: interrupted, repeated, behind other work, and where a system does not answer."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.http.exchange import current_context
from shared.adapters.redis.client import epoch_ms
from shared.domain.actions import EVERYTHING
from shared.domain.causes import Cause
from shared.domain.passback.readiness.findings import ReadinessRun, SystemFinding
from shared.domain.passback.rules.reasons import Actor, Reason
from shared.errors import QueryUnavailable
from shared.queues import Task
from shared.sandbox.canvas.seed import changed
from shared.sandbox.district.small import Ids, small_district
from tests.integration.passback.readiness_district import NOW, ZONE, GeneratedDistrict
from tests.integration.passback.readiness_place import Place, readiness_place
from workers.container import Container
from workers.doctor import system_findings
from workers.grade_passback.explain.response import ExplainQuery
from workers.grade_passback.readiness.check import CANVAS_COURSES, COURSES, POWERSCHOOL_LISTS, UNEXPECTED
from workers.grade_passback.readiness.report import ReadinessQuery, readiness_report
from workers.grade_passback.scheduled import run_scheduled

FLAWED = ("due_date_missing", "section_without_course", "term_gap", "category_without_group", "teacher_missing")


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with readiness_place(tmp_path_factory.mktemp("readiness")) as one:
        district = GeneratedDistrict(5)
        district.plant(FLAWED)
        one.become(*district.seeds())
        yield one


def expected() -> dict[Any, int]:
    district = GeneratedDistrict(5)
    district.plant(FLAWED)
    return {key: grades() for key, grades in district.expected.items()}


def advance(service: Container, *, times: int = 1) -> ReadinessRun:
    """Go on with the check for one item."""
    for _ in range(times):
        run = service.readiness_check.advance(tuple, lambda: True)
    assert run is not None
    return run


def courses_read(place: Place) -> list[str]:
    """Return which courses' assignments were read, in order."""
    paths = [row["path"] for row in place.requests(0) if row["path"].endswith("/assignments")]
    return [path.split("/")[4] for path in paths if path.startswith("/api/v1/courses/")]


def test_an_interrupted_check_goes_on_in_another_process(place: Place) -> None:
    """No course is read twice, and what is found is the same."""
    place.service.readiness_check.request("test")
    for _ in range(40):
        process = place.process()
        run = advance(process)
        process.close()
        if run.finished_at is not None:
            break
    assert run.finished_at is not None
    assert place.found() == expected()
    assert sorted(courses_read(place)) == sorted(str(201 + index) for index in range(8))


def test_a_process_that_is_killed_repeats_one_course_at_most(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was being read when the process ended; nothing of it was stored."""
    place.service.readiness_check.request("test")
    reader = place.service.course_reader
    read, left = reader.read_ahead, iter(range(3))

    def dying(course_id: str) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return read(course_id)

    monkeypatch.setattr(reader, "read_ahead", dying)
    with pytest.raises(KeyboardInterrupt):
        place.service.readiness_check.advance(tuple, lambda: False)
    monkeypatch.undo()
    run = place.run()
    assert run.finished_at is not None
    assert run.courses == run.done == 8
    assert place.found() == expected()


def test_a_course_that_ends_its_process_is_left_out_in_the_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are checked; what depends on all courses is said to be unknown, and not claimed."""
    reader = place.service.course_reader
    read = reader.read_ahead

    def poisoned(course_id: str) -> Any:
        if course_id == "205":
            raise RuntimeError("a defect")
        return read(course_id)

    monkeypatch.setattr(reader, "read_ahead", poisoned)
    place.service.readiness_check.request("test")
    for _ in range(3):
        with pytest.raises(RuntimeError):
            place.service.readiness_check.advance(tuple, lambda: False)
    run = place.run()
    assert (run.finished_at is not None, run.without) == (True, (COURSES,))
    district, courses = place.results()
    assert [(course.course_id, course.unread) for course in courses if course.unread] == [("205", UNEXPECTED)]
    assert all(finding.code != "section_without_course" for finding in district.findings)
    assert "teacher_missing" in {f.code for course in courses for f in course.findings}


def test_a_course_that_canvas_does_not_give_is_reported_as_unread(place: Place) -> None:
    """After several attempts; it is not silence."""
    place.fault(0, fail_next=[{"path_prefix": "/api/v1/courses/205/assignments", "status": 500, "times": 99}])
    place.service.readiness_check.request("test")
    for _ in range(40):
        run = advance(place.service, times=3)
        place.clock.advance(timedelta(minutes=2))
        if run.finished_at is not None:
            break
    report = readiness_report(place.service.readiness, ReadinessQuery())
    assert [course.course_id for course in report.unread] == ["205"]
    assert report.unread[0].unread.startswith("canvas_")
    assert run.done == run.courses == 8
    assert not report.is_ready


def test_an_unavailable_system_spends_no_attempt(place: Place) -> None:
    """The check waits, says for what, and finds everything once the system is back."""
    place.service.readiness_check.request("test")
    advance(place.service, times=3)
    place.fault(0, maintenance=True)
    for _ in range(8):
        waiting = advance(place.service)
        assert waiting.finished_at is None
        assert waiting.waits_for
    place.fault(0)
    place.clock.advance(timedelta(minutes=10))
    place.redis.delete(*place.redis.keys("*system*"))
    run = place.run()
    assert run.finished_at is not None
    assert place.found() == expected()


def test_what_failed_at_the_beginning_is_asked_again_at_the_end(place: Place) -> None:
    """A check that waited for the end of a maintenance does not report it."""
    place.service.readiness_check.request("test")
    place.fault(1, maintenance=True)
    waiting = place.service.readiness_check.advance(lambda: system_findings(place.service), lambda: False)
    assert waiting is not None
    assert waiting.systems
    place.fault(1)
    place.clock.advance(timedelta(minutes=10))
    place.redis.delete(*place.redis.keys("*system*"))
    run = place.service.readiness_check.advance(tuple, lambda: False)
    assert run is not None
    assert (run.finished_at is not None, run.systems) == (True, ())


def test_a_process_that_ends_finds_nothing_of_the_systems(place: Place) -> None:
    """Its checks of them are interrupted, and the check of the district waits for nobody."""
    place.service.readiness_check.request("test")
    ends: list[bool] = []

    def interrupted() -> list[SystemFinding]:
        ends.append(True)
        return [SystemFinding("powerschool: token", "not known", "again", Actor.OPERATOR)]

    run = place.service.readiness_check.advance(interrupted, lambda: False, lambda: bool(ends))
    assert run is not None
    for each in (run, place.service.readiness.run()):
        assert each is not None
        assert (each.systems, each.waits_for, each.finished_at) == ((), "", None)
    assert place.run().finished_at is not None
    assert place.found() == expected()


def test_a_process_that_ends_while_it_reads_waits_for_nothing(place: Place) -> None:
    """What it was reading is read by another one."""
    place.service.readiness_check.request("test")
    advance(place.service, times=3)
    run = place.service.readiness_check.advance(tuple, lambda: False, lambda: True)
    assert run is not None
    assert (run.waits_for, run.finished_at) == ("", None)
    assert place.run().finished_at is not None
    assert place.found() == expected()


def test_a_refused_token_ends_the_check_with_its_cause(place: Place) -> None:
    """The failed check of doctor is reported with it, and who can mend it."""
    settings = {**place.settings, "PASSBACK_CANVAS_TOKEN": "wrong"}
    place.settings, before = settings, place.service
    place.service = place.process()
    place.service.readiness_check.request("test")
    run = place.service.readiness_check.advance(lambda: system_findings(place.service), lambda: False)
    place.service.close()
    place.service = before
    assert run is not None
    assert run.finished_at is not None
    assert run.waits_for == "canvas_401"
    assert ("canvas: token", "canvas_admin") in [(system.check, system.who) for system in run.systems]
    assert not readiness_report(before.readiness, ReadinessQuery()).is_ready


def test_without_powerschools_lists_courses_are_checked_all_the_same(place: Place) -> None:
    """What cannot be checked is said."""

    class Refused:
        def read(self) -> Any:
            raise QueryUnavailable("404", cause=Cause.QUERY_MISSING, status=404, query="terms")

    sources = replace(place.service._readiness_sources, district=Refused().read)
    place.service.__dict__["_readiness_sources"] = sources
    run = place.run()
    assert run.without == (POWERSCHOOL_LISTS,)
    of_courses = {
        key: grades for key, grades in expected().items() if key[0] in ("due_date_missing", "teacher_missing")
    }
    found = place.found()
    assert {key: found[key] for key in of_courses} == of_courses
    assert not readiness_report(place.service.readiness, ReadinessQuery()).is_ready


def test_a_scoped_key_without_the_list_of_courses_checks_the_connected_ones(place: Place) -> None:
    """Courses with synced work are found as new courses are; sections without a course are not claimed."""
    district = GeneratedDistrict(5)
    district.plant(FLAWED)
    seed = district.canvas()
    scopes = [
        "url:GET|/api/v1/courses/:id", "url:GET|/api/v1/courses/:course_id/sections",
        "url:GET|/api/v1/courses/:course_id/assignments", "url:GET|/api/v1/courses/:course_id/assignment_groups",
        "url:GET|/api/sis/accounts/:account_id/assignments",
    ]  # fmt: skip
    place.become(seed.model_copy(update={"scopes": scopes}), district.powerschool())
    run = place.run()
    assert (run.finished_at is not None, run.without) == (True, (CANVAS_COURSES,))
    codes = {key[0] for key in place.found()}
    assert {"due_date_missing", "teacher_missing"} <= codes
    assert "section_without_course" not in codes


def test_its_requests_go_behind_those_of_all_other_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared limiter orders requests by when their work began."""
    orders: list[int | None] = []
    reader = place.service.course_reader
    read = reader.read_ahead

    def noting(course_id: str) -> Any:
        context = current_context()
        orders.append(context.began_ms if context else None)
        return read(course_id)

    monkeypatch.setattr(reader, "read_ahead", noting)
    place.run()
    assert len(orders) == 8
    assert all(order is not None and order > epoch_ms(NOW + timedelta(days=365)) for order in orders)
    assert current_context() is None


@pytest.mark.parametrize("check", ["check_wait", "check_stop"])
def test_a_stop_ends_its_requests(place: Place, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    """Whether they wait or are under way; another process goes on, and nothing is waited for."""
    is_stopping = []

    def stopped(_: str) -> None:
        context = current_context()
        assert context is not None
        is_stopping.append(True)
        getattr(context, check)()
        raise AssertionError("the request goes on")

    place.service.readiness_check.request("test")
    with monkeypatch.context() as patched:
        patched.setattr(place.service.course_reader, "read_ahead", stopped)
        run = place.service.readiness_check.advance(tuple, lambda: False, lambda: bool(is_stopping))
    assert run is not None
    assert (run.finished_at, run.waits_for, is_stopping) == (None, "", [True])
    assert place.run().finished_at is not None


def test_one_process_at_a_time_goes_on(place: Place) -> None:
    """Another one does nothing meanwhile."""
    place.service.readiness_check.request("test")
    with place.service.readiness.lock() as lock:
        assert lock is not None
        other = place.process()
        assert other.readiness_check.advance(tuple, lambda: False) is None
        other.close()
    assert courses_read(place) == []
    assert place.run().finished_at is not None


def test_a_worker_goes_on_with_a_requested_check_unless_everything_is_paused(place: Place) -> None:
    """By the scheduled task, which does nothing where nobody asked for a check."""
    run_scheduled(place.service, Task.READINESS)
    assert place.service.readiness.run() is None
    place.service.readiness_check.request("test")
    place.service.pauses.pause(EVERYTHING, "rivera", "maintenance")
    place.redis.delete(*place.redis.keys("*beat*"))
    run_scheduled(place.service, Task.READINESS)
    assert courses_read(place) == []
    place.service.pauses.resume(EVERYTHING)
    place.redis.delete(*place.redis.keys("*beat*"))
    run_scheduled(place.service, Task.READINESS)
    run = place.service.readiness.run()
    assert run is not None
    assert run.finished_at is not None
    assert run.systems == ()
    assert place.found() == expected()


def test_what_is_stored_names_nobody_and_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """No names of students, teachers, courses and assignments, and no ids of students; nor in what is logged."""
    district = GeneratedDistrict(5)
    district.plant([*FLAWED, "duplicate_name", "name_in_powerschool", "points_missing", "teacher_id_missing"])
    for course in district.courses.values():
        course.name = "Zephyrine's course"
        course.assignments = [changed(a, name=a.name.replace("Work", "Zephyrine")) for a in course.assignments]
    for row in district.rows["users"]:
        row["last_name"] = "Zephyrine"
    for row in district.rows["assignments"]:
        row["name"] = row["name"].replace("Work", "Zephyrine")
    numbers = {row["number"]: f"8{row['number']}31" for row in district.rows["students"]}
    for row in district.rows["students"]:
        row["number"], row["first_name"] = numbers[row["number"]], "Zephyrine"
    place.become(*district.seeds())
    place.run()
    stored = repr([place.redis.get(key) for key in place.redis.keys("*readiness:run")])
    read = repr([place.redis.hgetall(key) for key in place.redis.keys("*readiness:courses")])
    said = capsys.readouterr().out
    assert "name_taken" in read
    for text in (stored, read, said):
        assert "Zephyrine" not in text
        assert not [number for number in numbers.values() if number in text]


def test_a_course_that_is_gone_leaves_the_results(place: Place) -> None:
    """Its earlier findings are not shown after the next check."""
    place.check()
    district = GeneratedDistrict(5)
    for course_id in (201, 202, 203):
        del district.courses[course_id]
    place.become(*district.seeds())
    place.clock.advance(timedelta(days=1))
    place.run()
    _, courses = place.results()
    assert {course.course_id for course in courses} == {"204", "205", "206", "207", "208"}


def test_the_small_district_says_what_explain_says(place: Place) -> None:
    """Reason by reason and word by word, for every assignment that is to be sent."""
    district = small_district(NOW.astimezone(ZONE).date(), ZONE)
    place.become(district.canvas, district.powerschool)
    place.check()
    _, courses = place.results()
    found = {
        (assignment_id, finding.code, finding.message, finding.remedy, finding.who)
        for course in courses
        for finding in course.findings
        for assignment_id in finding.assignment_ids
    }
    explained = {
        (assignment["assignment_id"], reason["code"], reason["message"], reason["remedy"], reason["who"])
        for course_id in (Ids.COURSE, Ids.HEALTHY_COURSE, Ids.OUTAGE_COURSE)
        for assignment in _assignments(place.service, course_id)
        for section in assignment["sections"]
        for reason in section["reasons"]
        if reason["code"] not in NOT_BEFORE_GRADING
    }
    assert found == explained
    assert len(found) == 8


NOT_BEFORE_GRADING = (
    Reason.SIS_SYNC_OFF, Reason.NOT_PUBLISHED, Reason.NOT_GRADABLE, Reason.ATTENDANCE, Reason.NOT_GRADED_YET,
    Reason.ANONYMOUS_UNTIL_POSTED, Reason.MODERATED_UNTIL_RELEASED,
)  # fmt: skip


def _assignments(service: Container, course_id: int) -> list[Any]:
    answer: Any = service.explainer.explain(ExplainQuery(str(course_id)))
    assert answer["live"], answer["trouble"]
    return list(answer["assignments"])
