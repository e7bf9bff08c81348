"""What a person does inside Canvas: sees why a grade is not there, mends it, and watches it arrive."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, expect

from shared.domain.passback.changes import ChangeCause
from shared.sandbox.canvas.state import SERVICE_USER_ID
from shared.sandbox.district.small import Ids, student_dcid_of, user_id_of
from tests.integration.chromium import Watch, faults_of
from tests.integration.lti.two_sites import TwoSites
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("two_sites")]

TEACHER, STUDENT = Ids.CANVAS_TEACHER, Ids.STUDENTS_A[0]
COURSE = f"/courses/{Ids.COURSE}"
PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser(sites: TwoSites) -> Iterator[BrowserContext]:
    sites.service.changes.request(str(Ids.COURSE), ChangeCause.PERSON)
    sites.settle()
    with sites.browser() as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    yield page
    page.close()


def row_of(frame: FrameLocator, assignment_id: int) -> Locator:
    """Return what the page says of an assignment."""
    return frame.locator(f"tbody[data-key='{assignment_id}']")


def has_score(sites: TwoSites, name: str) -> bool:
    """Say whether PowerSchool has the student's score in an assignment that passback made."""
    rows = (row for row in sites.stage.gradebook() if row["name"] == name and row["created_by_plugin"])
    return any(str(student_dcid_of(STUDENT)) in row["scores"] for row in rows)  # type: ignore[operator]


def set_due_date(page: Page, sites: TwoSites, assignment_id: int, day: str) -> None:
    """Enter a due date on the assignment's own page in Canvas."""
    page.goto(sites.page_url(f"{COURSE}/assignments/{assignment_id}", **{"as": TEACHER}))
    page.get_by_label("Due").fill(f"{day}T23:59")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Due")).to_have_value(f"{day}T23:59")


def due_day(sites: TwoSites) -> str:
    """Return the due day of an assignment that is in order."""
    due = next(str(each["due_at"]) for each in sites.stage.assignments() if each["id"] == Ids.LAB_REPORT)
    return due[:10]


def test_a_teacher_mends_a_reason_and_watches_it_arrive(sites: TwoSites, browser: BrowserContext, page: Page) -> None:
    """From the course menu; the page in the frame is not loaded again."""
    page.goto(sites.page_url(COURSE, **{"as": TEACHER}))
    page.get_by_role("navigation").get_by_role("link", name="PowerSchool sync").click()
    frame = page.frame_locator("iframe[name=tool_content]")
    row = row_of(frame, Ids.DUE_DATE_MISSING)
    expect(frame.locator("#needs-teacher").get_by_text("Open-ended inquiry")).to_be_visible()
    expect(row).to_contain_text("Enter a due date in Canvas")
    link = row.get_by_role("link", name="Open-ended inquiry in Canvas")
    assert link.get_attribute("target") == "_top"
    assert link.get_attribute("href") == f"{sites.canvas_url}{COURSE}/assignments/{Ids.DUE_DATE_MISSING}"
    (inside,) = (each for each in page.frames if each.name == "tool_content")
    inside.evaluate("window.isSame = true")

    other = browser.new_page()
    set_due_date(other, sites, Ids.DUE_DATE_MISSING, due_day(sites))
    other.close()

    expect(frame.locator("#needs-teacher").get_by_text("Open-ended inquiry")).to_have_count(0)
    expect(row).to_contain_text("agrees")
    assert inside.evaluate("window.isSame") is True
    assert has_score(sites, "Open-ended inquiry")


def test_the_same_from_the_gradebook_s_sync(sites: TwoSites, browser: BrowserContext, page: Page) -> None:
    """Sync now is there, and Done closes the dialog."""
    page.goto(sites.page_url(f"{COURSE}/gradebook", **{"as": TEACHER}))
    page.locator("summary", has_text="Sync").click()
    page.get_by_role("button", name="PowerSchool").click()
    frame = page.frame_locator("iframe[name=tool_content]")
    row = row_of(frame, Ids.DUE_DATE_OUTSIDE_TERM)
    expect(row).to_contain_text("Choose a due date within the term.")

    other = browser.new_page()
    set_due_date(other, sites, Ids.DUE_DATE_OUTSIDE_TERM, due_day(sites))
    other.close()
    frame.get_by_role("button", name="Sync now").click()
    expect(frame.locator("#needs-teacher").get_by_text("Next term's reading")).to_have_count(0)
    wait_until(lambda: has_score(sites, "Next term's reading"))

    frame.get_by_role("link", name="Done").click()
    expect(page.locator("dialog")).to_be_hidden()


def test_a_student_sees_nothing_of_the_course(sites: TwoSites, page: Page) -> None:
    """From every address that opens the tool: a sentence, and no byte of the course."""
    for query in ({}, {"placement": "post_grades"}, {"placement": "assignment_menu", "assignment_id": Ids.LAB_REPORT}):
        frame = sites.open_tool(page, user_id_of(STUDENT), **query)
        expect(frame.get_by_text("This page is for the course's teachers.")).to_be_visible()
        content = frame.locator("html").inner_html()
        assert "Lab report" not in content
        assert str(Ids.SECTION_A_DCID) not in content


def test_an_administrator_who_acts_as_the_teacher_only_looks(sites: TwoSites, page: Page) -> None:
    """The page says so, and has no Sync now."""
    frame = sites.open_tool(page, SERVICE_USER_ID, become_user_id=TEACHER)
    expect(frame.get_by_text("You can look, and not sync.")).to_be_visible()
    expect(frame.get_by_role("button", name="Sync now")).to_have_count(0)


def test_an_administrator_finds_the_course_in_the_account(sites: TwoSites, page: Page) -> None:
    """Those with problems first; one click from the list to the reasons."""
    frame = sites.open_tool(page, SERVICE_USER_ID, "/accounts/1")
    frame.get_by_role("button", name="Science, periods 1 and 3").click()
    expect(row_of(frame, Ids.NAME_TOO_LONG)).to_contain_text("Shorten the name")


def test_the_assignment_s_menu_gives_its_own_answer(sites: TwoSites, page: Page) -> None:
    """And no other assignment's."""
    frame = sites.open_tool(page, TEACHER, placement="assignment_menu", assignment_id=Ids.NAME_TOO_LONG)
    expect(frame.locator("main")).to_contain_text("Shorten the name in Canvas")
    expect(frame.get_by_text("Open-ended inquiry")).to_have_count(0)


def test_by_keyboard_alone(sites: TwoSites, page: Page) -> None:
    """From Canvas's menu into the frame to Sync now, which is pressed with Enter and announced to Canvas."""
    frame = sites.open_tool(page, TEACHER)
    button = frame.get_by_role("button", name="Sync now")
    expect(button).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("(each) => each === document.activeElement"):
            break
    assert button.evaluate("(each) => getComputedStyle(each).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(frame.locator("#now")).to_be_visible()
    sites.settle()
    expect(page.locator("#flash_screenreader_holder")).not_to_be_empty()


def test_the_frame_is_as_high_as_its_page(sites: TwoSites, page: Page) -> None:
    """Canvas resizes it: only one thing scrolls."""
    frame = sites.open_tool(page, TEACHER)
    expect(frame.get_by_role("button", name="Sync now")).to_be_visible()
    height = frame.locator("body").evaluate("(each) => each.scrollHeight")
    wait_until(lambda: page.locator("iframe[name=tool_content]").evaluate("(each) => each.clientHeight") >= height)


def test_every_page_works_without_javascript_after_the_launch(sites: TwoSites, page: Page) -> None:
    """Its forms lead from page to page in the frame."""
    frame = sites.open_tool(page, TEACHER)
    for name, heading in (("History", "written"), ("One student", "student"), ("Assignments", "Science")):
        frame.get_by_role("navigation").get_by_role("button", name=name).click()
        expect(frame.get_by_role("heading", level=1)).to_contain_text(re.compile(heading, re.IGNORECASE))


def pages_of(sites: TwoSites, page: Page) -> Iterator[str]:
    """Open every page inside Canvas, one after the other, and yield its name once it is there."""
    frame = sites.open_tool(page, TEACHER)
    expect(frame.get_by_role("button", name="Sync now")).to_be_visible()
    yield "course"
    for name in ("Preview", "One student", "History"):
        frame.get_by_role("navigation").get_by_role("button", name=name).click()
        expect(frame.locator("nav [aria-current=page]")).to_have_text(name)
        yield name
    frame = sites.open_tool(page, TEACHER, placement="post_grades")
    expect(frame.get_by_role("link", name="Done")).to_be_visible()
    expect(frame.locator("#plan")).not_to_have_attribute("aria-busy", "true")
    yield "post_grades"
    frame = sites.open_tool(page, TEACHER, placement="assignment_menu", assignment_id=Ids.LAB_REPORT)
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    yield "assignment"
    frame = sites.open_tool(page, SERVICE_USER_ID, "/accounts/1")
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    yield "account"
    frame = sites.open_tool(page, user_id_of(STUDENT))
    expect(frame.get_by_role("heading", level=1)).to_be_visible()
    yield "refused"


@pytest.mark.parametrize(("size", "contrast"), [(WIDE, "normal"), (PHONE, "high")], ids=["wide", "phone"])
def test_every_page_in_the_frame_is_for_everybody(
    sites: TwoSites, page: Page, size: dict[str, int], contrast: str
) -> None:
    """By axe-core's rules and our own, with everything opened; nothing in it breaks the policy of its headers."""
    watch = Watch()
    watch.over(page.context)
    page.set_viewport_size(size)  # type: ignore[arg-type]
    is_high = contrast == "high"
    for user in (TEACHER, SERVICE_USER_ID):
        sites.stage.act(do="edit_user", user_id=user, changes={"prefers_high_contrast": is_high})
    found = {}
    for name in pages_of(sites, page):
        (frame,) = (each for each in page.frames if each.name == "tool_content")
        for details in frame.locator("details").all():
            details.evaluate("(each) => { each.open = true; }")
        found[name] = faults_of(frame)
    assert {name: faults for name, faults in found.items() if faults} == {}
    assert [problem for problem in watch.problems if "policy" in problem.lower()] == []
