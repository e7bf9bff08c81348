"""The login initiation: who may begin one, what passback asks Canvas for, and what it leaves behind."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request

from tests.unit.web.lti.launch_kit import CLIENT, PUBLIC_URL, SETTINGS, Canvas, claims, login_fields
from tests.unit.web.lti.test_launch_refusals import assert_refused
from tests.unit.web.site_kit import Site
from workers.web.lti.launch import begin_login
from workers.web.lti.pages.page_request import LtiPages
from workers.web.lti.refusals import Refusal


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_login_asks_canvas_for_the_launch(canvas: Canvas, method: str) -> None:
    """Both verbs lead to Canvas's authorization endpoint, with everything that it requires, and the hints unchanged."""
    browser = canvas.browser()
    hint = "canvas.own+jwt/with=odd&letters"
    fields = login_fields(lti_message_hint=hint)
    response = (
        browser.get("/lti/login", params=fields) if method == "GET" else browser.post("/lti/login", fields, token="")
    )
    assert response.status_code == 302
    address = urlsplit(response.headers["location"])
    assert (
        f"{address.scheme}://{address.netloc}{address.path}" == "https://sso.canvaslms.com/api/lti/authorize_redirect"
    )
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert query | {"state": "", "nonce": ""} == {
        "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
        "client_id": CLIENT, "redirect_uri": f"{PUBLIC_URL}/lti/launch", "login_hint": "user-uuid",
        "lti_message_hint": hint, "state": "", "nonce": "",
    }  # fmt: skip
    assert len(query["nonce"]) >= 43
    cookie = response.headers["set-cookie"]
    assert re.match(r"__Host-pb-state-[\w-]{16}=[0-9a-f]{32}; Max-Age=600; Path=/; Secure; HttpOnly;", cookie)
    assert cookie.endswith("SameSite=None; Partitioned")


@pytest.mark.parametrize(
    ("refusal", "changed"),
    [
        (Refusal.MALFORMED_LOGIN, {"login_hint": ""}),
        (Refusal.MALFORMED_LOGIN, {"login_hint": "x" * 4097}),
        (Refusal.MALFORMED_LOGIN, {"lti_message_hint": "x" * 4097}),
        (Refusal.MALFORMED_LOGIN, {"lti_storage_target": "x" * 1025}),
        (Refusal.FOREIGN_ISSUER, {"iss": "https://canvas.beta.instructure.com"}),
        (Refusal.FOREIGN_ISSUER, {"iss": ""}),
        (Refusal.UNKNOWN_CLIENT, {"client_id": "10000000000043"}),
        (Refusal.FOREIGN_TARGET, {"target_link_uri": "https://evil.example/lti/course"}),
        (Refusal.FOREIGN_TARGET, {"target_link_uri": f"{PUBLIC_URL}.evil.example/lti/course"}),
        (Refusal.FOREIGN_TARGET, {"target_link_uri": f"{PUBLIC_URL}@evil.example/lti/course"}),
        (Refusal.FOREIGN_TARGET, {"target_link_uri": f"{PUBLIC_URL}/courses/7"}),
        (Refusal.FOREIGN_TARGET, {"target_link_uri": "//evil.example"}),
        (Refusal.FOREIGN_TARGET, {"target_link_uri": ""}),
    ],
)
def test_a_login_of_a_stranger_is_refused(canvas: Canvas, refusal: Refusal, changed: dict[str, str]) -> None:
    """Another Canvas, another client or an address that is not passback's: no redirect, and no cookie."""
    response = canvas.browser().get("/lti/login", params=login_fields(**changed))
    assert_refused(canvas, response, refusal)
    assert "location" not in response.headers
    assert "set-cookie" not in response.headers


def test_a_login_without_a_client_is_of_the_only_one(canvas: Canvas) -> None:
    """The client is optional in the standard; with one client there is no doubt."""
    assert canvas.begin(canvas.browser(), client_id="")["client_id"] == CLIENT


def test_the_authorization_endpoint_is_the_issuers() -> None:
    """Beta's is beta's; a self-hosted Canvas's is its own; nothing in a request changes it."""
    hosts = {
        "https://canvas.beta.instructure.com": "https://sso.beta.canvaslms.com",
        "https://canvas.of-the-district.example": "https://district.instructure.com",
    }
    for issuer, host in hosts.items():
        site = Site(**{**SETTINGS, "LTI_ISSUER": issuer})
        response = Canvas(site).browser().get("/lti/login", params=login_fields(iss=issuer))
        assert response.headers["location"].startswith(f"{host}/api/lti/authorize_redirect?")
    site = Site(**{**SETTINGS, "LTI_PLATFORM_URL": "https://canvas.district.example"})
    response = Canvas(site).browser().get("/lti/login", params=login_fields())
    assert response.headers["location"].startswith("https://canvas.district.example/api/lti/authorize_redirect?")


def test_ten_thousand_logins_leave_nothing_behind(canvas: Canvas) -> None:
    """Beginning a login stores nothing: anybody can begin as many as he likes."""
    tool, before = canvas.tool(), set(canvas.redis.keys())
    pages = LtiPages(canvas.site.service, canvas.sessions)
    fields = {name: [value] for name, value in login_fields(lti_message_hint="x" * 1500).items()}
    request = _request()
    states = {begin_login(tool, pages, request, fields).headers["location"] for _ in range(10_000)}
    assert len(states) == 10_000
    assert set(canvas.redis.keys()) == before


def test_what_canvas_signed_is_remembered_for_minutes(canvas: Canvas) -> None:
    """Each key that a launch leaves for itself ends by itself, and holds no name of a person or a course."""
    canvas.launch()
    other = canvas.browser()
    asked = canvas.begin(other)
    other.cookies.clear()
    canvas.post(other, canvas.sign(claims(canvas.now(), nonce=asked["nonce"])), asked["state"])
    redis = canvas.redis
    of_launches = [*redis.keys("*lti:used:*"), *redis.keys("*lti:launch:*")]
    assert len(of_launches) == 3
    assert all(0 < redis.pttl(key) <= 600_000 for key in of_launches)
    for key in redis.scan_iter():
        stored = redis.hgetall(key) if redis.type(key) == b"hash" else redis.get(key)
        for name in ("Zimt", "ada@district", "Biology", asked["state"][:40], asked["nonce"]):
            assert name not in f"{key!r} {stored!r}"


def _request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/lti/login", "headers": [], "query_string": b""})
