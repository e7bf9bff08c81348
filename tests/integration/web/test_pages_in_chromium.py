"""The status pages of a running installation in a real browser: by mouse, by keyboard, and without JavaScript."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from shared.domain.passback.changes import ChangeCause
from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.chromium import REPORT_VIOLATIONS, Watch, chromium, faults_in_all_looks
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

PASSWORD = "town-operator"
COURSE = Ids.HEALTHY_COURSE
PAGES = (
    "/", "/courses", "/courses?problems=1", f"/courses/{Ids.COURSE}", f"/courses/{COURSE}/plan",
    f"/courses/{COURSE}/plan?assignment=1021", f"/courses/{COURSE}/student?student={Ids.STUDENTS_HEALTHY[0]}",
    f"/courses?person={Ids.STUDENTS_HEALTHY[0]}", f"/courses/{COURSE}/student?student=nobody",
    f"/courses/{COURSE}/history", "/dead-letters", f"/dead-letters/assignment-{COURSE}-1021",
    "/dead-letters/confirm?verb=retry&all=1", "/provisioning", "/actions", "/nothing",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def running(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Yield a town with a synced course, and a dead letter whose cause is over."""
    settings = {"QUIET_PERIOD_S": "0.1", "MAX_WAIT_S": "1", "RETRY_WAITS_S": "0.1", "OPERATOR_PASSWORD": PASSWORD}
    with town(tmp_path_factory.mktemp("logs"), **settings) as one:
        one.service.changes.request(str(Ids.COURSE), ChangeCause.PERSON)
        one.settle()
        fail(one)
        # The chart has something to show.
        one.service.counters.observe(one.service.clock.now(), one.service.clock.now())
        # A name as long as they come, seen a moment ago: it must not make a phone's page wider than its window.
        one.service.heartbeats.record("provisioning-worker@a-host-of-a-long-name.district.example:1234567")
        yield one


def fail(running: Town) -> None:
    """Make one score a dead letter; afterwards PowerSchool is well again."""
    failure = {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 500, "body": "{}", "times": 1000}
    running.stage.powerschool_faults(fail_next=[failure])
    running.stage.grade("failing", COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), time.monotonic() % 9)
    until = time.monotonic() + 30
    while not running.service.dead_letters.of_course(str(COURSE)) or not running.is_idle():
        assert time.monotonic() < until
        time.sleep(0.05)
    running.stage.powerschool_faults()


def signed_in(context: BrowserContext, running: Town) -> Page:
    page = context.new_page()
    page.goto(f"{running.web}/sign-in")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    return page


def test_every_page_is_for_everybody(browser: Browser, running: Town) -> None:
    """Names, headings, landmarks and contrast are as they should be; nothing comes from elsewhere or breaks a rule."""
    watch = Watch()
    with browser.new_context() as context:
        context.add_init_script(REPORT_VIOLATIONS)
        watch.over(context)
        page = signed_in(context, running)
        for path in PAGES:
            page.goto(running.web + path)
            assert faults_in_all_looks(page) == [], path
    assert [url for url in watch.urls if not url.startswith(running.web)] == []
    assert [problem for problem in watch.problems if "404" not in problem] == []


def test_the_overview_follows_by_itself(browser: Browser, running: Town) -> None:
    """Without anybody loading it again."""
    with browser.new_context() as context:
        page = signed_in(context, running)
        assert "is being moved" not in page.content()
        running.service.pauses.pause("course:999", "somebody", "is being moved")
        try:
            expect(page.get_by_text("Course 999 is paused by somebody: is being moved")).to_be_visible()
        finally:
            running.service.pauses.resume("course:999")


def test_a_refresh_keeps_what_is_open_and_focused(browser: Browser, running: Town) -> None:
    """Whoever reads a table by keyboard is not thrown out of it."""
    with browser.new_context() as context:
        page = signed_in(context, running)
        page.get_by_text("The numbers", exact=True).focus()
        page.keyboard.press("Enter")
        running.service.pauses.pause("course:998", "somebody", "is being copied")
        try:
            expect(page.get_by_text("Course 998 is paused by somebody: is being copied")).to_be_visible()
        finally:
            running.service.pauses.resume("course:998")
        expect(page.get_by_role("table", name="Changes by the hour")).to_be_visible()
        assert focused(page) == "The numbers"


def test_courses_are_found_while_typing(browser: Browser, running: Town) -> None:
    """The list follows, and the address with it."""
    with browser.new_context() as context:
        page = signed_in(context, running)
        page.goto(f"{running.web}/courses")
        expect(page.get_by_role("link", name=str(COURSE))).to_be_visible()
        page.get_by_label("Course: name, Canvas id or section").press_sequentially("scien")
        expect(page.get_by_role("link", name=str(COURSE), exact=True)).to_have_count(0)
        expect(page.get_by_text("Science, periods 1 and 3")).to_be_visible()
        assert "q=scien" in page.url


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_dead_letter_is_retried(browser: Browser, running: Town, has_scripts: bool) -> None:
    """From the Overview to the end of its work, with and without JavaScript."""
    if not running.service.dead_letters.of_course(str(COURSE)):
        fail(running)
    with browser.new_context(java_script_enabled=has_scripts) as context:
        page = signed_in(context, running)
        page.get_by_role("link", name="Go there").first.click()
        page.get_by_label(f"choose assignment-{COURSE}-1021").check()
        page.get_by_role("button", name="Retry the chosen").click()
        page.get_by_role("button", name="Retry 1 dead letter").click()
        expect(page.get_by_text("1 of 1 retried")).to_be_visible()
        running.settle()
        page.goto(f"{running.web}/dead-letters")
        expect(page.get_by_text("None.")).to_be_visible()
    assert running.service.dead_letters.all() == []


def test_a_sync_is_asked_for_by_keyboard_alone(browser: Browser, running: Town) -> None:
    """From the sign-in to the button: what has the focus can be seen, and the first stop skips the navigation."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{running.web}/courses/{COURSE}")
        expect(page.get_by_label("Password")).to_be_focused()
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sync now")).to_be_visible()
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(8):
            page.keyboard.press("Tab")
            if focused(page) == "Sync now":
                break
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url("**done=sync")
        running.settle()
        newest = running.service.actions.newest(1)[0]
        assert (newest.verb, newest.target) == ("sync", f"course:{COURSE}")


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent.trim()")
    return text
