"""Open pages follow what happens and say when they cannot: in a real browser, with processes that are taken away."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from shared.domain.passback.changes import ChangeCause
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.sandbox.district.small import Ids, user_id_of
from tests.fault_injection.redis_server import RedisServer
from tests.integration.chromium import chromium, faults_of
from tests.integration.town import Town, town
from workers.grade_passback.outage_probe import PROBE_INTERVAL
from workers.web.pages.rendering import STATIC

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

PASSWORD = "town-operator"
COURSE = Ids.HEALTHY_COURSE
STUDENT = user_id_of(Ids.STUDENTS_HEALTHY[0])
PAGES = (
    "/",
    f"/courses/{COURSE}",
    f"/courses/{COURSE}/history",
    "/courses",
    "/dead-letters",
    "/provisioning",
    "/actions",
)
MAX_SECONDS = 10
PLACE_OF_FOCUS = "document.activeElement.getBoundingClientRect().top"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def server() -> RedisServer:
    return RedisServer()


@pytest.fixture(scope="module")
def running(browser: Browser, server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    settings = {
        "QUIET_PERIOD_S": "0.1", "MAX_WAIT_S": "1", "OPERATOR_PASSWORD": PASSWORD,
        "DISTRICT_TIME_ZONE": "America/Chicago",
    }  # fmt: skip
    with town(tmp_path_factory.mktemp("logs"), server=server, **settings) as one:
        one.service.changes.request(str(COURSE), ChangeCause.PERSON)
        one.settle()
        yield one


@pytest.fixture
def context(browser: Browser, running: Town) -> Iterator[BrowserContext]:
    with browser.new_context() as one:
        page = one.new_page()
        page.goto(f"{running.web}/sign-in")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.close()
        yield one


def opened(context: BrowserContext, running: Town, path: str) -> Page:
    page = context.new_page()
    page.goto(running.web + path)
    return page


def test_what_is_lost_and_found_is_said_within_ten_seconds() -> None:
    """The longest interval of a page, and with it the wait for an answer or the interval of probes, are shorter."""
    script = (STATIC / "refresh.js").read_text()
    timeout = re.search(r"FETCH_TIMEOUT_MS = (\d+);", script)
    assert timeout is not None
    templates = [path.read_text() for path in (STATIC.parent / "templates").rglob("*.html")]
    blocks = [block for text in templates for block in re.findall(r"{% block refresh %}(.*?){% endblock %}", text)]
    intervals = [int(number) for block in blocks for number in re.findall(r"\b\d+\b", block)]
    assert intervals
    assert max(intervals) + int(timeout[1]) / 1000 < MAX_SECONDS
    assert max(intervals) + PROBE_INTERVAL.total_seconds() < MAX_SECONDS


def test_a_grade_appears_while_the_page_is_open(context: BrowserContext, running: Town) -> None:
    """On the course and in the list, without a reload and without losing anything."""
    course = opened(context, running, f"/courses/{COURSE}")
    courses = opened(context, running, "/courses")
    for page in (course, courses):
        page.evaluate("window.isSame = true")
    expect(course.locator("#as-of")).to_contain_text(re.compile(r"As of \d\d:\d\d:\d\d"))
    course.get_by_text("Pause this course").click()
    course.get_by_label("Why, for others to read").fill("typed before the grade")
    running.stage.grade("open", COURSE, 1021, STUDENT, 7)
    expect(course.locator("#assignments")).to_contain_text("1 of 1")
    expect(courses.locator(f"tr[data-key='{COURSE}']")).to_contain_text("1 of 1")
    assert course.get_by_label("Why, for others to read").input_value() == "typed before the grade"
    assert course.evaluate("document.activeElement.id") == "reason"
    assert [page.evaluate("window.isSame") for page in (course, courses)] == [True, True]


def test_a_refresh_changes_nothing_that_a_person_did(context: BrowserContext, running: Town) -> None:
    """Focus, opened details, ticks, typed text and scroll position stay where rows come and go around them."""
    for number in range(40):
        running.service.dead_letters.add(str(9000 + number), None, "canvas_500", "", 6)
    try:
        page = opened(context, running, "/dead-letters")
        box = page.get_by_label("choose course-9030")
        box.check()
        page.get_by_role("link", name="Course 9020").focus()
        page.evaluate("scrollTo(0, 700)")
        place = page.evaluate(PLACE_OF_FOCUS)
        running.service.dead_letters.close("9001", None)
        running.service.dead_letters.add("8000", None, "canvas_404", "", 1)
        expect(page.get_by_label("choose course-9001")).to_have_count(0)
        expect(page.get_by_role("link", name="Course 8000")).to_have_count(1)
        assert box.is_checked()
        assert page.evaluate("document.activeElement.textContent") == "Course 9020"
        assert page.evaluate(PLACE_OF_FOCUS) == pytest.approx(place, abs=1)
    finally:
        for dead_letter in running.service.dead_letters.all():
            running.service.dead_letters.close(dead_letter.course_id, None)


def test_every_page_says_that_redis_is_away_and_back(
    context: BrowserContext, running: Town, server: RedisServer
) -> None:
    """What it shows is named as old; a page that is opened meanwhile becomes itself."""
    pages = [opened(context, running, path) for path in PAGES]
    server.kill()
    try:
        for page in pages:
            expect(page.locator("#connection")).to_contain_text("Redis does not answer. What you see is as of")
        opened_meanwhile = opened(context, running, "/courses")
        expect(opened_meanwhile.get_by_role("heading", level=1)).to_have_text("Redis does not answer")
    finally:
        server.start()
    for page in pages:
        expect(page.locator("#connection")).to_contain_text("Redis answers again.")
    expect(opened_meanwhile.get_by_role("heading", level=1)).to_have_text("Courses")


def test_every_page_says_that_powerschool_is_away_and_back(context: BrowserContext, running: Town) -> None:
    """Though nobody calls it. The course says what waits, since when, and not that nothing is to be done."""
    pages = [opened(context, running, path) for path in PAGES]
    running.stage.powerschool_faults(maintenance=True)
    try:
        expect(pages[0].locator("#systems")).to_contain_text("PowerSchool has not answered since")
        running.stage.grade("away", COURSE, 1022, STUDENT, 5)
        for page in pages:
            expect(page.locator("#systems")).to_contain_text(
                re.compile(r"PowerSchool has not answered since \d\d:\d\d")
            )
        course = pages[1]
        expect(course.locator("#held-up")).to_contain_text(
            re.compile(r"PowerSchool has not answered since .*; \d+ changes? waits?")
        )
        expect(course.locator("#assignments")).to_contain_text("A newer change of this assignment waits.")
        expect(course.locator("#news")).to_contain_text("waits for PowerSchool")
        assert faults_of(course) == []
    finally:
        running.stage.powerschool_faults()
    for page in pages:
        expect(page.locator("#connection")).to_contain_text("PowerSchool answers again.")
        expect(page.locator("#systems")).to_be_empty()
    running.settle()
    expect(course.locator("#now")).to_contain_text("Nothing waits.")


def test_a_lost_session_and_a_lost_connection_are_said(context: BrowserContext, running: Town) -> None:
    """Signed out in another tab, the page says so and leads to where to sign in; back, it goes on."""
    page, preview = opened(context, running, "/"), opened(context, running, f"/courses/{COURSE}/plan")
    context.set_offline(True)
    for each in (page, preview):
        expect(each.locator("#connection")).to_contain_text("passback does not answer.")
    context.set_offline(False)
    for each in (page, preview):
        expect(each.locator("#connection")).to_contain_text("passback answers again.")
    cookies = context.cookies()
    context.clear_cookies()
    for each in (page, preview):
        expect(each.locator("#connection")).to_contain_text("You are signed out.")
        expect(each.locator("#connection").get_by_role("link", name="Sign in")).to_be_visible()
    context.add_cookies(cookies)  # type: ignore[arg-type]  # what `cookies` returns
    for each in (page, preview):
        expect(each.locator("#connection")).to_contain_text("You are signed in again.")


def test_a_dead_letter_is_retried_on_its_course(context: BrowserContext, running: Town) -> None:
    """Its cause and remedy are there, and one click runs it again."""
    page = opened(context, running, f"/courses/{COURSE}")
    running.service.dead_letters.add(str(COURSE), None, "canvas_500", "", 6)
    expect(page.get_by_text("Given up after 6 attempts: the whole course.")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    page.wait_for_url("**done=retry")
    running.settle()
    expect(page.get_by_text("Given up after 6 attempts")).to_have_count(0)
    assert running.service.dead_letters.all() == []


def test_a_run_page_ends_with_its_run(context: BrowserContext, running: Town) -> None:
    """It follows while the run is open, and asks for nothing afterwards."""
    runs = running.service.provision_runs
    run = Run("7", RunKind.ROSTER, RunCause.SCHEDULE, running.service.clock.now())
    lease = runs.lease()
    assert lease is not None
    run = runs.save(lease, run)
    page = opened(context, running, "/provisioning/7")
    assert page.evaluate("document.body.dataset.refresh") == "5"
    runs.save(lease, replace(run, state=RunState.DONE))
    runs.release(lease)
    expect(page.get_by_role("heading", level=1)).to_contain_text("done")
    expect(page.locator("#as-of")).to_contain_text("when this run had ended")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6000)
    assert asked == []
