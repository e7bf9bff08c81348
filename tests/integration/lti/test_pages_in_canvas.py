"""The pages in a frame of Canvas's, in Chromium: for everybody, as high as they are, and current without reloading."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.chromium import REPORT_VIOLATIONS, Watch, chromium, faults_of
from tests.integration.lti.canvas_frame import Opened, open_in_canvas, served
from tests.unit.web.lti.canvas_site import CanvasSite

pytestmark = pytest.mark.slow

PAGES = (
    ("/lti/course", {}), ("/lti/course", {"names": "1"}), ("/lti/course/preview", {}), ("/lti/course/history", {}),
    ("/lti/course/student", {}), ("/lti/course/student", {"student": "S1"}), ("/lti/course/totals", {}),
    ("/lti/course/totals", {"student": "S1"}), ("/lti/post-grades", {}),
    ("/lti/assignment", {"assignment": "12"}),
)  # fmt: skip
HISTORY = "**/lti/course/history"
ACCOUNT = (("/lti/account", {}), ("/lti/account/search", {"q": "bio"}), ("/lti/account/search", {"person": "nobody"}))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def canvas() -> CanvasSite:
    """Return a site on which every group has an assignment and a student is held back."""
    canvas = CanvasSite()
    canvas.school.powerschool.refused_students = {501: ""}
    canvas.sync()
    canvas.school.powerschool.refused_students = {}
    return canvas


@pytest.fixture
def address(canvas: CanvasSite) -> Iterator[str]:
    with served(canvas) as one:
        yield one


@pytest.mark.parametrize(("width", "high_contrast"), [(1200, False), (390, True)])
def test_every_page_is_for_everybody(
    browser: Browser, canvas: CanvasSite, address: str, width: int, high_contrast: bool
) -> None:
    """Light in a dark system too, with everything opened; nothing comes from elsewhere or breaks a rule."""
    found, watch = {}, Watch()
    with browser.new_context(color_scheme="dark", viewport={"width": width, "height": 800}) as context:
        context.add_init_script(REPORT_VIOLATIONS)
        watch.over(context)
        for path, form in (*PAGES, *ACCOUNT):
            frame = canvas.administrator() if "account" in path else canvas.frame(high_contrast=high_contrast)
            opened = open_in_canvas(context, address, path, frame, **form)
            for details in opened.frame.locator("details").all():
                details.evaluate("(each) => { each.open = true; }")
            found[path, *form.values()] = faults_of(opened.frame)
            opened.page.close()
    assert {page: faults for page, faults in found.items() if faults} == {}
    assert watch.problems == []


def test_the_frame_is_as_high_as_its_page(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """Also after something in it was opened, with the token that Canvas asks for."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        height = "document.body.scrollHeight"
        opened.page.wait_for_function("() => messages.some((each) => each.subject === 'lti.frameResize')")
        before = opened.frame.evaluate(height)
        opened.frame.get_by_text("1 student held back").click()
        opened.page.wait_for_function(
            "(before) => messages.filter((m) => m.subject === 'lti.frameResize').at(-1).height > before", arg=before
        )
        last = opened.messages("lti.frameResize")[-1]
        assert (last["height"], last["token"]) == (opened.frame.evaluate(height), "m1")


def test_names_come_after_the_page(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """The page is there without asking Canvas; names stay when it follows."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        held = opened.frame.locator("#held")
        expect(held).to_contain_text("Zimt, Ada · Student S1")
        opened.frame.evaluate("refresh()")
        expect(held).to_contain_text("Zimt, Ada · Student S1")
        expect(opened.frame.get_by_role("button", name="Show the students' names")).to_have_count(0)


def test_names_that_canvas_does_not_have_are_asked_for_once(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """A student who is not among Canvas's any more has no name: a page that follows does not ask each time."""
    canvas.people.students = lambda *_, **__: ()  # type: ignore[method-assign]
    with browser.new_context() as context:
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        opened.page.wait_for_function("() => messages.length")
        for _ in range(3):
            opened.frame.evaluate("refresh()")
        expect(opened.frame.locator("#held")).to_contain_text("Student S1")
        assert (asked.count("names"), asked.count("course") >= 4) == (1, True)


def test_a_sync_is_followed_and_announced(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """From the button to the end, without reloading; a screen reader outside the frame is told."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        opened.frame.get_by_role("button", name="Sync now").click()
        # On a busy machine the heartbeat of the site's worker may be too old by now.
        expect(opened.frame.locator("#now")).to_have_attribute("data-announce", re.compile("waiting|no_worker"))
        finish_sync(canvas)
        expect(opened.frame.locator("#headline")).to_contain_text("1 of 2 assignments agrees with PowerSchool")
        opened.page.wait_for_function("() => messages.some((m) => m.subject === 'lti.screenReaderAlert')")
        assert "agrees with PowerSchool" in opened.messages("lti.screenReaderAlert")[-1]["body"]


def finish_sync(canvas: CanvasSite) -> None:
    """Do what a worker does with the request."""
    changes = canvas.site.service.changes
    assert changes.claim_due(5) == ["1"]
    taken = changes.start_sync("1")
    assert taken is not None
    canvas.sync()
    assert changes.release(taken[0])


def test_the_gradebook_shows_the_plan_by_itself(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """The page is there at once; both gradebooks are read behind it, and only what would change is listed."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/post-grades", canvas.frame())
        plan = opened.frame.locator("#plan")
        expect(plan).to_contain_text("A sync would send 1 score.")
        expect(plan).to_contain_text("Zimt, Ada · S1")
        expect(plan).not_to_contain_text("Lab report")
        opened.frame.evaluate("refresh()")
        expect(plan).to_contain_text("A sync would send 1 score.")


def test_everything_works_without_javascript(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """Names, plan, student, totals and sync by forms alone."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        token = f'<input name="lti_token" value="{canvas.frame().token}">'
        form = f'<form method="post" action="{address}/lti/course">{token}<button>Open</button></form>'
        page.set_content(form)
        page.get_by_role("button", name="Open").click()
        walk(page)
    assert canvas.site.service.changes.state_of("1").pending is not None


def walk(page: Page) -> None:
    page.get_by_role("button", name="Show the students' names").click()
    expect(page.locator("#held")).to_contain_text("Zimt, Ada")
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_text("A sync would send 1 score.")).to_be_visible()
    page.get_by_role("button", name="One student").click()
    page.get_by_label("Name").select_option("S2")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="Anis, Bo")).to_be_visible()
    page.get_by_role("button", name="Why the student's totals differ").click()
    expect(page.get_by_role("heading", name="Anis, Bo · S2 · Period 1")).to_be_visible()
    page.get_by_role("button", name="All students").click()
    page.get_by_role("button", name="Zimt, Ada").click()
    expect(page.get_by_text("Canvas's total")).to_be_visible()
    page.get_by_role("button", name="Assignments").click()
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator("#now")).to_have_attribute("data-announce", re.compile("waiting|no_worker"))


def test_a_page_whose_hour_is_over_says_so(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """It stays readable, and names the way back in."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        opened.frame.evaluate("() => { document.body.dataset.fields = 'lti_token=old'; return refresh(); }")
        expect(opened.frame.locator("#connection")).to_contain_text("Open it again from its link in Canvas")
        expect(opened.frame.get_by_text("Lab report")).to_be_visible()
        opened.frame.evaluate(
            "() => document.querySelectorAll('[name=lti_token]').forEach((each) => { each.value = 'old'; })"
        )
        opened.frame.get_by_role("button", name="Sync now").click()
        expect(opened.frame.locator("main")).to_contain_text("Open it again from its link in Canvas")
        assert canvas.site.service.changes.state_of("1").pending is None


def test_keyboard_reaches_what_acts(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """The ways to the other pages first, then the sync."""
    with browser.new_context() as context:
        opened: Opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        opened.frame.locator("body").click(position={"x": 1, "y": 1})
        reached = []
        for _ in range(7):
            opened.page.keyboard.press("Tab")
            reached.append(opened.frame.evaluate("document.activeElement.textContent"))
        assert reached[:6] == ["Assignments", "Preview", "One student", "Totals", "History", "Sync now"]


def test_an_answer_that_is_no_page_leaves_the_page(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """As JSON is, with which a web process without Redis or with too many requests answers."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        opened.page.route(HISTORY, lambda route: route.fulfill(status=503, json={"error": {}}))
        opened.frame.get_by_role("button", name="History").click()
        expect(opened.frame.locator("#connection")).to_contain_text("passback does not answer.")
        expect(opened.frame.get_by_text("Lab report")).to_be_visible()
        opened.page.unroute(HISTORY)
        opened.frame.get_by_role("button", name="History").click()
        expect(opened.frame.locator("h1")).to_have_text("What was written to PowerSchool")
        expect(opened.frame.locator("#connection")).to_have_text("passback answers again.")


def test_back_leads_to_the_page_before(browser: Browser, canvas: CanvasSite, address: str) -> None:
    """Also after a sync, which going back asks for no second time; and forward again."""
    with browser.new_context() as context:
        opened = open_in_canvas(context, address, "/lti/course", canvas.frame())
        frame, heading = opened.frame, opened.frame.locator("h1")
        frame.get_by_role("button", name="History").click()
        expect(heading).to_have_text("What was written to PowerSchool")
        frame.get_by_role("button", name="Preview", exact=True).click()
        expect(heading).to_have_text("What a sync would do now")
        frame.get_by_role("button", name="Sync now").click()
        expect(frame.locator("#request")).to_contain_text("The sync that you asked for at")
        actions = len(canvas.site.service.actions.newest(10))
        opened.page.evaluate("history.back()")
        expect(heading).to_have_text("What a sync would do now")
        opened.page.evaluate("history.back()")
        expect(heading).to_have_text("What was written to PowerSchool")
        opened.page.evaluate("history.forward()")
        expect(heading).to_have_text("What a sync would do now")
        opened.page.evaluate("history.forward()")
        expect(frame.locator("#request")).to_contain_text("The sync that you asked for at")
        assert len(canvas.site.service.actions.newest(10)) == actions
        assert faults_of(frame) == []
