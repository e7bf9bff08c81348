"""Password guessing at every sign-in, and stolen sessions."""

import asyncio
import hashlib
import logging
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import fakeredis
import httpx
import pytest
from starlette.routing import Route

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.sign_in import MAX_FAILED_LOGINS
from shared.config import Settings, load
from tests.security.wire import rejection
from tests.unit.web.metrics.test_metrics_access import basic
from tests.unit.web.site_kit import PASSWORD, VIEWER_PASSWORD, Browser, Site
from workers.web.auth.passwords import MAX_WAITING, MAX_WAITING_PER_SENDER, Authenticator, hashed
from workers.web.auth.roles import Role
from workers.web.auth.sign_in import COOKIE, SESSION_LIFETIME
from workers.web.auth.trusted_proxies import Proxies
from workers.web.errors import ApiError
from workers.web.flower import AuthGuard
from workers.web.metrics.endpoint import MetricsPage
from workers.web.receivers.assembly import build

SENDER = "192.0.2.1"


def settings(**given: str) -> Settings:
    values = {"OPERATOR_PASSWORD": PASSWORD, "VIEWER_PASSWORD": VIEWER_PASSWORD, **given}
    return load({f"PASSBACK_{name}": value for name, value in values.items()}, Path("no.env"))


def authenticator(**given: str) -> Authenticator:
    redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    return Authenticator(settings(**given), redis, Keys())


async def statuses(asked: Authenticator, attempts: list[tuple[str, str, str]]) -> Counter[int]:
    """Return how often each status came, of attempts (account, password, sender) that are made all at once."""

    async def one(name: str, password: str, sender: str) -> int:
        try:
            await asked.role(name, password, sender, "test")
        except ApiError as refused:
            return refused.status
        return 200

    return Counter(await asyncio.gather(*(one(*attempt) for attempt in attempts)))


def test_a_stolen_cookie_opens_nothing_after_signing_out() -> None:
    """Signing out ends the session on the server, for the pages and the API."""
    site = Site()
    browser = site.browser("operator")
    stolen = Browser(site.app, cookies=httpx.Cookies(browser.cookies))
    assert stolen.get("/").status_code == 200
    browser.get("/")
    browser.post("/sign-out", {})
    assert stolen.get("/").status_code == 303
    assert stolen.get("/api/v1/status").status_code == 401


def test_signing_in_again_ends_the_browser_s_session_before() -> None:
    """A sign-in in the same browser ends the earlier session."""
    site = Site()
    browser = site.browser("operator")
    stolen = Browser(site.app, cookies=httpx.Cookies(browser.cookies))
    assert browser.sign_in("viewer", VIEWER_PASSWORD).status_code == 303
    assert stolen.get("/").status_code == 303


def test_a_session_has_an_end_on_the_server() -> None:
    """Redis expires a session, whatever a browser does with its cookie."""
    site = Site()
    site.browser("operator")
    (key,) = site.service.redis.scan_iter(f"{site.service.keys.prefix}:session:*")
    assert 0 < site.service.redis.pttl(key) <= SESSION_LIFETIME.total_seconds() * 1000


def test_neither_cookie_nor_redis_lets_somebody_guess_the_password() -> None:
    """The cookie is random, and Redis holds a digest with a key that is not in Redis."""
    site = Site(SESSION_SECRET="a secret of the settings, not in Redis")
    browser = site.browser("operator")
    cookie = browser.cookies[COOKIE]
    held = b" ".join(
        b" ".join([key, *site.service.redis.hgetall(key).values()])
        for key in site.service.redis.scan_iter(f"{site.service.keys.prefix}:session:*")
    )
    assert cookie.encode() not in held
    for text in (PASSWORD, f"passback session {PASSWORD}", f"password {PASSWORD}"):
        for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            for made in (digest(text.encode()).hexdigest(), digest(text.encode()).hexdigest()[:32]):
                assert made.encode() not in held
                assert made not in cookie


def test_a_viewer_does_not_guess_the_operator_s_password() -> None:
    """Signing in as viewer between guesses clears nothing of the operator's count."""
    site = Site()
    seen = []
    for _ in range(MAX_FAILED_LOGINS + 2):
        browser = site.browser("viewer")
        seen.append(browser.sign_in("operator", "wrong").status_code)
    assert seen == [401] * MAX_FAILED_LOGINS + [429] * 2


def test_parallel_guesses_are_counted_before_they_are_checked() -> None:
    """Sixty parallel guesses of one sender are checked no more often than sequential ones."""
    asked = authenticator()
    tried = asyncio.run(statuses(asked, [("operator", f"wrong {n}", SENDER) for n in range(60)]))
    assert tried[401] <= MAX_FAILED_LOGINS
    assert tried[401] + tried[429] + tried[503] == 60
    assert asyncio.run(statuses(asked, [("operator", PASSWORD, SENDER)])) == {429: 1}


def test_parallel_right_passwords_are_no_guesses() -> None:
    """Parallel calls with the right password all succeed."""
    attempts = [("operator", PASSWORD, SENDER)] * MAX_WAITING_PER_SENDER
    assert asyncio.run(statuses(authenticator(), attempts)) == {200: MAX_WAITING_PER_SENDER}


def test_checking_hashes_leaves_the_event_loop_alone() -> None:
    """While checks hang, the event loop continues; requests over the queue limit get 503 at once."""
    asked = authenticator(OPERATOR_PASSWORD=hashed("another password"))
    hangs, checking = threading.Event(), Counter[str]()

    def fits(_given: str) -> bool:
        checking["now"] += 1
        checking["most"] = max(checking["most"], checking["now"])
        hangs.wait(20)
        checking["now"] -= 1
        return False

    asked.passwords[Role.OPERATOR].verify = fits  # type: ignore[method-assign]

    async def attack() -> Counter[int]:
        attempts = [("operator", "x", f"198.51.100.{n}") for n in range(MAX_WAITING + 20)]
        attacking = asyncio.create_task(statuses(asked, attempts))
        for _ in range(20):
            await asyncio.sleep(0.01)
        refused = await statuses(asked, [("operator", "x", "192.0.2.9")])
        assert refused == {503: 1}
        hangs.set()
        return await attacking

    assert asyncio.run(attack()) == {401: MAX_WAITING, 503: 20}
    assert checking["most"] <= 2


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),  # no proxy of ours: not believed
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1", "192.0.2.1"], "192.0.2.1"),  # the proxy added a line of its own
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),  # two proxies of ours
        ("10.0.0.1", ["192.0.2.1:51234"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1:443, 10.0.0.2:8080"], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["2001:db8:1:2::9"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["[2001:db8:1:2::9]:443"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ['"[2001:db8:1:2::9]"'], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        ("2001:db8:1:2:3::1", [], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),  # what stands left of it is the sender's own
        ("10.0.0.1", ["198.51.100.1, "], "10.0.0.1"),
        ("unknown", ["198.51.100.1"], "unknown"),
    ],
)
def test_the_sender_is_the_right_most_address_that_is_no_proxy(peer: str, forwarded: list[str], sender: str) -> None:
    """Header lines, ports and brackets are parsed; an IPv6 network counts as one sender."""
    assert Proxies(settings(PROXY_ADDRESSES="10.0.0.0/24")).sender_of(peer, forwarded) == sender


def test_a_client_s_own_proxy_headers_count_for_nothing() -> None:
    """A client cannot choose TLS or groups with header lines of its own."""
    site = Site(
        OPERATOR_PASSWORD="", VIEWER_PASSWORD="", PROXY_ADDRESSES="10.1.0.0/16",
        PROXY_HEADERS="X-User,X-Groups", PROXY_ROLES="operator:it,viewer:staff",
    )  # fmt: skip
    lines = [("X-User", "rivera"), ("X-Groups", "it"), ("X-Groups", "students")]
    assert Browser(site.app, client=("10.1.2.3", 1), headers=httpx.Headers(lines)).get("/").status_code == 403
    lines = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")]
    proxied = Site(PROXY_ADDRESSES="10.1.0.0/16")
    browser = Browser(proxied.app, client=("10.1.2.3", 1), headers=httpx.Headers(lines))
    assert "Secure" not in browser.sign_in("operator", PASSWORD).headers["set-cookie"]


@pytest.mark.parametrize("scheme", ["operator", "viewer", "root", "bearer"])
def test_the_metrics_limit_guesses(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    """Guesses of passwords and tokens at the metrics are limited, with one log line for all."""
    made = settings(METRICS_TOKEN="a-token-for-prometheus", CANVAS_ROOT_ACCOUNT_UUID="a-district")
    redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    page = MetricsPage(lambda: b"", Authenticator(made, redis, Keys()))
    app = build(made, routes=[Route("/metrics", page.get)])

    async def guess() -> list[int]:
        transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://passback.test") as http:
            wrong = "Bearer wrong" if scheme == "bearer" else basic(scheme, "wrong")
            right = "Bearer a-token-for-prometheus" if scheme == "bearer" else basic(scheme, PASSWORD)
            sent = [*[wrong] * (MAX_FAILED_LOGINS + 1), right]
            return [(await http.get("/metrics", headers={"Authorization": each})).status_code for each in sent]

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(guess()) == [401] * MAX_FAILED_LOGINS + [429] * 2
    assert len(caplog.records) <= 2


def test_flower_limits_guesses_and_is_the_operator_s() -> None:
    """Flower counts guesses in the same Redis; a viewer's password gets 403."""
    asked = authenticator()
    guard = AuthGuard(asked, "Basic inner")
    status = partial(rejection, guard, "flower.example")
    assert status("") == 401
    assert status(basic("viewer", VIEWER_PASSWORD)) == 403
    assert status(basic("operator", PASSWORD)) is None
    failed = [status(basic("operator", "wrong")) for _ in range(MAX_FAILED_LOGINS + 1)]
    assert failed == [401] * MAX_FAILED_LOGINS + [429]
    assert status(basic("operator", PASSWORD)) == 429


def test_while_redis_is_away_nobody_guesses() -> None:
    """Without Redis a password is not checked: 503."""
    site = Site()
    site.service.redis.connection_pool.connection_kwargs["server"].connected = False
    answer = site.browser().get("/api/v1/status", auth=("operator", PASSWORD.encode()))
    assert answer.status_code == 503
