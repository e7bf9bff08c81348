"""Who gets in, as whom, and what keeps everybody else out."""

import httpx
import pytest

from shared.adapters.redis.operations.sign_in import MAX_FAILED_LOGINS
from shared.config import ConfigurationError, load
from tests.unit.web.site_kit import PASSWORD, VIEWER_PASSWORD, Browser, Site, text_of
from tests.unit.web.test_pages import ENTRY
from workers.web.auth.passwords import Password, hashed
from workers.web.pages.sign_in_pages import safe_path
from workers.web.server import require_auth_or_loopback

PROXY = {
    "OPERATOR_PASSWORD": "", "VIEWER_PASSWORD": "", "PROXY_ADDRESSES": "10.1.0.0/16", "PROXY_HEADERS": "X-User",
}  # fmt: skip
FROM_PROXY = ("10.1.2.3", 1)


@pytest.fixture(scope="module")
def shared_site() -> Site:
    return Site()


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.service.redis.flushall()
    return shared_site


@pytest.mark.parametrize(
    "path",
    ["/", "/courses", "/courses/101", "/dead-letters", "/provisioning", "/readiness", "/readiness.csv", "/actions"],
)
def test_pages_ask_for_a_sign_in(site: Site, path: str) -> None:
    """Every page leads to the sign-in, and back to itself."""
    response = site.browser().get(path)
    assert (response.status_code, response.headers["location"].partition("?")[0]) == (303, "/sign-in")
    assert response.headers["location"].endswith("" if path == "/" else f"next={path}")


def test_the_right_password_opens(site: Site) -> None:
    """The cookie is for this site and no script's, and leads to the page that was wanted."""
    browser = site.browser()
    response = browser.sign_in("operator", PASSWORD, "/courses?q=7")
    assert (response.status_code, response.headers["location"]) == (303, "/courses?q=7")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert browser.get("/").status_code == 200


def test_over_tls_the_cookie_is_secure(site: Site) -> None:
    """It never travels in the clear then."""
    browser = Browser(site.app, scheme="https")
    assert "Secure" in browser.sign_in("viewer", VIEWER_PASSWORD).headers["set-cookie"]


@pytest.mark.parametrize(("account", "password"), [("operator", "wrong"), ("viewer", PASSWORD), ("root", PASSWORD)])
def test_a_wrong_password_opens_nothing(site: Site, account: str, password: str) -> None:
    """The form comes back and says so; what was typed is not repeated."""
    browser = site.browser()
    response = browser.sign_in(account, password)
    assert response.status_code == 401
    assert "no account with this password" in text_of(response)
    assert password not in response.text
    assert browser.get("/").status_code == 303


def test_guessing_is_slowed_down(site: Site) -> None:
    """After some wrong passwords the right one does not open either, by form or by Basic, until time has passed."""
    browser = site.browser()
    for _ in range(MAX_FAILED_LOGINS):
        assert browser.sign_in("operator", "wrong").status_code == 401
    assert browser.sign_in("operator", PASSWORD).status_code == 429
    basic = browser.get("/api/v1/status", auth=("operator", PASSWORD.encode()))
    assert basic.status_code == 429
    assert int(basic.headers["retry-after"]) > 0
    other = Browser(site.app, client=("192.0.2.7", 1))
    assert other.sign_in("operator", PASSWORD).status_code == 303


def test_the_right_password_forgets_the_wrong_ones(site: Site) -> None:
    """A person who mistypes now and then is not locked out."""
    browser = site.browser()
    for _ in range(2):
        for _ in range(MAX_FAILED_LOGINS - 1):
            browser.sign_in("operator", "wrong")
        assert browser.sign_in("operator", PASSWORD).status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "eyJyb2xlIjoib3BlcmF0b3IifQ.aaaa.bbbb"])
def test_a_forged_cookie_opens_nothing(site: Site, cookie: str) -> None:
    """Only what this installation signed counts."""
    browser = site.browser()
    browser.cookies.set("passback_session", cookie)
    assert browser.get("/").status_code == 303


def test_a_changed_password_ends_sessions() -> None:
    """A session is of the password it was opened with."""
    secret = "the same long secret for both of them"
    before = Site(SESSION_SECRET=secret)
    after = Site(before.service.redis, SESSION_SECRET=secret, OPERATOR_PASSWORD="a new password for all")
    operator, viewer = before.browser("operator"), before.browser("viewer")
    operator.app = viewer.app = after.app
    assert operator.get("/").status_code == 303
    assert viewer.get("/").status_code == 200


def test_signing_out_ends_the_session(site: Site) -> None:
    """The cookie is taken away."""
    browser = site.browser("operator")
    browser.get("/")
    assert browser.post("/sign-out", {}).headers["location"] == "/sign-in"
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("path", ["//evil.test", "/\\evil.test", "https://evil.test", "evil", "/a\r\nX: y"])
def test_the_sign_in_leads_nowhere_else(path: str) -> None:
    """Only paths of ours are led back to."""
    assert safe_path(path) == "/"


def test_a_form_of_another_session_is_refused(site: Site) -> None:
    """A token is of one session and person; without it nothing happens."""
    stranger = site.browser("operator")
    stranger.get("/")
    browser = site.browser("operator")
    browser.get("/courses/101")
    for token in ("", "0" * 64, stranger.token()):
        assert browser.post("/courses/101/sync", {}, token=token).status_code == 403
    browser.headers = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post("/courses/101/sync", {}).status_code == 403
    assert site.service.changes.state_of("101").pending is None
    browser.headers = {"Sec-Fetch-Site": "same-origin"}
    assert browser.post("/courses/101/sync", {}).status_code == 303
    assert site.service.changes.state_of("101").pending is not None


def test_a_sign_in_form_of_another_site_is_refused(site: Site) -> None:
    """Nobody is signed in by somebody else's form."""
    browser = site.browser()
    browser.get("/sign-in")
    form: dict[str, str | list[str]] = {"account": "operator", "password": PASSWORD}
    assert browser.post("/sign-in", form, token="").status_code == 403


def test_a_session_is_good_for_the_api(site: Site) -> None:
    """The pages' own requests need no second password; an action still needs its header."""
    browser = site.browser("operator")
    assert browser.get("/api/v1/status").status_code == 200
    assert browser.post("/api/v1/courses/101/sync", {}, token="").status_code == 403
    browser.headers = {"X-Requested-With": "test"}
    assert browser.post("/api/v1/pauses/resume", {}, token="").status_code == 422


def test_without_a_password_the_pages_are_closed() -> None:
    """The page names the setting, and nothing else is shown."""
    browser = Site(OPERATOR_PASSWORD="", VIEWER_PASSWORD="").browser()
    for path in ("/", "/courses", "/sign-in"):
        response = browser.get(path)
        assert response.status_code == 403
        assert "PASSBACK_OPERATOR_PASSWORD" in response.text


def test_a_hash_opens_like_its_password() -> None:
    """Only the hash is configured; a wrong password does not fit, the right one does, twice."""
    password = Password("X", hashed("a long password"))
    assert [password.verify(each) for each in ("wrong", "a long password", "a long password", "")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_broken_hash_is_named() -> None:
    """It would let nobody in, so that the process does not start."""
    with pytest.raises(ConfigurationError, match=r"PASSBACK_VIEWER_PASSWORD.*passback password"):
        Site(VIEWER_PASSWORD="$argon2id$v=19$nonsense")


def test_a_trusted_proxy_signs_people_in() -> None:
    """By its headers, with groups as roles; what it says of the address counts, too."""
    site = Site(**{**PROXY, "PROXY_HEADERS": "X-User,X-Groups"}, PROXY_ROLES="operator:it,operator:ops,viewer:staff")
    browser = Browser(site.app, client=FROM_PROXY, headers={"X-User": "rivera@district.test", "X-Groups": "staff, it"})
    assert "rivera@district.test" in browser.get("/").text
    assert browser.post("/pause", {"target": "course:101", "reason": "a"}).status_code == 303
    (pause,) = site.service.pauses.all()
    assert pause.actor == "rivera"
    (action,) = site.service.actions.newest(5)
    assert (action.actor, action.target) == ("rivera@district.test", "course:101")
    browser.headers["X-Groups"] = "staff"
    browser.get("/")
    assert browser.post("/resume", {"target": "course:101"}).status_code == 403
    browser.headers["X-Groups"] = "students"
    assert browser.get("/").status_code == 403


def test_a_group_of_the_proxy_may_see_scores() -> None:
    """And change nothing; no password opens an account of that name."""
    roles = "operator:it,score-viewer:counselors,viewer:staff"
    site = Site(**{**PROXY, "PROXY_HEADERS": "X-User,X-Groups"}, PROXY_ROLES=roles)
    site.service.audit.add(ENTRY)
    browser = Browser(site.app, client=FROM_PROXY, headers={"X-User": "rivera", "X-Groups": "staff,counselors"})
    assert "7.5" in browser.text("/courses/101/history")
    assert browser.post("/pause", {"target": "course:101", "reason": "a"}).status_code == 403
    browser.headers["X-Groups"] = "staff"
    assert "7.5" not in browser.text("/courses/101/history")
    assert Site().browser().sign_in("score-viewer", VIEWER_PASSWORD).status_code == 401


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "unknown"])
def test_nobody_else_is_believed(address: str) -> None:
    """The proxy's headers from any other address are not heard."""
    browser = Browser(Site(**PROXY).app, client=(address, 1), headers={"X-User": "rivera"})
    assert browser.get("/").status_code == 403
    assert browser.get("/api/v1/status").status_code == 401


def test_two_names_are_none() -> None:
    """A header that came twice may be forged in part."""
    app = Site(**PROXY).app
    for names, status in ((["rivera"], 200), (["rivera", "somebody"], 403), ([" "], 403)):
        headers = httpx.Headers([("X-User", name) for name in names])
        assert Browser(app, client=FROM_PROXY, headers=headers).get("/").status_code == status


def test_behind_a_proxy_guesses_count_by_the_sender(site: Site) -> None:
    """Somebody who guesses locks nobody else out, and cannot choose the address it counts for."""
    proxied = Site(PROXY_ADDRESSES="10.1.2.3")
    for number in range(MAX_FAILED_LOGINS):
        headers = {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.1"}
        Browser(proxied.app, client=FROM_PROXY, headers=headers).sign_in("operator", "wrong")
    for address, status in (("192.0.2.1", 429), ("192.0.2.2", 303)):
        browser = Browser(proxied.app, client=FROM_PROXY, headers={"X-Forwarded-For": address})
        assert browser.sign_in("operator", PASSWORD).status_code == status


def test_a_proxy_header_needs_a_proxy() -> None:
    """Without addresses anybody could send it."""
    with pytest.raises(ConfigurationError, match="PASSBACK_PROXY_ADDRESSES"):
        load({"PASSBACK_PROXY_HEADERS": "X-User"})
    with pytest.raises(ConfigurationError, match="no address or network"):
        load({"PASSBACK_PROXY_ADDRESSES": "somewhere"})


@pytest.mark.parametrize(
    ("address", "settings", "is_refused"),
    [
        ("127.0.0.1", {}, False),
        ("::1", {}, False),
        ("localhost", {}, False),
        ("0.0.0.0", {}, True),
        ("web.district.test", {}, True),
        ("0.0.0.0", {"PASSBACK_VIEWER_PASSWORD": VIEWER_PASSWORD}, False),
        ("0.0.0.0", {"PASSBACK_PROXY_HEADERS": "X-User", "PASSBACK_PROXY_ADDRESSES": "10.0.0.1"}, False),
    ],
)
def test_others_come_in_only_where_they_can_sign_in(address: str, settings: dict[str, str], is_refused: bool) -> None:
    """An address beyond this machine needs a sign-in; the refusal names both fixes."""
    if not is_refused:
        require_auth_or_loopback(load(settings), address)
        return
    with pytest.raises(ConfigurationError, match=r"PASSBACK_OPERATOR_PASSWORD.*--host"):
        require_auth_or_loopback(load(settings), address)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nothing", "/api/v1/status", "/static/passback.css"])
def test_every_answer_is_guarded(site: Site, path: str) -> None:
    """Nothing of ours runs what is not ours, is framed, guessed at, or told to others."""
    headers = site.browser("operator").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("public, max-age=31536000, immutable" if "static" in path else "no-store")
