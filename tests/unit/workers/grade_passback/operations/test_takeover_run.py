"""A takeover of many courses: order, resuming, what is noted, and that the first refusal stops it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest

from shared.adapters.redis.course_data.takeovers import SILENT_AFTER, TakeoverResponse
from shared.config import load
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import CourseRecord, SectionRoster
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import ActualAssignment
from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.takeover import Candidate, Selection
from shared.domain.passback.takeover_run import (
    MAX_NAMED,
    CourseCounts,
    TakeoverMode,
    TakeoverRequest,
    TakeoverRun,
    TakeoverState,
)
from shared.errors import AccessDenied, PermanentError, ServiceUnavailable, TransientError
from tests.manual_clock import ManualClock
from tests.unit.domain.passback.test_takeover_candidates import THERE, WORK
from tests.unit.workers.grade_passback.school import NOW
from workers.container import Container
from workers.grade_passback.operations.takeover import UndoResult
from workers.grade_passback.operations.takeover_run import TakeoverRunner, TakeoverUnderWay
from workers.recorded_actions import RecordedActions

LINK = TakeoverRequest(TakeoverMode.LINK)
Course = list[ActualAssignment] | Exception


class FakeTakeover:
    """Courses with one vendor's assignment each, or the error that reading them raises."""

    def __init__(self, courses: Mapping[str, Exception | None], *, differs: bool) -> None:
        self.courses = courses
        self.differs = differs
        self.linked: dict[str, Link] = {}
        self.visited: list[str] = []
        self.maker: str | None = "501"
        self.apart: tuple[Apart, ...] = ()

    def plan(self, course_id: str, _selection: Selection, **_: object) -> Any:
        self.visited.append(course_id)
        error = self.courses[course_id]
        if error is not None:
            raise error
        candidate = Candidate(WORK, (replace(THERE, created_by_plugin=self.maker),), self.apart)
        candidates = () if course_id in self.linked else (candidate,)
        links = {link.key: link for c in candidates if (link := c.link)}
        data = SimpleNamespace(course=SimpleNamespace(id=course_id), rosters={})
        return SimpleNamespace(data=data, candidates=candidates, links=links, would_write=self.differs)

    def take_over(self, course_id: str, selection: Selection, **given: object) -> Any:
        plan = self.plan(course_id, selection, **given)
        self.linked.update(dict.fromkeys([course_id] if plan.links else [], Link(*WORK.key, "", THERE.due_date)))
        return plan

    def undo(self, course_id: str) -> UndoResult:
        self.visited.append(course_id)
        link = self.linked.pop(course_id, None)
        return UndoResult((link,) if link else (), ())


class District:
    """Some connected courses, and a runner over them; `on_sleep` happens while it waits."""

    def __init__(self, courses: Mapping[str, Exception | None], *, differs: bool = False) -> None:
        settings = load({}, env_file=Path("no.env"))
        self.clock = ManualClock(NOW)
        self.service = Container(settings, redis=fakeredis.FakeRedis(server=fakeredis.FakeServer()), clock=self.clock)
        self.on_sleep: Callable[[], None] = lambda: None
        self.takeover = FakeTakeover(courses, differs=differs)
        self.service.__dict__["takeover"] = self.takeover
        self.runner: TakeoverRunner = replace(self.service.takeover_runner, sleep=self.sleep)
        self.service.__dict__["takeover_runner"] = self.runner
        for course_id in courses:
            self.service.records.register(course_id)

    def sleep(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.on_sleep()

    def run(self, request: TakeoverRequest = LINK, **given: Any) -> Any:
        run = RecordedActions(self.service, "ada").take_over_many(request)
        return self.runner.carry_out(run, **given)

    def answer(self, maker: str = "501", cause: str = "") -> None:
        self.service.takeovers.record_response(TakeoverResponse(self.clock.now(), "9", "11", 4001, maker, cause, "no"))

    def synced(self, course_id: str) -> None:
        self.service.records.save(CourseRecord(course_id, self.clock.now(), ()))


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is overwritten is a matter of the course's own tests."""
    module = "workers.grade_passback.operations.takeover_run"
    monkeypatch.setattr(f"{module}.plan_json", lambda *_: {"candidates": []})


@pytest.fixture
def three() -> Iterator[District]:
    district = District(dict.fromkeys(["10", "9", "101"]))
    with closing(district.service):
        yield district


def test_courses_are_visited_once_in_order_of_their_ids(three: District) -> None:
    """Linked, due behind others' changes, with the person; an action each run, not each course."""
    run = three.run()
    assert three.takeover.visited == ["9", "10", "101"]
    assert (run.state, run.done, run.total, run.counts.linked) == (TakeoverState.DONE, 3, 3, 3)
    pending = three.service.changes.state_of("9").pending
    assert pending is not None
    assert pending.causes == {ChangeCause.RECONCILE, ChangeCause.TAKEOVER}
    assert (pending.actors, pending.lets_others_go_first) == ({"ada"}, True)
    assert [(a.actor, a.verb, a.target) for a in three.service.actions.newest(9)] == [("ada", "take_over", "courses")]


def test_a_dry_run_links_nothing(three: District) -> None:
    """It counts what would be linked, and is no action."""
    run = three.run(TakeoverRequest(TakeoverMode.DRY_RUN))
    assert (run.counts.linked, run.counts.makers, three.takeover.linked) == (3, {"501": 3}, {})
    assert three.service.actions.newest(9) == []
    assert not any(three.service.changes.counts())


def test_done_undone_and_done_again(three: District) -> None:
    """A run that is over begins anew; a second one finds nothing."""
    assert three.run().counts.linked == 3
    assert three.run().counts.linked == 0
    assert three.run(TakeoverRequest(TakeoverMode.UNDO)).counts.linked == 3
    assert three.run(TakeoverRequest(TakeoverMode.UNDO)).counts.linked == 0
    assert three.run().counts.linked == 3


def test_a_cancelled_run_goes_on_where_it_ended(three: District) -> None:
    """The courses that are done are not read again; another request begins anew."""
    run = three.run(report=lambda _: three.service.takeover_runs.cancel())
    assert (run.state, run.done) == (TakeoverState.CANCELLED, 1)
    three.takeover.visited.clear()
    run = three.run()
    assert (run.state, run.done, run.counts.linked) == (TakeoverState.DONE, 3, 3)
    assert three.takeover.visited == ["10", "101"]


def test_a_cancelled_dry_run_begins_anew(three: District) -> None:
    """Its counts would be of two readings."""
    dry_run = TakeoverRequest(TakeoverMode.DRY_RUN)
    three.run(dry_run, report=lambda _: three.service.takeover_runs.cancel())
    three.takeover.visited.clear()
    run = three.run(dry_run)
    assert (run.done, run.counts.linked, three.takeover.visited) == (3, 3, ["9", "10", "101"])


def test_an_interrupted_run_goes_on_where_it_ended(three: District) -> None:
    """Its process died: after a while the next one takes over."""

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        three.run(report=die)
    with pytest.raises(TakeoverUnderWay):
        three.run()
    three.clock.advance(SILENT_AFTER + timedelta(seconds=1))
    newest = three.service.takeover_runs.newest()
    assert newest is not None
    assert newest.state is TakeoverState.INTERRUPTED
    assert three.run().done == 3


def test_one_run_at_a_time(three: District) -> None:
    """A second one is refused while the first is seen."""
    three.runner.start(LINK, "ada")
    with pytest.raises(TakeoverUnderWay):
        three.run(TakeoverRequest(TakeoverMode.UNDO))


def test_a_school_alone(three: District) -> None:
    """The courses that have a section of it."""
    roster = SectionRoster("S", 1, (), school_number=7)
    three.service.records.save(CourseRecord("10", NOW, (), rosters=(roster,)))
    assert three.run(replace(LINK, school=7)).done == 1
    assert three.takeover.visited == ["10"]


def test_a_course_that_cannot_be_read_is_noted() -> None:
    """The others go on."""
    gone = PermanentError("GET /api/v1/courses/{id}: 404", cause="canvas_404")
    district = District({"1": None, "2": gone, "3": TransientError("GET: timeout", cause="canvas_timeout")})
    run = district.run()
    assert (run.state, run.counts.linked) == (TakeoverState.DONE, 1)
    assert [(note.course_id, bool(note.error)) for note in run.notes] == [("2", True), ("3", True)]


def test_an_outage_is_waited_for_and_then_ends_the_run() -> None:
    """What was done is kept, and the run can go on."""
    down = ServiceUnavailable("PowerSchool", cause="powerschool_unavailable", delay=timedelta(seconds=20))
    district = District({"1": None, "2": down})
    run = district.run()
    assert (run.state, run.done) == (TakeoverState.STOPPED, 1)
    assert district.takeover.visited.count("2") > 1
    assert district.clock.now() > NOW


@pytest.mark.parametrize(
    "error",
    [
        ServiceUnavailable("PowerSchool", cause="powerschool_unavailable", delay=timedelta(seconds=20)),
        AccessDenied("POST: 401", cause="powerschool_401", status=401),
    ],
)
def test_at_the_first_course_the_error_is_the_answer(error: Exception) -> None:
    """Nobody waits for a system that did not answer at all."""
    district = District({"1": error})
    with pytest.raises(type(error)):
        district.run()
    newest = district.service.takeover_runs.newest()
    assert newest is not None
    assert newest.state is TakeoverState.STOPPED


def test_refused_credentials_end_a_run() -> None:
    """They concern every course."""
    district = District({"1": None, "2": AccessDenied("POST: 401", cause="powerschool_401", status=401), "3": None})
    run = district.run()
    assert (run.state, run.done) == (TakeoverState.STOPPED, 1)


def test_the_first_refusal_stops_the_run() -> None:
    """The sync of the first course shows it: no other course is touched, and the message says what to do."""
    district = District(dict.fromkeys("123"), differs=True)
    district.on_sleep = lambda: district.answer(cause="powerschool_403")
    run = district.run()
    assert (run.state, run.done) == (TakeoverState.STOPPED, 0)
    assert district.takeover.visited == ["1"]
    assert "plugin 501" in run.message
    assert "(no)" in run.message
    assert "untouched" in run.message


def test_once_a_change_is_permitted_no_course_waits() -> None:
    """For each maker by itself."""
    district = District(dict.fromkeys("123"), differs=True)
    waits: list[int] = []

    def permit() -> None:
        waits.append(1)
        district.answer()
        district.synced("1")

    district.on_sleep = permit
    assert district.run().state is TakeoverState.DONE
    assert len(waits) == 1
    district.takeover.linked.clear()
    district.takeover.maker = "502"
    district.on_sleep = lambda: district.answer("502", "powerschool_403")
    assert district.run().state is TakeoverState.STOPPED


def test_a_refusal_of_an_earlier_run_does_not_stop_the_next() -> None:
    """Somebody may have permitted it since: it is tried again."""
    district = District(dict.fromkeys("12"))
    district.answer(cause="powerschool_403")
    district.clock.advance(timedelta(minutes=1))
    assert district.run().state is TakeoverState.DONE


def test_a_sync_that_does_not_come_stops_the_run() -> None:
    """Nobody knows yet whether PowerSchool permits it."""
    district = District(dict.fromkeys("12"), differs=True)
    run = district.run()
    assert (run.state, run.done) == (TakeoverState.STOPPED, 0)
    assert "Course 1" in run.message


def test_a_paused_course_is_not_waited_for() -> None:
    """With everything paused, all is linked and nothing is written: it can be looked at, and undone."""
    district = District(dict.fromkeys("12"), differs=True)
    district.service.pauses.pause("passback", "ada", "takeover")
    assert district.run().state is TakeoverState.DONE


def test_what_stays_apart_is_named() -> None:
    """Of many courses, only so many are named; the others are counted."""
    run = TakeoverRun(LINK, "ada", NOW, NOW)
    for number in range(MAX_NAMED + 2):
        run = run.after(str(number), CourseCounts(apart={"other_date": 1}))
    assert (len(run.notes), run.more_notes, run.counts.apart) == (MAX_NAMED, 2, {"other_date": MAX_NAMED + 2})


def test_a_run_that_waits_for_its_turn_is_seen(three: District) -> None:
    """At a slow rate a course may take minutes: the run is not taken for one whose process died."""
    run = three.runner.start(LINK, "ada")
    three.clock.advance(SILENT_AFTER + timedelta(seconds=1))
    three.service.takeover_runs.record_alive(run)
    newest = three.service.takeover_runs.newest()
    assert newest is not None
    assert newest.state is TakeoverState.RUNNING


def test_makers_that_were_not_selected_are_counted(three: District) -> None:
    """A dry run shows whom there is to select."""
    three.takeover.maker = None
    three.takeover.apart = (Apart.OTHER_MAKER,)
    run = three.run(TakeoverRequest(TakeoverMode.DRY_RUN))
    assert (run.counts.linked, run.counts.makers, run.counts.apart) == (0, {"teacher": 3}, {"other_maker": 3})
