"""Reads which remote systems are unavailable, since when, and until when nobody calls them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import redis

from shared.adapters.redis.client import clock_ms, milliseconds, text, time_at
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import (
    FAILURE_THRESHOLD,
    FAILURES_TTL,
    MAX_PAUSE,
    SYSTEMS,
)
from shared.domain.causes import Cause

SYSTEM_NAMES = {"canvas": "Canvas", "powerschool": "PowerSchool"}
# Pauses of passback's own are up to a fifth longer.
LONGEST_PAUSE = MAX_PAUSE * 1.2
# Pages ask for themselves more often than this.
WATCHED_TTL = timedelta(seconds=15)
_THROTTLED = "_throttled"
_SILENT = ("_unavailable", "_timeout", "_error")


@dataclass(frozen=True, slots=True)
class Outage:
    """A system whose circuit is open, or half-open: nobody has had a good response since.

    `since` is its first failure in a row, None where that is not known. `paused_until` is None while a probe may be
    sent.
    """

    system: str
    cause: str
    since: datetime | None
    paused_until: datetime | None

    @property
    def name(self) -> str:
        """Return the system as people call it."""
        return SYSTEM_NAMES[self.system]

    def may_be_over(self, now: datetime) -> bool:
        """Say whether to ask the system before the pause ends: not where it said itself for how long to wait."""
        is_circuit_pause = self.paused_until is None or self.paused_until - now <= LONGEST_PAUSE
        return self.cause.endswith(_SILENT) and is_circuit_pause

    @property
    def meaning(self) -> str:
        """Return what is wrong, as a clause to which the time since when can be added."""
        if self.cause.endswith(_THROTTLED):
            return f"{self.name} has asked passback to wait"
        if self.cause.endswith(_SILENT):
            return f"{self.name} has not answered"
        return f"{Cause(self.cause).meaning.rstrip('.')} ({self.cause}),"


def read_outages(client: redis.Redis, keys: Keys) -> list[Outage]:
    """Return the systems that are unavailable now. Single failed requests are no outage."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for system in SYSTEMS:
            pipeline.mget(keys.pause(system), keys.half_open(system), keys.outage(system))
            pipeline.pttl(keys.pause(system))
        time, *rows = pipeline.execute()
    now = time_at(clock_ms(time))
    found = []
    for system, (pause, half_open, since), remaining_ms in zip(SYSTEMS, rows[::2], rows[1::2], strict=True):
        is_paused = pause is not None and remaining_ms > 0
        # A system that throttles without a pause is there.
        is_probed = half_open is not None and since is not None and not text(half_open).endswith(_THROTTLED)
        if is_paused or is_probed:
            until = now + timedelta(milliseconds=remaining_ms) if is_paused else None
            found.append(Outage(system, text(pause if is_paused else half_open), _time(since), until))
    return found


def end_outage(client: redis.Redis, keys: Keys, system: str) -> None:
    """Close the circuit of a system that answered. The next failure in a row opens it again, and spends no attempt."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.delete(keys.pause(system), keys.half_open(system), keys.probe(system), keys.outage(system))
        pipeline.set(keys.failures(system), FAILURE_THRESHOLD - 1, px=FAILURES_TTL)
        pipeline.execute()


def record_page_view(client: redis.Redis, keys: Keys) -> None:
    """Record that somebody looks at a page: until `WATCHED_TTL`, systems that nobody calls are asked."""
    client.set(keys.watched, 1, px=WATCHED_TTL)


def idle_systems(client: redis.Redis, keys: Keys, idle_for: timedelta) -> list[str]:
    """Return the systems that nobody called for so long, while somebody looks at a page."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.exists(keys.watched)
        for system in SYSTEMS:
            pipeline.hget(keys.rate(system), "last")
        time, is_watched, *called = pipeline.execute()
    since = clock_ms(time) - milliseconds(idle_for)
    return [system for system, last in zip(SYSTEMS, called, strict=True) if is_watched and float(last or 0) <= since]


def _time(stored: bytes | None) -> datetime | None:
    return time_at(stored) if stored is not None and stored.isdigit() else None
