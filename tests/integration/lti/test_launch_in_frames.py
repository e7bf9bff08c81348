"""A launch in a real browser, on two real sites: whatever it does with cookies, and whatever storage Canvas offers."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.lti.two_sites import CookieRegime, TwoSites

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two_sites")]

TEACHER, STUDENT = Ids.CANVAS_TEACHER, user_id_of(Ids.STUDENTS_A[0])


@pytest.fixture(scope="module", params=CookieRegime, ids=lambda regime: regime.value)
def regime(request: pytest.FixtureRequest) -> CookieRegime:
    found: CookieRegime = request.param
    return found


@pytest.fixture(scope="module")
def browser(sites: TwoSites, regime: CookieRegime) -> Iterator[BrowserContext]:
    with sites.browser(regime) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def expect_opened(page: Page | FrameLocator) -> None:
    """Wait for a page with the token of a launch."""
    expect(page.locator("input[name=lti_token]").first).to_be_attached()


@pytest.mark.parametrize("storage", ["parent", "forward"])
def test_with_storage_the_page_opens_in_the_frame(sites: TwoSites, page: Page, storage: str) -> None:
    """In every regime of cookies."""
    expect_opened(sites.open_tool(page, TEACHER, storage=storage))


def test_without_storage_it_needs_a_cookie(sites: TwoSites, page: Page, regime: CookieRegime) -> None:
    """Its own or a partitioned one; where there is none, a new tab has one."""
    frame = sites.open_tool(page, TEACHER, storage="none")
    if regime is not CookieRegime.BLOCKED:
        expect_opened(frame)
        return
    expect(frame.get_by_role("heading", level=1)).to_have_text("Open passback in a new tab")
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Open in a new tab").click()
    expect_opened(opened.value)
    opened.value.close()


@pytest.mark.parametrize("storage", ["parent", "forward"])
def test_a_student_is_refused_with_a_sentence(sites: TwoSites, page: Page, storage: str) -> None:
    """And sees nothing of the course."""
    frame = sites.open_tool(page, STUDENT, storage=storage)
    expect(frame.get_by_text("This page is for the course's teachers.")).to_be_visible()
