"""Installing passback in Canvas, in a real browser: a link, the registration, an operator's word, and a launch."""

import json

import pytest
from playwright.sync_api import expect

from shared.sandbox.canvas.state import SERVICE_USER_ID
from shared.sandbox.district.small import Ids
from tests.integration.lti.two_sites import TwoSites

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("two_sites")]


def test_an_administrator_installs_passback_by_its_link(sites: TwoSites) -> None:
    """Its launches are refused until an operator has confirmed the registration; the link does not work twice."""
    url = json.loads(sites.passback("lti", "register", "--json"))["url"]
    page_of_canvas = sites.page_url("/accounts/1/lti_registrations", **{"as": SERVICE_USER_ID}, url=url)
    with sites.browser() as context:
        page = context.new_page()
        page.goto(page_of_canvas)
        frame = page.frame_locator("iframe[name=tool_content]")
        expect(frame.get_by_role("heading", level=1)).to_have_text("Passback is registered")

        listed = json.loads(sites.passback("lti", "list", "--json"))
        (registration,) = listed["registrations"]
        tools = sites.stage.http.get(f"{sites.platform_url}/_sandbox/lti/tools").json()
        (tool,) = (each for each in tools if each["client_id"] == registration["client_id"])
        assert {each["placement"] for each in tool["placements"]} == {
            "course_navigation", "account_navigation", "post_grades", "assignment_menu",
        }  # fmt: skip
        assert tool["privacy_level"] == "anonymous"

        address = sites.page_url(f"/courses/{Ids.COURSE}/external_tools/{tool['id']}", **{"as": Ids.CANVAS_TEACHER})
        page.goto(address)
        expect(frame.get_by_text("nobody has confirmed that here yet")).to_be_visible()
        sites.passback("lti", "confirm", registration["client_id"])
        page.goto(address)
        expect(frame.get_by_role("button", name="Sync now")).to_be_visible()

        page.goto(page_of_canvas)
        expect(frame.get_by_text("This registration link was used already")).to_be_visible()

        sites.passback("lti", "remove", registration["client_id"], "--yes")
        page.goto(address)
        expect(frame.get_by_text("is not registered here")).to_be_visible()
        removed = {"client_id": registration["client_id"]}
        sites.stage.http.delete(f"{sites.platform_url}/_sandbox/lti/tools", params=removed).raise_for_status()
