"""A launch opens in the browser that began its login, and in no other one."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.web.lti.launch_kit import Canvas, claims, login_fields
from tests.unit.web.lti.test_launch_refusals import assert_refused
from tests.unit.web.site_kit import Browser
from workers.web.lti.refusals import Refusal


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


def framed_login(canvas: Canvas, browser: Browser, **changed: str) -> tuple[dict[str, str], str]:
    """Begin a login with storage; return what the page would store, and the page."""
    browser.headers = {"sec-fetch-dest": "iframe"}
    response = browser.get("/lti/login", params=login_fields(**changed))
    assert response.status_code == 200, response.text
    return dict(re.findall(r'data-(\w+)="([^"]*)"', response.text)), response.text


def again(page: str) -> dict[str, str]:
    """Return the fields of the login that the page begins again in a new tab."""
    (address,) = re.findall(r'href="(/lti/login[^"]*)" target="_blank"', page)
    found = {name: values[0] for name, values in parse_qs(urlsplit(unescape(address)).query).items()}
    assert set(found) == {"iss", "login_hint", "client_id", "target_link_uri", "lti_message_hint"}
    return found


def waiting_launch(canvas: Canvas, browser: Browser, *, with_cookie: bool = False, **fields: str) -> dict[str, str]:
    """Go as far as the page that asks for the proof; return its hidden fields."""
    asked = canvas.begin(browser)
    if not with_cookie:
        browser.cookies.clear()
    response = canvas.post(browser, canvas.sign(claims(canvas.now(), nonce=asked["nonce"])), asked["state"], **fields)
    assert response.status_code == 200
    assert "lti_token" not in response.text
    launch = re.search(r'name="launch" value="([^"]+)"', response.text)
    assert launch
    return {"launch": launch[1], "page": response.text, "state": asked["state"]}


def proof_of(canvas: Canvas, state: str) -> str:
    tool = canvas.tool()
    read = tool.states.read(state, canvas.site.service.clock.now())
    assert read is not None
    return tool.states.proof(read)


def test_with_storage_the_proof_is_stored_before_canvas_is_asked(canvas: Canvas) -> None:
    """The page names Canvas's frame, the only origin that may answer, the proof, and where to go on."""
    data, _ = framed_login(canvas, canvas.browser(), lti_storage_target="post_message_forwarding")
    assert (data["target"], data["origin"]) == ("post_message_forwarding", "https://sso.canvaslms.com")
    assert data["next"].startswith("https://sso.canvaslms.com/api/lti/authorize_redirect?")
    assert re.fullmatch(r"pb-state-\d{1,2}", data["key"])
    assert re.fullmatch(r"[0-9a-f]{32}", data["proof"])
    assert data["proof"] not in data["next"]


def test_a_launch_with_the_proof_from_storage_opens(canvas: Canvas) -> None:
    """Without a cookie, the browser's proof opens the launch, once."""
    browser = canvas.browser()
    waiting = waiting_launch(canvas, browser, lti_storage_target="post_message_forwarding")
    assert 'data-target="post_message_forwarding"' in waiting["page"]
    form = {"launch": waiting["launch"], "proof": proof_of(canvas, waiting["state"])}
    response = browser.post("/lti/finish", form, token="")
    assert response.status_code == 200
    assert "PowerSchool sync" in response.text
    assert_refused(canvas, browser.post("/lti/finish", form, token=""), Refusal.LAUNCH_USED)


@pytest.mark.parametrize("proof", ["", "0" * 64, "ü"])
def test_a_launch_finished_in_another_browser_is_refused(canvas: Canvas, proof: str) -> None:
    """Whoever has state and launch, but not the proof, opens nothing; the launch is spent with the attempt."""
    waiting = waiting_launch(canvas, canvas.browser())
    other = canvas.browser()
    assert_refused(
        canvas,
        other.post("/lti/finish", {"launch": waiting["launch"], "proof": proof}, token=""),
        Refusal.OTHER_BROWSER,
    )
    right = {"launch": waiting["launch"], "proof": proof_of(canvas, waiting["state"])}
    assert other.post("/lti/finish", right, token="").status_code == Refusal.LAUNCH_USED.status


def test_the_cookie_of_another_login_does_not_do(canvas: Canvas) -> None:
    """An attacker's launch in the browser of somebody who has begun a login of his own does not open."""
    victim, attacker = canvas.browser(), canvas.browser()
    canvas.begin(victim)
    asked = canvas.begin(attacker)
    response = canvas.post(victim, canvas.sign(claims(canvas.now(), nonce=asked["nonce"])), asked["state"])
    assert "lti_token" not in response.text
    assert 'name="proof" value=""' in response.text


def test_two_tabs_open_at_once(canvas: Canvas) -> None:
    """Logins that are under way together do not overwrite each other's cookies."""
    browser = canvas.browser()
    first, second = canvas.begin(browser), canvas.begin(browser)
    for asked in (first, second):
        token = canvas.sign(claims(canvas.now(), nonce=asked["nonce"]))
        assert "PowerSchool sync" in canvas.post(browser, token, asked["state"]).text


def test_without_cookie_and_storage_a_new_tab_is_offered(canvas: Canvas) -> None:
    """The page has a link to Canvas, which opens passback in a tab of its own; no token is part of it."""
    page = waiting_launch(canvas, canvas.browser())["page"]
    assert (
        'href="https://district.instructure.com/courses/7/external_tools/retrieve?display=borderless&amp;'
        'url=https%3A%2F%2Fpassback.test%2Flti%2Fcourse" target="_blank"'
    ) in page


def test_a_framed_page_can_ask_whether_its_cookie_is_sent(canvas: Canvas) -> None:
    """The answer says whether, and never the proof; a framed page can begin the login again in a new tab."""
    browser = canvas.browser()
    data, page = framed_login(canvas, browser)
    asked = browser.get("/lti/browser", params={"name": data["cookie"]})
    assert asked.json() == {"has_cookie": True}
    browser.cookies.clear()
    assert browser.get("/lti/browser", params={"name": data["cookie"]}).json() == {"has_cookie": False}
    assert again(page) == {name: value for name, value in login_fields().items() if name in again(page)}


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        ("login_required", Refusal.LOGIN_REQUIRED),
        ("launch_no_longer_valid", Refusal.LAUNCH_EXPIRED),
        ("unauthorized_client", Refusal.TOOL_DISABLED),
        ("invalid_request_object", Refusal.PLATFORM_ERROR),
        ("<script>", Refusal.PLATFORM_ERROR),
    ],
)
def test_what_canvas_answers_instead_is_said_in_words(canvas: Canvas, error: str, refusal: Refusal) -> None:
    """The page says what happened in passback's words: the posted description could be anybody's."""
    browser = canvas.browser()
    form = {"error": error, "error_description": "Call 555-0100", "state": canvas.begin(browser)["state"]}
    response = browser.post("/lti/launch", form, token="")
    assert_refused(canvas, response, refusal)
    assert "555-0100" not in response.text
    assert "<script>" not in response.text
    assert ("Open in a new tab" in response.text) is (refusal is Refusal.LOGIN_REQUIRED)


def test_a_login_can_be_begun_again_after_canvas_did_not_know_the_person(canvas: Canvas) -> None:
    """The link in the page begins the same login, which opens in its own tab."""
    browser = canvas.browser()
    state = canvas.begin(browser)["state"]
    page = browser.post("/lti/launch", {"error": "login_required", "state": state}, token="").text
    fields = again(page)
    assert fields == {name: value for name, value in login_fields().items() if name in fields}
    assert browser.get("/lti/login", params=fields).status_code == 302
