"""A system that is back is found out by asking it, and a failure after that spends no attempt."""

import threading
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import cast

import fakeredis
import pytest

from shared.adapters.http.client import RemoteApi
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.outages import read_outages, record_page_view
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.clock import SystemClock
from shared.config import ConfigurationError
from shared.errors import ServiceUnavailable
from workers.grade_passback import outage_probe
from workers.grade_passback.outage_probe import OutageProbe

KEYS = Keys()


class System:
    """PowerSchool, as far as its circuit and its probe are concerned."""

    def __init__(self) -> None:
        self.redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.limiter = RemoteLimiter(self.redis, KEYS, "powerschool", SystemClock(), timedelta(0))
        self.is_well = False
        self.asked = 0
        self.called = list[str]()

    def remote(self, system: str) -> RemoteApi:
        """Return the system as far as the probe calls it."""
        return cast("RemoteApi", SimpleNamespace(is_responding=self.is_responding, ask=partial(self.ask, system)))

    def is_responding(self) -> bool:
        self.asked += 1
        return self.is_well

    def ask(self, system: str) -> None:
        self.called.append(system)
        if not self.is_well:
            raise ServiceUnavailable("GET probe: refused", cause=f"{system}_unavailable", delay=timedelta(seconds=1))

    def probe(self) -> None:
        """Run the probe as if an interval had passed since the last one."""
        for key in self.redis.keys("*beat:*"):
            self.redis.delete(key)
        OutageProbe(self.redis, KEYS, SystemClock(), self.remote).run_once()


@pytest.fixture
def system() -> System:
    return System()


def test_an_outage_ends_when_the_system_answers(system: System) -> None:
    """Before the end of its pause; until then it lasts."""
    for _ in range(7):
        system.redis.delete(KEYS.pause("powerschool"))
        system.limiter.record_failure("powerschool_unavailable", for_everybody=True)
    system.probe()
    assert len(read_outages(system.redis, KEYS)) == 1
    system.is_well = True
    system.probe()
    assert read_outages(system.redis, KEYS) == []
    system.limiter.release(system.limiter.acquire(), succeeded=True)


def test_a_failure_after_the_answer_pauses_at_once(system: System) -> None:
    """A system that answers the probe alone burns no attempts."""
    system.limiter.record_failure("powerschool_timeout", for_everybody=True)
    system.is_well = True
    system.probe()
    assert system.limiter.record_failure("powerschool_timeout", for_everybody=False) is not None


def test_a_system_that_said_how_long_is_left_alone(system: System) -> None:
    """After a `Retry-After`, while it throttles or refuses the credentials, and while it is well, it is not asked."""
    system.probe()
    for cause, pause in (
        ("powerschool_unavailable", timedelta(minutes=10)),
        ("powerschool_throttled", timedelta(seconds=20)),
        ("powerschool_token_refused", timedelta(seconds=20)),
    ):
        system.redis.flushall()
        system.limiter.record_failure(cause, pause, for_everybody=True)
        system.probe()
    assert system.asked == 0


def test_all_workers_together_ask_once_per_interval(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    monkeypatch.setattr(outage_probe, "PROBE_INTERVAL", timedelta(days=365))
    system.limiter.record_failure("powerschool_unavailable", for_everybody=True)
    for _ in range(3):
        OutageProbe(system.redis, KEYS, SystemClock(), system.remote).run_once()
    assert system.asked == 1


def test_a_system_that_nobody_calls_is_asked_while_a_page_is_open(system: System) -> None:
    """An outage shows on the page although no grade changes."""
    system.probe()
    assert system.called == []
    record_page_view(system.redis, KEYS)
    system.probe()
    assert sorted(system.called) == ["canvas", "powerschool"]


def test_a_system_that_is_called_anyway_is_not_asked_as_well(system: System) -> None:
    """Its own requests find an outage, and its rate is theirs. While it is unavailable, the probe asks it instead."""
    record_page_view(system.redis, KEYS)
    system.redis.hset(KEYS.rate("powerschool"), "last", int(system.redis.time()[0]) * 1000)
    RemoteLimiter(system.redis, KEYS, "canvas", SystemClock(), timedelta(0)).record_failure(
        "canvas_unavailable", for_everybody=True
    )
    system.probe()
    assert system.called == []


def test_a_system_that_cannot_be_called_ends_no_worker(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread goes on; a failed thread would end its process."""
    attempts = threading.Semaphore(0)

    def unusable(_system: str) -> RemoteApi:
        attempts.release()
        raise ConfigurationError("PASSBACK_POWERSCHOOL_URL is not set")

    for _ in range(7):
        system.redis.delete(KEYS.pause("powerschool"))
        system.limiter.record_failure("powerschool_unavailable", for_everybody=True)
    monkeypatch.setattr(outage_probe, "PROBE_INTERVAL", timedelta(milliseconds=1))
    probe = OutageProbe(system.redis, KEYS, SystemClock(), unusable)
    probe.start()
    try:
        assert attempts.acquire(timeout=30)
        assert attempts.acquire(timeout=30)
    finally:
        probe.stop()
