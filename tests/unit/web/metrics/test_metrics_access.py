"""Who may read `/metrics`."""

import asyncio
from base64 import b64encode
from pathlib import Path

import fakeredis
import pytest
from starlette.requests import HTTPConnection

from shared.adapters.redis.keys import Keys
from shared.config import load
from workers.web.auth.passwords import Authenticator
from workers.web.errors import ApiError
from workers.web.metrics.endpoint import MetricsPage

PASSWORD, TOKEN = "a long enough password é", "a-token-for-prometheus"
VIEWER = "another long password"
HERE, THERE = ("127.0.0.1", 1), ("203.0.113.9", 1)


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def refusal(client: tuple[str, int] | None, token: str, password: str = PASSWORD, **headers: str) -> ApiError | None:
    """Return why the request is refused, None where it is allowed."""
    given = {
        "PASSBACK_OPERATOR_PASSWORD": password,
        "PASSBACK_VIEWER_PASSWORD": VIEWER,
        "PASSBACK_METRICS_TOKEN": token,
    }
    settings = load(given, Path("no.env"))
    redis = fakeredis.FakeRedis()
    page = MetricsPage(lambda: b"", Authenticator(settings, redis, Keys()))
    sent = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    try:
        asyncio.run(page.check(HTTPConnection({"type": "http", "client": client, "headers": sent})))
    except ApiError as rejected:
        return rejected
    return None


def status(client: tuple[str, int] | None, token: str, password: str = PASSWORD, **headers: str) -> int:
    """Return 200 where the request is allowed, else the refusal's status."""
    rejected = refusal(client, token, password, **headers)
    return rejected.status if rejected else 200


def allowed(client: tuple[str, int] | None, token: str, password: str = PASSWORD, **headers: str) -> bool:
    return status(client, token, password, **headers) == 200


@pytest.mark.parametrize("client", [HERE, ("::1", 1)])
def test_without_a_token_this_machine_may_read(client: tuple[str, int]) -> None:
    """A Prometheus beside passback needs no secret."""
    assert allowed(client, token="")


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via"])
def test_what_a_proxy_forwards_is_not_of_this_machine(header: str) -> None:
    """A proxy beside passback opens nothing to the world."""
    assert not allowed(HERE, token="", **{header: "203.0.113.9"})


@pytest.mark.parametrize("client", [THERE, None, ("testclient", 1)])
def test_without_a_token_others_may_not_read(client: tuple[str, int] | None) -> None:
    """Whoever is not known to be here is elsewhere."""
    assert not allowed(client, token="")


@pytest.mark.parametrize("client", [HERE, THERE])
def test_with_a_token_everybody_needs_it(client: tuple[str, int]) -> None:
    """The token opens the page from anywhere; nothing else does, not even being here."""
    assert allowed(client, TOKEN, authorization=f"Bearer {TOKEN}")
    assert not allowed(client, TOKEN)
    assert not allowed(client, TOKEN, authorization=f"Bearer {TOKEN}x")
    assert not allowed(client, TOKEN, authorization="Bearer ")


def test_no_token_is_not_an_empty_token() -> None:
    """Where none is configured, no bearer is believed."""
    assert not allowed(THERE, token="", authorization="Bearer ")


@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_operator_may_read_from_anywhere(token: str) -> None:
    """By the password, if there is one; an unreadable or wrong one is refused."""
    assert allowed(THERE, token, authorization=basic("operator", PASSWORD))
    assert not allowed(THERE, token, authorization=basic("operator", "wrong"))
    assert not allowed(THERE, token, authorization="Basic é")
    assert not allowed(THERE, token, password="", authorization=basic("operator", ""))


@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_viewer_may_not(token: str) -> None:
    """The numbers are the operator's, and whoever's has the token."""
    assert status(THERE, token, authorization=basic("viewer", VIEWER)) == 403


def test_each_refusal_is_an_error_of_its_own() -> None:
    """An error that is raised again keeps the frames of every request that it ended: memory would grow with each."""
    assert refusal(THERE, token=TOKEN) is not refusal(THERE, token=TOKEN)
