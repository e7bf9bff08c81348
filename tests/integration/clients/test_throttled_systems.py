"""Both clients against sandboxes that throttle, in real time: the callers notice nothing but the pace."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

import fakeredis
import httpx
import pytest
import redis

from shared.adapters.canvas import canvas_client
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.redis.keys import Keys
from shared.clock import SystemClock
from shared.config import load
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import small_district
from shared.sandbox.ids import Ids
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.integration.sandbox_server import served

TODAY = date(2031, 10, 6)


@dataclass
class Throttled:
    """A sandbox PowerSchool, its client, and what the sandbox answered."""

    url: str
    ps: PowerSchool

    def faults(self, **faults: Any) -> None:
        httpx.put(f"{self.url}/_sandbox/faults", json=faults).raise_for_status()

    def statuses(self) -> list[int]:
        log = httpx.get(f"{self.url}/_sandbox/requests").raise_for_status().json()
        return [one["status"] for one in log if one["path"] != "/ws/v1/metadata"]


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis() as client:
        yield client


@pytest.fixture
def throttled(redis_client: redis.Redis) -> Iterator[Throttled]:
    seed, clock = small_district(TODAY).powerschool, SystemClock()
    with served(powerschool_app(seed, clock)) as url:
        settings = load(
            {
                "PASSBACK_POWERSCHOOL_URL": url,
                "PASSBACK_POWERSCHOOL_CLIENT_ID": seed.plugin.client_id,
                "PASSBACK_POWERSCHOOL_CLIENT_SECRET": seed.plugin.client_secret,
            }
        )
        with closing(powerschool(settings, redis_client, Keys("test"), clock)) as client:
            yield Throttled(url, client)


@pytest.mark.parametrize("style", ["403", "429"])
def test_token_and_data_calls_are_sent_again(throttled: Throttled, style: str) -> None:
    """A throttled request is repeated in its place, be it the token's or a read, in both styles."""
    throttled.faults(throttle_interval_ms=60, throttle_style=style)
    for number in range(8):
        assert throttled.ps.api.send("GET", "/ws/schema/table/students", params=[("n", str(number))]).succeeded
    statuses = throttled.statuses()
    assert statuses.count(200) == 9
    assert set(statuses) == {200, int(style)}


@pytest.mark.parametrize("style", ["403", "429"])
def test_an_interval_that_changes_needs_no_restart(throttled: Throttled, style: str) -> None:
    """An administrator sets the interval in the middle of the day; every request still gets through."""
    sent = 0
    for interval_ms in (0, 80, 160):
        throttled.faults(throttle_interval_ms=interval_ms, throttle_style=style)
        for _ in range(6):
            assert throttled.ps.api.send("GET", "/ws/schema/table/students").succeeded
            sent += 1
    assert throttled.statuses().count(200) == sent + 1


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("hint", [{}, {"Retry-After": "1"}])
def test_canvas_throttling_is_waited_out(redis_client: redis.Redis, status: int, hint: dict[str, str]) -> None:
    """In either of its styles, with or without a hint, in the place of the request."""
    seed, clock = small_district(TODAY).canvas, SystemClock()
    with served(canvas_app(seed, clock)) as url:
        refusal = {"method": "GET", "path_prefix": "/api/", "status": status, "times": 3, "headers": hint}
        fail = [{**refusal, "body": f"{status} (Rate Limit Exceeded)"}]
        httpx.put(f"{url}/_sandbox/faults", json={"fail_next": fail}).raise_for_status()
        settings = load({"PASSBACK_CANVAS_URL": url, "PASSBACK_CANVAS_TOKEN": seed.token})
        with closing(canvas_client(settings, redis_client, Keys("test"), clock)) as canvas:
            assert canvas.course(str(Ids.COURSE)).id == str(Ids.COURSE)
