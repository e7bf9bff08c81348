"""An installation with every process, for the tests of this folder."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis

from tests.integration.town import Town, town
from tests.security.canaries import METRICS_TOKEN, PASSWORD, REDIS_PASSWORD, WEBHOOK_SECRET
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import free_port

OPERATOR = ("operator", PASSWORD)


@dataclass
class GuardedTown:
    """A town with beat and Flower, and where its processes write their logs."""

    town: Town
    flower: str
    logs: Path

    def ask_flower(self, path: str, method: str = "GET", auth: tuple[str, str] | None = OPERATOR) -> httpx.Response:
        return httpx.request(method, f"{self.flower}{path}", auth=auth, timeout=20)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedTown]:
    """Web, worker, beat and Flower over a Redis with a password, each logging at DEBUG."""
    logs = tmp_path_factory.mktemp("logs")
    with EmbeddedRedis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        scheme, _, place = server.url.partition("://")
        settings = {
            "REDIS_URL": f"{scheme}://:{REDIS_PASSWORD}@{place}",
            "OPERATOR_PASSWORD": PASSWORD,
            "METRICS_TOKEN": METRICS_TOKEN,
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "LIVE_EVENTS_ALLOW_UNSIGNED": "yes",
            "QUIET_PERIOD_S": "0.3",
            "RETRY_WAITS_S": "0.2",
            "LOG_LEVEL": "DEBUG",
        }
        with town(logs, **settings) as one:
            port = free_port()
            one.processes.start("beat", "beat")
            one.processes.start("flower", "flower", "--port", str(port))
            guarded = GuardedTown(one, f"http://127.0.0.1:{port}", logs)
            _await_flower(guarded)
            yield guarded


def _await_flower(guarded: GuardedTown) -> None:
    """Return once Flower answers and knows the worker."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        guarded.town.processes.check()
        try:
            if guarded.ask_flower("/workers?json=1").json()["data"]:
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.2)
    raise AssertionError("Flower does not know the worker")
