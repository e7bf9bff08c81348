"""What `doctor` says of the page inside Canvas."""

import json
from datetime import UTC, datetime

import fakeredis
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared.adapters.redis.operations.lti import Registration
from tests.integration.sandbox_server import served
from tests.unit.web.lti.launch_kit import KEY, key_set
from tests.unit.web.site_kit import Site
from workers.doctor import lti, redis
from workers.doctor.result import Check, CheckResult, ok, run_steps

AT = datetime(2026, 10, 5, tzinfo=UTC)
REGISTRATION = Registration(client_id="10000000000099", issuer="https://canvas.instructure.com", registered_at=AT)
OK, WARN, FAIL, SKIP = CheckResult.OK, CheckResult.WARN, CheckResult.FAIL, CheckResult.SKIP


def keys_app(body: object, status: int = 200) -> Starlette:
    """Return a server that gives keys, of Canvas and of passback."""

    async def keys(_request: object) -> JSONResponse:
        return JSONResponse(body, status)

    return Starlette(routes=[Route("/api/lti/security/jwks", keys), Route("/lti/jwks", keys)])


def checks(site: Site) -> dict[str, Check]:
    found = [ok(name, "") for name in redis.NEEDS]
    run_steps(lti.steps(site.service), found)
    return {check.name.removeprefix("lti: "): check for check in found if check.name.startswith("lti: ")}


def site_of(url: str, **settings: str) -> Site:
    given = {"PUBLIC_URL": url, "LTI_PLATFORM_URL": url, "CANVAS_ROOT_ACCOUNT_UUID": "uuid", **settings}
    return Site(fakeredis.FakeRedis(server=fakeredis.FakeServer()), **given)


def test_an_installation_that_works() -> None:
    """All checks are ok, and name clients, addresses and deployments."""
    with served(keys_app(json.loads(key_set(current=KEY)))) as url:
        site = site_of(url, LTI_CLIENT_ID="42")
        site.service.lti.record_launch("42", "12:abc", AT)
        found = checks(site)
    assert {check.verdict for check in found.values()} == {OK}
    assert found["installation"].found == f"clients 42 at {url}"
    assert "2026-10-05 00:00 UTC; deployments 12:abc" in found["launches"].found


def test_an_installation_without_canvas_inside() -> None:
    """Without a public address there is no check; with one, they are skipped and say why."""
    assert checks(Site()) == {}
    found = checks(site_of("http://127.0.0.1:1"))
    assert {check.verdict for check in found.values()} == {SKIP}
    assert found["installation"].found == "passback is not installed in Canvas"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [({"keys": []}, 200, "gives no usable key"), ("away", 502, "answers 502"), ([1], 200, "gives no usable key")],
)
def test_keys_that_nobody_can_use(body: object, status: int, words: str) -> None:
    """Neither Canvas's nor the own ones are ok; each names its setting."""
    with served(keys_app(body, status)) as url:
        found = checks(site_of(url, LTI_CLIENT_ID="42"))
    for name, setting in (("Canvas's keys", "PASSBACK_LTI_PLATFORM_URL"), ("own keys", "PASSBACK_PUBLIC_URL")):
        assert (found[name].verdict, words in found[name].found) == (FAIL, True)
        assert setting in found[name].fix
    assert (found["launches"].verdict, found["launches"].found) == (WARN, "never opened in Canvas")


def test_a_registration_that_waits_is_named() -> None:
    """It is a warning with the command that confirms it."""
    site = site_of("http://127.0.0.1:1")
    site.service.lti.save_registration(REGISTRATION)
    found = checks(site)["installation"]
    assert (found.verdict, found.found) == (WARN, "registered and not confirmed: 10000000000099")
    assert "passback lti confirm" in found.fix


def test_an_unsafe_address_is_a_failure() -> None:
    """A registration whose address lost its TLS opens nothing, and is named so."""
    site = site_of("http://passback.example")
    site.service.lti.save_registration(REGISTRATION)
    found = checks(site)["installation"]
    assert (found.verdict, "PASSBACK_PUBLIC_URL is not https" in found.found) == (FAIL, True)
