"""What a gate learns of a system's rate, against one that permits a request per interval. No real time passes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from random import Random

import pytest
import redis
import structlog

from shared.adapters.http.exchange import RequestContext, use_context
from shared.adapters.redis.client import epoch_ms
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.outages import read_outages
from shared.adapters.redis.remote_limits.remote_limiter import (
    MAX_PAUSE_WITHIN_SYNC,
    Permit,
    RemoteLimiter,
    SystemRate,
    system_rates,
)
from shared.errors import LeaseLost, ServiceUnavailable
from shared.log_events import LogEvent
from tests.manual_clock import ManualClock
from workers.runtime.heartbeat import this_process

MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
CAUSE = "powerschool_throttled"
GateOf = Callable[..., RemoteLimiter]


@pytest.fixture
def gate_of(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> GateOf:
    def make(told_ms: int = 0, system: str = "powerschool", max_in_flight: int = 0) -> RemoteLimiter:
        return RemoteLimiter(
            redis_client, keys, system, clock, told_ms * MS, max_in_flight=max_in_flight, rng=Random(1),
            longest_wait=60 * SECOND, now_ms=lambda: epoch_ms(clock.now()),
        )  # fmt: skip

    return make


@dataclass
class Throttling:
    """A system that permits a request per `interval_ms`; a rejected one does not begin the interval anew."""

    clock: ManualClock
    interval_ms: float
    hints: bool
    jitter_ms: float = 5
    rng: Random = field(default_factory=lambda: Random(7))
    accepted: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)

    def takes(self) -> tuple[bool, timedelta | None]:
        """Say whether the request that arrives now is taken, else how long it is told to wait."""
        at = epoch_ms(self.clock.now()) + self.rng.uniform(0, self.jitter_ms)
        free = self.accepted[-1] + self.interval_ms if self.accepted else at
        if at >= free:
            self.accepted.append(at)
            return True, None
        self.rejected.append(at)
        return False, max(1, ceil((free - at) / 1000)) * SECOND if self.hints else None


def send(gate: RemoteLimiter, remote: Throttling) -> None:
    """Send one request, as often as it takes."""
    again: Permit | None = None
    while True:
        permit = gate.acquire(again)
        taken, hint = remote.takes()
        gate.release(permit, succeeded=taken)
        if taken:
            return
        assert gate.record_throttled(permit, CAUSE, hint) is None
        again = permit


def send_for(gate: RemoteLimiter, remote: Throttling, duration: timedelta) -> tuple[float, float]:
    """Send one request after the other for so long; return the used share of the slots, and the rejected one."""
    until, before = remote.clock.now() + duration, (len(remote.accepted), len(remote.rejected))
    while remote.clock.now() < until:
        send(gate, remote)
        remote.clock.advance(2 * MS)
    accepted, rejected = len(remote.accepted) - before[0], len(remote.rejected) - before[1]
    return accepted * remote.interval_ms * MS / duration, rejected / (accepted + rejected)


@pytest.mark.parametrize("hints", [True, False])
@pytest.mark.parametrize(("told_ms", "permitted_ms"), [(0, 400), (0, 1000), (100, 100), (100, 1000)])
def test_a_system_that_permits_less_is_used_at_its_real_rate(
    gate_of: GateOf, clock: ManualClock, permitted_ms: int, told_ms: int, hints: bool
) -> None:
    """From the first minute on 80 % of the slots are used, and after 20 s less than a tenth is throttled."""
    gate, remote = gate_of(told_ms), Throttling(clock, permitted_ms, hints)
    first, _ = send_for(gate, remote, 20 * SECOND)
    used, rejected = send_for(gate, remote, 40 * SECOND)
    assert (first * 20 + used * 40) / 60 >= 0.8
    assert used >= 0.8
    assert rejected < 0.1


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "hints"),
    [(1000, 200, True), (400, 200, False), (200, 1000, False), (200, 400, True)],
)
def test_a_rate_that_changes_during_the_day_is_found(
    gate_of: GateOf, clock: ManualClock, before_ms: int, after_ms: int, hints: bool
) -> None:
    """Within a minute or so, whether the district permits more or less; nobody restarts anything."""
    gate, remote = gate_of(), Throttling(clock, before_ms, hints)
    send_for(gate, remote, 30 * SECOND)
    remote.interval_ms = after_ms
    send_for(gate, remote, 75 * SECOND)
    used, rejected = send_for(gate, remote, 30 * SECOND)
    assert used >= 0.8
    assert rejected < 0.1


def test_a_limit_that_is_gone_is_forgotten(
    gate_of: GateOf, clock: ManualClock, redis_client: redis.Redis, keys: Keys
) -> None:
    """Where requests need not wait any more, the rate is the configured one again, and never faster."""
    gate, remote = gate_of(80), Throttling(clock, 400, hints=True, jitter_ms=0)
    send_for(gate, remote, 30 * SECOND)
    remote.interval_ms = 1
    send_for(gate, remote, 60 * SECOND)
    gaps = [later - earlier for earlier, later in zip(remote.accepted[-20:], remote.accepted[-19:], strict=False)]
    assert min(gaps) >= 80
    assert max(gaps) <= 84
    (_, rate) = system_rates(redis_client, keys, {"powerschool": 80 * MS})
    assert rate == SystemRate("powerschool", 80 * MS, 80 * MS)
    assert not rate.is_learnt


def test_a_hint_is_believed_until_something_shorter_works(gate_of: GateOf, clock: ManualClock) -> None:
    """Hints are whole seconds: once a shorter interval was seen to be enough, nobody waits for a second."""
    gate, remote = gate_of(), Throttling(clock, 100, hints=True)
    send(gate, remote)
    began = clock.now()
    send(gate, remote)
    assert clock.now() - began >= SECOND
    send_for(gate, remote, 15 * SECOND)
    remote.interval_ms = 110
    longest = SECOND * 0
    for _ in range(60):
        began = clock.now()
        send(gate, remote)
        longest = max(longest, clock.now() - began)
    assert longest < SECOND


def test_a_pause_without_a_hint_grows_to_a_few_seconds(gate_of: GateOf, clock: ManualClock) -> None:
    """It begins at the interval: six throttled answers in a row are over within seconds, ten cost no half minutes."""
    gate, times = gate_of(system="canvas", max_in_flight=8), [clock.now()]
    again = None
    for _ in range(10):
        permit = gate.acquire(again)
        gate.release(permit, succeeded=False)
        assert gate.record_throttled(permit, "canvas_throttled") is None
        times.append(clock.now())
        again = permit
    gate.release(gate.acquire(again), succeeded=True)
    pauses = [(later - earlier) / SECOND for earlier, later in zip(times[1:], [*times[2:], clock.now()], strict=True)]
    assert pauses[:6] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2], rel=0.05)
    assert max(pauses) <= 5.1


def test_requests_under_way_together_slow_down_once(
    gate_of: GateOf, redis_client: redis.Redis, keys: Keys, clock: ManualClock
) -> None:
    """Sixteen threads that meet an unknown limit at the same moment are one finding, whoever they belong to."""
    gates = [gate_of() for _ in range(16)]
    passages = [gate.acquire() for gate in gates]
    clock.advance(20 * MS)
    for gate, permit in zip(gates, passages, strict=True):
        assert gate.record_throttled(permit, CAUSE) is None
    (_, rate) = system_rates(redis_client, keys, {})
    assert rate.interval == 100 * MS


def test_a_pause_of_minutes_makes_the_caller_give_way(gate_of: GateOf, redis_client: redis.Redis, keys: Keys) -> None:
    """What the system asks for is kept by all workers, and nobody holds a thread for it."""
    gate = gate_of()
    permit = gate.acquire()
    asked = MAX_PAUSE_WITHIN_SYNC + SECOND
    assert gate.record_throttled(permit, CAUSE, asked) == asked
    assert [outage.system for outage in read_outages(redis_client, keys)] == ["powerschool"]
    with pytest.raises(ServiceUnavailable, match="is unavailable"):
        gate_of().acquire()


def test_throttling_is_no_pause_of_the_system(gate_of: GateOf, redis_client: redis.Redis, keys: Keys) -> None:
    """It is a speed and not a fault: status and pages show no system that is unwell."""
    gate = gate_of()
    assert gate.record_throttled(gate.acquire(), CAUSE, SECOND) is None
    assert read_outages(redis_client, keys) == []


def test_one_probe_ends_a_pause_for_all(gate_of: GateOf, clock: ManualClock) -> None:
    """Others wait for its answer in the line; then they go on at the learnt rate."""
    gate, other = gate_of(), gate_of()
    throttled = gate.acquire()
    gate.record_throttled(throttled, CAUSE)
    probe = gate.acquire(throttled)
    assert probe.is_probe
    impatient = RequestContext(None, lambda: 300 * MS)
    with use_context(impatient), pytest.raises(ServiceUnavailable, match="probed"):
        other.acquire()
    gate.release(probe, succeeded=True)
    assert not other.acquire().is_probe


def test_a_probe_that_is_not_sent_is_left_to_others(gate_of: GateOf, clock: ManualClock) -> None:
    """A sync that may not write any more finds out nothing, and keeps nobody waiting."""
    gate = gate_of()
    gate.record_throttled(gate.acquire(), CAUSE)
    probe = gate.acquire()
    gate.release(probe, succeeded=False, sent=False)
    assert gate_of().acquire().is_probe


def test_a_killed_process_does_not_keep_others_from_probing(
    gate_of: GateOf, redis_client: redis.Redis, keys: Keys
) -> None:
    """Once its heartbeats are old, somebody else finds out how the system is."""
    gate = gate_of()
    gate.record_throttled(gate.acquire(), CAUSE)
    assert gate.acquire().is_probe
    redis_client.hset(keys.heartbeats, this_process("worker"), round((time.time() - 20) * 1000))
    permit = gate_of().acquire()
    assert permit.is_probe
    assert permit.waited < SECOND


def test_an_answer_from_before_the_pause_ends_nothing(gate_of: GateOf, clock: ManualClock) -> None:
    """A request that was under way when the system began to throttle says nothing about now."""
    gate = gate_of()
    slow, throttled = gate.acquire(), gate.acquire()
    gate.record_throttled(throttled, CAUSE)
    clock.advance(SECOND)
    gate.release(slow, succeeded=True)
    assert gate.acquire().is_probe


def test_who_waits_looks_whether_to_stop(gate_of: GateOf, redis_client: redis.Redis, keys: Keys) -> None:
    """A process that is told to stop does not wait for its turn, and leaves its place."""
    gate = gate_of(2000)
    gate.acquire()

    def stop() -> None:
        raise LeaseLost("7")

    with use_context(RequestContext(1, lambda: 60 * SECOND, check_wait=stop)), pytest.raises(LeaseLost):
        gate.acquire()
    assert redis_client.zcard(keys.line("powerschool")) == 0


def test_a_killed_caller_holds_up_nobody_for_long(
    gate_of: GateOf, redis_client: redis.Redis, keys: Keys, clock: ManualClock
) -> None:
    """One that does not ask for its turn is passed by, and dropped after some seconds."""
    gate_of(100).acquire()
    killed = ("killed 1", "killed 2")
    redis_client.zadd(keys.line("powerschool"), dict.fromkeys(killed, 1))
    redis_client.zadd(keys.seen("powerschool"), dict.fromkeys(killed, epoch_ms(clock.now()) + 4000))
    assert gate_of(100).acquire().waited < SECOND
    clock.advance(5 * SECOND)
    gate_of(100).acquire()
    assert redis_client.zcard(keys.line("powerschool")) == 0


def test_a_much_changed_rate_is_logged(gate_of: GateOf, clock: ManualClock) -> None:
    """Once when it is met, and then when it differs by half; with the configured one beside it."""
    with structlog.testing.capture_logs() as logs:
        gate, remote = gate_of(50), Throttling(clock, 400, hints=False)
        send_for(gate, remote, 60 * SECOND)
        told = [line for line in logs if line["event"] == LogEvent.RATE_CHANGED]
        assert 1 <= len(told) <= 4
        assert {line["configured_ms"] for line in told} == {50}
        assert 380 <= told[-1]["interval_ms"] <= 520
        count = len(told)
        send_for(gate, remote, 60 * SECOND)
    assert len([line for line in logs if line["event"] == LogEvent.RATE_CHANGED]) == count


def test_a_healthy_system_without_an_interval_costs_one_call(
    redis_client: redis.Redis, keys: Keys, clock: ManualClock, gate_of: GateOf
) -> None:
    """Nothing is kept of a rate that nobody needs."""
    gate = gate_of()
    gate.release(gate.acquire(), succeeded=True)
    assert redis_client.keys("*") == []


def test_a_caller_that_is_gone_slows_nobody_down(
    gate_of: GateOf, redis_client: redis.Redis, keys: Keys, clock: ManualClock
) -> None:
    """Who left the line without a word, and of whom nothing is seen any more, does not stand before the others."""
    gate = gate_of()
    redis_client.hset(keys.rate("powerschool"), mapping={"interval": 500, "limit": 100, "good": 4000})  # type: ignore[arg-type]
    redis_client.zadd(keys.line("powerschool"), {"host:1 gone": 1.0, "host:1 gone too": 2.0})
    gate.release(gate.acquire(), succeeded=True)
    began = clock.now()
    gate.release(gate.acquire(), succeeded=True)
    assert clock.now() - began <= 600 * MS
    assert redis_client.zcard(keys.line("powerschool")) == 0


def test_what_is_seen_of_the_line_ends_with_it(
    gate_of: GateOf, redis_client: redis.Redis, keys: Keys, clock: ManualClock
) -> None:
    """Nobody asking for some seconds does not make callers that are gone stay in the line."""
    rate = {"interval": 500, "limit": 100, "next": epoch_ms(clock.now()) + 400}
    redis_client.hset(keys.rate("powerschool"), mapping=rate)  # type: ignore[arg-type]
    lifetimes: list[list[int]] = []

    def look() -> None:
        lifetimes.append([redis_client.pttl(key) for key in (keys.line("powerschool"), keys.seen("powerschool"))])

    with use_context(RequestContext(None, lambda: 10 * SECOND, check_wait=look)):
        gate_of().acquire()
    assert lifetimes
    assert all(of_line > 0 and abs(of_line - of_seen) < 1000 for of_line, of_seen in lifetimes)
