"""A Redis in memory, a clock that stands still, and the two clients in front of a scripted remote."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import fakeredis
import pytest
import redis
from scripted_remote import ScriptedRemote, answer

from shared.adapters.canvas import canvas_client
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.redis.keys import Keys
from shared.config import Settings, load
from tests.manual_clock import ManualClock

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
TOKEN = {"access_token": "first-token", "token_type": "Bearer", "expires_in": "3600"}
METADATA = {"metadata": {"plugin_id": 411, "district_timezone": "America/Denver", "student_max_page_size": 2}}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def keys() -> Keys:
    return Keys("test")


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis() as client:
        yield client


@pytest.fixture
def remote() -> ScriptedRemote:
    return ScriptedRemote()


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: str) -> Settings:
        values = {
            "PASSBACK_CANVAS_URL": "https://canvas.test",
            "PASSBACK_CANVAS_TOKEN": "canvas-secret",
            "PASSBACK_POWERSCHOOL_URL": "https://powerschool.test",
            "PASSBACK_POWERSCHOOL_CLIENT_ID": "client",
            "PASSBACK_POWERSCHOOL_CLIENT_SECRET": "secret",
            **{f"PASSBACK_{name.upper()}": value for name, value in changes.items()},
        }
        return load(values, tmp_path / "no.env")

    return make


@pytest.fixture
def canvas(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> CanvasClient:
    return canvas_client(settings_of(), redis_client, keys, clock, transport=remote.transport)


@pytest.fixture
def powerschool_of(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> Callable[..., PowerSchool]:
    remote.on("POST", "/oauth/access_token", answer(TOKEN))
    remote.on("GET", "/ws/v1/metadata", answer(METADATA))

    def make(**changes: str) -> PowerSchool:
        return powerschool(settings_of(**changes), redis_client, keys, clock, transport=remote.transport)

    return make


@pytest.fixture
def ps(powerschool_of: Callable[..., PowerSchool]) -> PowerSchool:
    return powerschool_of()
