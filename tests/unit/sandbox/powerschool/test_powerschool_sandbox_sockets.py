"""Dropped connections of the sandbox PowerSchool, over real sockets."""

from collections.abc import Iterator

import httpx
import pytest
from powerschool_client import TEACHER, District, assignment

from tests.integration.sandbox_server import served

CREATE = f"/ws/xte/section/assignment/?users_dcid={TEACHER}"


@pytest.fixture(params=["asyncio", "uvloop"])
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    district = District()
    with (
        served(district.app, loop=request.param) as url,
        httpx.Client(base_url=url, headers=district.headers, trust_env=False) as client,
    ):
        yield client


def test_a_lost_response_is_a_reset_after_the_commit(client: httpx.Client) -> None:
    """The write is executed, its answer never arrives; the next write is answered."""
    client.put("/_sandbox/faults", json={"lose_response_after_commit": 1, "lose_response_path_prefix": "/ws/xte"})
    with pytest.raises(httpx.TransportError):
        client.post(CREATE, json=assignment(name="Lost"))
    assert [row["name"] for row in client.get("/_sandbox/state").json()] == ["Lost"]
    assert client.post(CREATE, json=assignment(name="Lost")).status_code == 409
    assert client.get("/_sandbox/requests").json()[-2]["lost"] is True


def test_a_refused_write_is_answered_and_the_next_one_lost(client: httpx.Client) -> None:
    """Only what was committed can be lost."""
    client.put("/_sandbox/faults", json={"lose_response_after_commit": 1})
    assert client.post(CREATE, json=assignment(name="")).status_code == 409
    with pytest.raises(httpx.TransportError):
        client.post(CREATE, json=assignment())


def test_a_reset_happens_before_anything_is_done(client: httpx.Client) -> None:
    """A reset connection leaves no write behind, and is logged without a status."""
    client.put("/_sandbox/faults", json={"reset_rate": 1})
    with pytest.raises(httpx.TransportError):
        client.post(CREATE, json=assignment())
    assert client.get("/_sandbox/state").json() == []
    assert client.get("/_sandbox/requests").json()[-1]["status"] is None
