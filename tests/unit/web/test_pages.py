"""The pages without JavaScript, over an in-memory Redis: what they say, and what their forms do."""

import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from html import unescape

import pytest

from shared.adapters.redis.client import RedisUnavailable
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.domain.actions import Verb
from shared.domain.outcome import DeadLetter
from shared.domain.passback.audit import (
    Arrival,
    AuditEntry,
    FieldChange,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.canvas import Person
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State, StudentRecord
from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.row_errors import ImportMessage, RowError
from shared.domain.provisioning.imports.sis_imports import DataSetChange
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState, digest_of
from shared.errors import CourseGone
from shared.queues import Stream
from tests.unit.web.site_kit import Site, text_of
from tests.unit.workers.grade_passback.school import School
from workers.dead_letters import DeadLetterQueue
from workers.web.pages.page_handlers import ACT, READ, SEARCH, Access
from workers.web.pages.routes import PAGES

NOW = datetime.now(UTC)
UNKNOWN_STUDENT = StudentRecord("31", "S9", Finding(Reason.STUDENT_UNKNOWN))
WORK = (
    AssignmentRecord("7", "Lab 1", (SectionRecord("4711", State.SYNCED, (), (UNKNOWN_STUDENT,), 5, 6, 12, 11, NOW),)),
    AssignmentRecord("8", "<b>Lab</b> 2", (SectionRecord("4711", State.BLOCKED, (Finding(Reason.DUE_DATE_MISSING),)),)),
    AssignmentRecord("9", "Lab 3", (SectionRecord("4711", State.BLOCKED, (Finding(Reason.SIS_SYNC_OFF),)),)),
)
RECORD = CourseRecord("101", NOW, WORK, name="Biology <3")
ENTRY = AuditEntry(
    NOW, "101", "7", 4711, 5, 6, WriteKind.SCORES, WriteContext((ChangeCause.EVENT,), "passback", 3), Decimal(10),
    scores=(ScoreChange(31, "S1", Score(Decimal(6)), Score(Decimal("7.5"))),),
)  # fmt: skip
SECTIONS = DataSetKey(Entity.SECTIONS, "12-4100")
BEFORE = DataSet(SECTIONS, (SisRow(("4712", "C1", "S2", "active")), SisRow(("4713", "C1", "b", "active"))))
AFTER = DataSet(
    SECTIONS, (SisRow(("4711", "C1", "S1", "active"), 0, "SECTIONS.DCID 1"), SisRow(("4713", "C1", "c", "active")))
)
HELD = Run(
    "7", RunKind.ROSTER, RunCause.SCHEDULE, NOW, state=RunState.HELD,
    reasons=(Hold("shrunk", "It would remove 12 enrollments."),),
    problems=(RosterProblem(RosterProblemCode.SECTION_WITHOUT_TERM, "SECTIONS.DCID 7"),),
    changes=(DataSetChange(SECTIONS, digest_of(BEFORE), digest_of(AFTER), 1, 1, 1),),
)  # fmt: skip
REFUSED = ImportMessage(
    DataSetKey(Entity.USERS), 1, RowError("users.csv", 4, "no such login", is_failure=True), "The login is taken.",
    source="TEACHERS.DCID 9",
)  # fmt: skip


def store_held_run(site: Site) -> None:
    """Store a run that waits for a person, with its rows and a row that Canvas refused."""
    runs = site.service.provision_runs
    lease = runs.lease()
    assert lease is not None
    runs.save(lease, HELD)
    runs.release(lease)
    for data_set in (BEFORE, AFTER):
        runs.save_rows(digest_of(data_set), data_set)
    runs.save_messages(HELD.id, 1, [REFUSED])


@pytest.fixture(scope="module")
def shared_site() -> Site:
    site = Site()
    site.service.course_reader = School().reader  # type: ignore[misc]  # in place of the one over HTTP
    return site


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.service.redis.flushall()
    shared_site.service.records.save(RECORD)
    shared_site.service.audit.add(ENTRY)
    store_held_run(shared_site)
    return shared_site


def test_the_overview_has_problems_first(site: Site) -> None:
    """What is wrong comes before all numbers, each with what to do."""
    site.service.dead_letters.add("101", "8", "powerschool_500", "", 6)
    site.service.heartbeats.record("worker@here:1")
    said = site.browser("viewer").text("/")
    assert said.index("No beat is running") < said.index("1 job waits for a person") < said.index("courses waiting")
    assert "No worker is running" not in said
    assert "A provisioning plan is held for approval" in said


def test_all_is_well_only_where_it_was_seen(site: Site) -> None:
    """An installation that has no problem, and nothing to show either, does not claim that all is well."""
    for kind in ("worker", "beat", "provisioning-worker"):
        site.service.heartbeats.record(f"{kind}@here:1")
    site.service.provisioning_service.discard("7", "somebody")
    said = site.browser("viewer").text("/")
    assert "No problem is known, but" in said
    assert "Canvas has not sent an event" in said
    site.service.redis.set(site.service.keys.last_event, round(NOW.timestamp() * 1000))
    said = site.browser("viewer").text("/")
    assert "All is well." in said
    assert "keeps 1 assignment back" in said
    site.service.pauses.pause("course:101", "somebody", "")
    assert "All is well." not in site.browser("viewer").text("/")


def test_an_empty_chart_is_a_sentence(site: Site) -> None:
    """And a chart says what it shows."""
    said = site.browser("viewer").text("/")
    assert "Seconds from Canvas to PowerSchool No change reached PowerSchool in the last 24 hours" in said
    site.service.counters.observe(NOW - timedelta(seconds=4), NOW)
    assert "No change reached" not in site.browser("viewer").text("/")


def test_the_navigation_counts_what_needs_somebody() -> None:
    """Courses with problems, dead letters and held plans; on error pages too. Without Redis it is there as well."""
    site = Site()
    site.service.records.save(RECORD)
    store_held_run(site)
    site.service.dead_letters.add("101", "8", "powerschool_500", "", 6)
    browser = site.browser("viewer")
    for path in ("/actions", "/nothing", "/courses/x", "/dead-letters/course-999"):
        page = browser.get(path).text
        for count in ("1 with problems", "1 open", "1 held for approval"):
            assert f'title="{count}"' in page, (path, count)
        assert "Sign out" in page
    assert "<nav" not in site.browser().get("/nothing").text
    site.service.redis.connection_pool.connection_kwargs["server"].connected = False
    page = browser.get("/").text
    assert 'href="/dead-letters"' in page
    assert "Sign out" not in page


def test_the_overview_counts_and_times(site: Site) -> None:
    """Assignments by standing, what waits, and how long changes took."""
    site.service.changes.request("202", ChangeCause.PERSON, actor="somebody")
    site.service.counters.observe(NOW - timedelta(seconds=4), NOW)
    page = site.browser("viewer").get("/")
    said = text_of(page)
    for words in ("1 courses waiting", "1 assignments blocked", "1 assignments in agreement", "1 are kept back"):
        assert words in said
    assert page.text.count('<rect class="half" x=') == 2
    assert "1 5 s 5 s" in said or "1 4 s 4 s" in said


def test_a_course_is_explained(site: Site) -> None:
    """Every assignment with its state, its scores, and each reason with its remedy and who can act; problems first."""
    said = site.browser("viewer").text("/courses/101")
    for words in (
        "Biology <3", "11 of 12", "The assignment has no due date", "For the teacher", "kept back", "Student S9",
        "As", "Sync to SIS",
    ):  # fmt: skip
        assert words.lower() in said.lower()
    said = said[said.index("Needs the teacher") :]
    assert said.index("<b>Lab</b> 2") < said.index("Lab 1") < said.index("Lab 3")


def test_names_are_text(site: Site) -> None:
    """What teachers write is shown and never part of the page."""
    page = site.browser("viewer").get("/courses/101").text
    assert "<b>Lab</b>" not in page
    assert "&lt;b&gt;Lab&lt;/b&gt; 2" in page


def test_a_course_that_was_never_synced_has_a_page(site: Site) -> None:
    """It can be synced from there; an id that is none has no page."""
    assert "never synced" in site.browser("operator").text("/courses/999")
    assert site.browser("operator").get("/courses/abc").status_code == 404


def test_courses_are_found(site: Site) -> None:
    """By name or id, and those with problems alone; a page at a time."""
    site.service.records.save(CourseRecord("202", NOW, WORK[:1], name="Art"))
    for number in range(60):
        site.service.records.save(CourseRecord(str(3000 + number), NOW, (), name=f"Homeroom {number}"))
    browser = site.browser("viewer")
    assert "Biology" in browser.text("/courses?q=bio")
    assert "Art" not in browser.text("/courses?q=bio")
    problems = browser.text("/courses?problems=1")
    assert "Biology" in problems
    assert "Homeroom" not in problems
    first = browser.get("/courses?q=homeroom").text
    assert first.count('<th scope="row">') == 50
    assert browser.get("/courses?q=homeroom&start=50").text.count('<th scope="row">') == 10


def test_lists_ask_redis_the_same_whatever_there_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the Overview nor the list of courses asks more for more courses: not by the byte."""
    monkeypatch.setattr("workers.web.pages.page_handlers.COUNTS_AGE", timedelta(days=-1))
    browser = site.browser("viewer")
    asked = []
    for number in (60, 300):
        for course in range(number):
            site.service.records.save(CourseRecord(str(5000 + course), NOW, WORK, name="Course"))
        asked.append([commands(site, partial(browser.text, path)) for path in ("/", "/courses?problems=1")])
    assert asked[0] == asked[1]


ASK_TIME = [b"*1\r\n$4\r\nTIME\r\n"]


def commands(site: Site, act: Callable[[], object]) -> int:
    """Return how many bytes of commands an act sends to Redis, without those that ask for its time now and then."""
    connection = site.service.redis.connection_pool.connection_class
    sent: list[int] = []
    plain = connection.send_packed_command

    def counting(self: object, command: object, *more: object, **named: object) -> object:
        sent.append(0 if command == ASK_TIME else len(repr(command)))
        return plain(self, command, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "send_packed_command", counting)
        act()
    assert sent
    return sum(sent)


def test_a_sync_is_asked_for(site: Site) -> None:
    """The course is due, asked for by the operator, and the page says that it waits."""
    site.service.heartbeats.record("worker@here:1")
    browser = site.browser("operator")
    browser.get("/courses/101")
    response = browser.post("/courses/101/sync", {})
    assert response.headers["location"].startswith("/courses/101")
    pending = site.service.changes.state_of("101").pending
    assert pending is not None
    assert (pending.causes, pending.actors) == ({ChangeCause.PERSON}, {"operator"})
    assert "waiting" in browser.text("/courses/101")
    newest = site.service.actions.newest(1)[0]
    assert (newest.actor, newest.verb, newest.target) == ("operator", Verb.SYNC, "course:101")
    assert "sync course 101" in browser.text("/")


def test_a_viewer_acts_on_nothing(site: Site) -> None:
    """No form but the one to leave is shown, and sending one is refused."""
    dead_letter = site.service.dead_letters.add("101", "8", "powerschool_500", "", 6)
    browser = site.browser("viewer")
    for path in ("/", "/courses/101", "/dead-letters", f"/dead-letters/{dead_letter.id}", "/provisioning/7"):
        assert browser.get(path).text.count('method="post"') == 1, path
    for path in paths(ACT):
        assert browser.post(path, {}).status_code == 403, path
    assert site.service.dead_letters.count() == 1
    assert [action.verb for action in site.service.actions.newest(5)] == [Verb.SIGN_IN]


def paths(*wanted: Access) -> list[str]:
    """Return the paths of the pages that are asked for so."""
    ids = {"course_id": "101", "run_id": "7", "dead_letter_id": "1", "batch_id": "1"}
    return [pattern.format(**ids) for access, pattern, *_ in PAGES if access in wanted]


def test_nobody_gets_in_without_signing_in(site: Site) -> None:
    """Whatever pages and forms there are: each leads to the sign-in."""
    browser = site.browser()
    for path in paths(READ):
        assert browser.get(path).headers["location"].startswith("/sign-in"), path
    for path in paths(SEARCH, ACT):
        assert browser.post(path, {}, token="").headers["location"] == "/sign-in", path


def test_no_form_is_taken_from_elsewhere(site: Site) -> None:
    """Each needs the token of a page that this session was given."""
    browser = site.browser("operator")
    for path in paths(SEARCH, ACT):
        assert browser.post(path, {}, token="0" * 64).status_code == 403, path


def test_the_history_tells_of_a_lost_answer(site: Site) -> None:
    """What the next look found, or that nobody looked yet."""
    assert "answer was lost" not in site.browser("viewer").text("/courses/101/history")
    for arrival, words in (
        (None, "finds out whether it had arrived"),
        (Arrival.ARRIVED, "found that it had arrived"),
        (Arrival.NOT_ARRIVED, "had not arrived and sent it"),
        (Arrival.CHANGED_SINCE, "found another value there"),
    ):
        site.service.audit.add(replace(ENTRY, answer_lost=True, arrival=arrival))
        assert words in site.browser("viewer").text("/courses/101/history")


RENAMED = replace(
    ENTRY, kind=WriteKind.UPDATE, scores=(),
    occasion=WriteContext((ChangeCause.PERSON, ChangeCause.RETRY), "rivera", 4),
    fields=(FieldChange("points", "10", "12"), FieldChange("category", "Tests (81)", "Homework (82)")),
)  # fmt: skip


class People:
    """The members of the course, as Canvas has them now."""

    def members(self, course_id: str) -> tuple[Person, ...]:
        return (Person("12", "Chen, Ada", "T9"), Person("30", "Okafor, Sam", "S1"))

    def close(self) -> None:
        pass


@pytest.fixture
def named_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setitem(site.service.__dict__, "canvas_account", People())
    (score,) = ENTRY.scores
    site.service.audit.add(RENAMED)
    site.service.audit.add(replace(ENTRY, assignment_id="8", scores=(replace(score, graded_by="12"),)))
    site.service.audit.add(replace(ENTRY, assignment_id="9", scores=(replace(score, graded_by="-78"),)))
    return site


def test_the_history_is_in_words(named_site: Site) -> None:
    """Fields and categories by name, students and graders by name, the trigger, and who asked."""
    said = named_site.browser("operator").text("/courses/101/history")
    for words in (
        "Points possible: 10 → 12", "Category: Tests (81) → Homework (82)", "a person and a retry", "rivera",
        "Okafor, Sam · S1: 6 of 10 → 7.5 of 10", "Graded by Chen, Ada.", "Graded by a quiz or a tool.",
        "a change in Canvas", "passback by itself", "Lab 1",
    ):  # fmt: skip
        assert words in said


def test_a_viewer_sees_no_person_in_the_history(named_site: Site) -> None:
    """Neither a name nor a score nor a grader, on the page and in the file."""
    browser = named_site.browser("viewer")
    for path in ("/courses/101/history", "/courses/101/history.csv"):
        said = browser.text(path) if path.endswith("history") else browser.get(path).text
        # The fraction of a second may be any number.
        said = re.sub(r"(\d\d:\d\d:\d\d)\.\d+", r"\1", said)
        assert "S1" in said
        assert not [word for word in ("Okafor", "Chen", "7.5", "Canvas user 12") if word in said], path


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("field=category", "Category"), ("trigger=retry", "Points possible"), ("actor=rivera", "Points possible"),
        ("student=S1&assignment=8", "Graded by Chen"), ("since=2020-01-01&until=2099-01-01", "Category"),
    ],
)  # fmt: skip
def test_the_history_is_filtered(named_site: Site, query: str, found: str) -> None:
    """By each of the filters; what does not match is left out, in the file as well."""
    browser = named_site.browser("operator")
    assert found in browser.text(f"/courses/101/history?{query}")
    everything = len(browser.get("/courses/101/history.csv").text.splitlines())
    selected = len(browser.get(f"/courses/101/history.csv?{query}").text.splitlines())
    assert (1 < selected <= everything) if "since" in query else (1 < selected < everything)
    assert "Nothing that was written matches" in browser.text("/courses/101/history?actor=nobody")


@pytest.mark.parametrize(
    "query", ["assignment=x", "field=grade", "trigger=magic", "since=yesterday", "until=2031-13-01"]
)
def test_a_filter_that_is_none_is_refused(named_site: Site, query: str) -> None:
    """Nothing is shown as if it had matched."""
    assert named_site.browser("operator").get(f"/courses/101/history?{query}").status_code == 422


def test_the_history_goes_on_page_by_page(site: Site) -> None:
    """With the filters, and no entry is on two pages."""
    for number in range(120):
        site.service.audit.add(replace(ENTRY, at=NOW + timedelta(seconds=number)))
    browser, seen = site.browser("viewer"), 0
    page = browser.get("/courses/101/history?student=S1")
    while True:
        seen += page.text.count('data-label="Because of"')
        found = re.search(r'href="([^"]+)" rel="next"', page.text)
        if found is None:
            break
        assert "student=S1" in found[1]
        page = browser.get(unescape(found[1]))
    assert seen == 121


def test_the_history_tells_what_was_replaced(site: Site) -> None:
    """Before and after, for each student; for a viewer without the scores."""
    said = site.browser("operator").text("/courses/101/history")
    assert "S1: 6 of 10 → 7.5 of 10" in said
    said = site.browser("viewer").text("/courses/101/history")
    assert "S1" in said
    assert "7.5" not in said
    assert "Your account sees no scores" in said
    assert "Nothing that was written matches" in site.browser("viewer").text("/courses/101/history?assignment=8")


def test_a_plan_is_previewed(site: Site) -> None:
    """What a sync would write is shown, and nothing is asked for."""
    said = site.browser("viewer").text("/courses/1/plan")
    assert "Create the assignment: PowerSchool does not have it." in said
    assert site.service.changes.state_of("1").pending is None


def test_dead_letters_are_grouped_and_shown(site: Site) -> None:
    """By cause, with what to do; one has its attempts."""
    for course in ("101", "102"):
        site.service.dead_letters.add(course, None, "canvas_404", "GET /courses/{id}: 404", 1)
    site.service.redis.xadd(site.service.keys.malformed, {"stream": "x", "id": "1-1"})
    browser = site.browser("operator")
    said = browser.text("/dead-letters")
    assert "canvas_404 2 Canvas has no such course" in said
    assert "messages 1 Messages that nobody could read" in said
    assert "Course 102" in said
    assert "Message of" in browser.text("/dead-letters?cause=messages")
    assert "GET /courses/{id}: 404" in browser.text("/dead-letters/course-101")
    assert browser.get("/dead-letters/course-999").status_code == 404


@pytest.mark.parametrize("start", ["99999999999999999999999", "9" * 5000, "9223372036854775807", "-1", "x"])
@pytest.mark.parametrize("cause", ["", "canvas_404", "messages"])
def test_a_start_that_is_none_is_the_first_page(site: Site, start: str, cause: str) -> None:
    """However large the number in the address: Redis would refuse it, and the page would blame Redis."""
    site.service.dead_letters.add("101", None, "canvas_404", "GET /courses/{id}: 404", 1)
    page = site.browser("operator").get(f"/dead-letters?start={start}&cause={cause}")
    assert page.status_code == 200
    assert ("Course 101" in page.text) == (cause != "messages")


@pytest.mark.parametrize("selection", [{"cause": "canvas_500"}, {"id": ["course-101", "course-102"]}, {"all": "1"}])
def test_letters_are_retried_after_a_preview(site: Site, selection: dict[str, str | list[str]]) -> None:
    """The preview says which and does nothing; then their courses are due, and the progress is told."""
    for course in ("101", "102"):
        site.service.dead_letters.add(course, None, "canvas_500", "", 6)
    browser = site.browser("operator")
    page = browser.get("/dead-letters/confirm", params={"verb": "retry", **selection})
    assert "Retry 2 dead letters?" in text_of(page)
    assert site.service.changes.counts().due == 0
    progress = browser.post("/dead-letters/act", {"verb": "retry", **selection}).headers["location"]
    wait_until_done(site, progress)
    assert "2 of 2 retried" in browser.text(progress)
    assert site.service.changes.counts().due == 2
    newest = site.service.actions.newest(1)[0]
    assert (newest.verb, newest.count, newest.actor) == (Verb.RETRY, 2, "operator")


def test_a_running_batch_is_cancelled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had not come to is untouched. The first dead letter waits until the batch is cancelled."""
    queue, cancelled = site.service.dead_letter_queue, threading.Event()
    discard = type(queue).discard

    def discard_once_cancelled(self: DeadLetterQueue, dead_letters: Collection[DeadLetter], actor: str) -> int:
        assert cancelled.wait(10)
        return discard(self, dead_letters, actor)

    monkeypatch.setattr(type(queue), "discard", discard_once_cancelled)
    for course in ("101", "102", "103"):
        site.service.dead_letters.add(course, None, "canvas_500", "", 6)
    browser = site.browser("operator")
    browser.get("/dead-letters/confirm?verb=discard&all=1")
    progress = browser.post("/dead-letters/act", {"verb": "discard", "all": "1", "count": "3"}).headers["location"]
    assert "running" in browser.text(progress)
    browser.post(f"{progress}/cancel", {})
    cancelled.set()
    wait_until_done(site, progress)
    said = browser.text(progress)
    assert "cancelled 1 of 3 discarded" in said
    assert site.service.dead_letters.count() == 2


def test_no_more_is_discarded_than_was_shown(site: Site) -> None:
    """What failed after the page with the number was loaded is not discarded unseen."""
    site.service.dead_letters.add("101", None, "canvas_500", "", 6)
    browser = site.browser("operator")
    assert 'name="count" value="1"' in browser.get("/dead-letters/confirm?verb=discard&all=1").text
    site.service.dead_letters.add("102", None, "canvas_500", "", 6)
    for count in ("1", ""):
        response = browser.post("/dead-letters/act", {"verb": "discard", "all": "1", "count": count})
        assert (response.status_code, "There are 2 now" in response.text) == (409, True)
    assert site.service.dead_letters.count() == 2


def wait_until_done(site: Site, progress: str) -> None:
    until = time.monotonic() + 10
    while True:
        batch = site.service.dead_letter_batches.find(progress.rpartition("/")[2])
        assert batch is not None
        if batch.state != "running":
            return
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("form", [{"verb": "retry"}, {"verb": "burn", "all": "1"}])
def test_nothing_chosen_is_nothing_done(site: Site, form: dict[str, str | list[str]]) -> None:
    """Everything has to be asked for by its name."""
    site.service.dead_letters.add("101", None, "canvas_500", "", 6)
    browser = site.browser("operator")
    browser.get("/dead-letters/confirm?verb=retry&all=1")
    assert browser.post("/dead-letters/act", form).status_code == 422
    assert site.service.changes.counts().due == 0


def test_pauses_are_set_and_lifted(site: Site) -> None:
    """With the reason for others to read; anything that cannot be paused is refused."""
    browser = site.browser("operator")
    browser.get("/courses/101")
    assert browser.post("/pause", {"target": "passback", "reason": " "}).status_code == 422
    assert browser.get("/pause?target=passback&reason=").status_code == 422
    assert list(site.service.pauses.all()) == []
    asked = browser.text("/pause?target=passback&reason=moving+house")
    assert "Pause everything?" in asked
    assert "1 course is connected: no grade of them reaches PowerSchool" in asked
    assert list(site.service.pauses.all()) == []
    browser.post("/pause", {"target": "passback", "reason": "moving house"})
    assert "Everything is paused by operator: moving house" in browser.text("/")
    assert "moving house" in browser.text("/courses/101")
    browser.post("/resume", {"target": "passback"})
    assert list(site.service.pauses.all()) == []
    assert browser.post("/pause", {"target": "course:x"}).status_code == 422
    assert [action.verb for action in site.service.actions.newest(2)] == [Verb.RESUME, Verb.PAUSE]


def test_a_course_that_canvas_does_not_have_is_not_paused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page says that there is no such course, and not that Canvas does not answer."""
    browser = site.browser("operator")
    browser.get("/courses/101")
    monkeypatch.setitem(site.service.__dict__, "canvas", NoCourse())
    refused = browser.post("/pause", {"target": "course:999", "reason": "exams"})
    assert (refused.status_code, "Canvas has no course of this id" in refused.text) == (404, True)
    assert list(site.service.pauses.all()) == []


class NoCourse:
    """A Canvas that has no course."""

    def check_course(self, course_id: str) -> None:
        raise CourseGone(f"GET /api/v1/courses/{{course_id}}: 404, course {course_id}")

    def close(self) -> None:
        """It has no connection."""


def test_a_course_that_waits_says_why(site: Site) -> None:
    """The course's own page names the cause of its wait, and what to do, until its work is done."""
    changes = site.service.changes
    changes.request("101", ChangeCause.PERSON)
    changes.claim_due(1)
    taken = changes.start_sync("101")
    assert taken is not None
    changes.reschedule(taken[0], timedelta(minutes=5), 0, "powerschool_unavailable")
    page = site.browser("viewer").text("/courses/101")
    assert "PowerSchool could not be reached, or is in maintenance (powerschool_unavailable)" in page
    changes.request("101", ChangeCause.PERSON)
    changes.claim_due(1)
    again = changes.start_sync("101")
    assert again is not None
    changes.release(again[0])
    assert "powerschool_unavailable" not in site.browser("viewer").text("/courses/101")


def test_a_course_in_an_outage_says_what_waits(site: Site) -> None:
    """Not that nobody has a score yet, where a change of the assignment waits; every page names the system."""
    nobody = AssignmentRecord("7", "Lab 1", (SectionRecord("4711", State.WAITING, (Finding(Reason.NOT_GRADED_YET),)),))
    site.service.records.save(replace(RECORD, assignments=(nobody,)))
    site.service.heartbeats.record("worker@here:1")
    browser = site.browser("viewer")
    assert Finding(Reason.NOT_GRADED_YET).message in browser.text("/courses/101")
    site.service.changes.request("101", ChangeCause.EVENT, ["7"])
    limiter = RemoteLimiter(site.service.redis, site.service.keys, "powerschool", site.service.clock, timedelta(0))
    limiter.record_failure("powerschool_unavailable", for_everybody=True)
    said = browser.text("/courses/101")
    assert re.search(r"PowerSchool has not answered since \d\d:\d\d; 1 change waits\.", said)
    assert "A newer change of this assignment waits." in said
    assert Finding(Reason.NOT_GRADED_YET).message not in said
    for path in ("/", "/courses", "/dead-letters", "/provisioning", "/actions", "/pulse"):
        assert re.search(r"PowerSchool has not answered since <time[^>]*>[\d:]+</time>\.", browser.get(path).text), path


def test_a_dead_letter_is_retried_on_its_course(site: Site) -> None:
    """One that is not open any more changes nothing."""
    dead_letter = site.service.dead_letters.add("101", "8", "canvas_500", "", 6)
    browser = site.browser("operator")
    said = browser.text("/courses/101")
    assert "Given up after 6 attempts: <b>Lab</b> 2." in said
    assert browser.post("/courses/101/retry", {"id": "assignment-101-9"}).status_code == 303
    assert site.service.changes.state_of("101").pending is None
    assert browser.post("/courses/101/retry", {"id": dead_letter.id}).headers["location"] == "/courses/101?done=retry"
    assert site.service.changes.state_of("101").pending is not None
    assert "It was retried" in browser.text("/courses/101")
    newest = site.service.actions.newest(1)[0]
    assert (newest.verb, newest.target) == (Verb.RETRY, dead_letter.id)


def test_a_held_plan_is_shown_row_by_row_and_approved(site: Site) -> None:
    """Exact rows, what Canvas refused in plain words, and who approved."""
    site.service.provisioning_service.start_tick = lambda: None
    browser = site.browser("operator")
    said = browser.text("/provisioning/7")
    for words in (
        "It would remove 12 enrollments",
        "SECTIONS.DCID 7",
        "added 4711 C1 S1",
        "removed 4712 C1 S2",
        "changed 4713 C1 b c",
        "The login is taken",
    ):
        assert words in said
    asked = browser.text("/provisioning/7/approve")
    assert "Approve the plan of run 7? " in asked
    assert "1 row added, 1 changed, 1 removed of sections of term 12-4100" in asked
    assert browser.post("/provisioning/7/approve", {}).status_code == 303
    newest = site.service.actions.newest(1)[0]
    assert (newest.verb, newest.target) == (Verb.APPROVE, "plan:7")


def test_no_page_shows_a_viewer_a_score(site: Site) -> None:
    """Whatever pages there are: each is there for a viewer, and none has a score of the audit log."""
    browser, asked = site.browser("viewer"), 0
    for path in paths(READ):
        for query in ("", "?student=S1", "?assignment=7"):
            response = browser.get(path + query)
            assert response.status_code in (200, 404, 409, 422, 503), path
            # A file has no frame around what it says.
            assert "7.5" not in (response.text.partition("<main")[2] or response.text), path
            asked += response.status_code == 200
    assert asked > 10
    assert "7.5" in site.browser("operator").text("/courses/101/history")


def test_a_viewer_sees_no_row_of_a_plan(site: Site) -> None:
    """Rows and Canvas's own words hold names: a viewer sees reasons and counts."""
    said = site.browser("viewer").text("/provisioning/7")
    for words in ("It would remove 12 enrollments", "1 added, 1 changed, 1 removed", "The login is taken"):
        assert words in said
    for words in ("added 4711 C1 S1", "removed 4712", "no such login"):
        assert words not in said


def test_without_provisioning_its_page_says_so() -> None:
    """There is nothing to decide."""
    assert "has not run here" in Site().browser("viewer").text("/provisioning")


def test_when_redis_is_away_the_page_says_so(site: Site) -> None:
    """A page, not a failure, and nothing of where it came from."""
    browser = site.browser("viewer")
    server = site.service.redis.connection_pool.connection_kwargs["server"]
    server.connected = False
    try:
        response = browser.get("/")
    finally:
        server.connected = True
    assert response.status_code == 503
    assert "Redis does not answer" in response.text


def test_a_redis_that_a_client_gave_up_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of passback's own client is one of Redis, and not of Canvas or PowerSchool; pages try again."""

    def away() -> None:
        raise RedisUnavailable("HGETALL", ConnectionError())

    browser = site.browser("viewer")
    monkeypatch.setattr(site.service.pauses, "all", away)
    page = browser.get("/")
    assert (page.status_code, "Redis does not answer" in page.text) == (503, True)
    assert '<body data-refresh="5" data-lost>' in page.text
    api = browser.get("/api/v1/status")
    assert (api.status_code, api.json()["error"]["code"]) == (503, "unavailable")


def test_a_record_of_before_the_lists_is_shown(site: Site) -> None:
    """A course whose summary is not there yet has its page and its place in the list."""
    site.service.redis.delete(site.service.keys.summaries)
    browser = site.browser("viewer")
    assert "Lab 1" in browser.text("/courses/101")
    assert "101" in browser.text("/courses")


def test_a_waiting_message_is_not_a_page(site: Site) -> None:
    """What nobody could read is counted and never shown: it may be anything."""
    stream = site.service.keys.stream(Stream.GRADE_CHANGES)
    site.service.redis.xadd(site.service.keys.malformed, {"stream": stream, "id": "1-1", "f:name": "Quackenbush"})
    browser = site.browser("operator")
    (dead_letter,) = site.service.dead_messages.all()
    for path in ("/dead-letters", "/dead-letters?cause=messages", f"/dead-letters/{dead_letter.id}"):
        assert "Quackenbush" not in browser.get(path).text
