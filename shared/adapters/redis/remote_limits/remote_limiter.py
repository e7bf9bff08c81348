"""What all workers share about a remote system: its circuit, its failures in a row, its rate and its queue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from secrets import token_hex
from typing import Any

import redis
import structlog
from redis.commands.core import Script
from redis.exceptions import RedisError

from shared.adapters.http.exchange import RequestContext, current_context
from shared.adapters.redis.client import clock_ms, load_script, milliseconds, text, with_right_types
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import GONE_AFTER, process_key
from shared.clock import Clock
from shared.errors import ServiceUnavailable
from shared.log_events import LogEvent

log = structlog.get_logger()

FAILURE_THRESHOLD = 5
FAILURES_TTL = timedelta(minutes=10)
MAX_PAUSE = timedelta(seconds=30)
# Of what belongs to no context, such as a person's question.
MAX_WAIT = timedelta(seconds=60)
MAX_PAUSE_WITHIN_SYNC = timedelta(seconds=15)
# Whoever waits looks so often whether it has to stop; `limiter_acquire.lua` drops who is much later.
MAX_SLEEP = timedelta(seconds=1)
MAX_PROBE = timedelta(seconds=40)
PROBE_POLL = timedelta(milliseconds=50)
MAX_INTERVAL_MS = 10_000.0
MIN_DELAY = timedelta(milliseconds=1)
_JITTER = 0.2
# As `limiter_acquire.lua` says it.
PACED = "called at its permitted pace"
PAUSED = "paused"
# Every system that has a limiter.
SYSTEMS = ("canvas", "powerschool")


@dataclass(frozen=True, slots=True)
class SystemRate:
    """How fast all workers together call a system: an interval between two requests, zero where there is none.

    `configured` is the shortest that the settings allow; `interval` is longer where the system throttled.
    """

    system: str
    interval: timedelta
    configured: timedelta

    @property
    def is_learnt(self) -> bool:
        """Say whether the system permits less than the settings do."""
        return self.interval > self.configured


def system_rates(client: redis.Redis, keys: Keys, configured: Mapping[str, timedelta]) -> list[SystemRate]:
    """Return the rate of every system; those not in `configured` have no interval of their own."""
    pipeline = client.pipeline(transaction=False)
    for system in SYSTEMS:
        pipeline.hget(keys.rate(system), "interval")
    rates = []
    for system, learnt in zip(SYSTEMS, pipeline.execute(), strict=True):
        minimum = configured.get(system, timedelta(0))
        rates.append(SystemRate(system, max(minimum, _interval(learnt)), minimum))
    return rates


def _interval(stored: bytes | None) -> timedelta:
    """Return a stored interval as `rate.lua` reads it: zero for what is no number, and at most ten seconds."""
    try:
        return timedelta(milliseconds=min(max(float(stored or 0), 0.0), MAX_INTERVAL_MS))
    except ValueError:
        return timedelta(0)


def requests_wait(client: redis.Redis, keys: Keys, system: str) -> bool:
    """Say whether anybody's request to the system waits for its turn."""
    return bool(client.zcount(keys.line(system), 0, "+inf"))


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to send one request.

    `caller` identifies it in the queue. `since` (ms, Redis's time, as text) says when it was given, `interval` (ms, as
    text) at which interval, `tested` that its response says whether that interval works, `is_probe` that the others
    wait for its response. `order` is its position in the queue (empty: when it was given), `waited` how long it waited
    in all.
    """

    caller: str
    has_failures: bool
    is_probe: bool = False
    tested: bool = False
    since: str = "0"
    interval: str = "0"
    order: str = ""
    waited: timedelta = timedelta(0)


class RemoteLimiter:
    """The rate limiter and circuit breaker of one system: every request of every worker needs its permit.

    Requests keep an interval that all workers share: `min_interval`, or longer where the system throttles (`rate.lua`).
    At most `max_in_flight` are under way at once, any number where that is 0. Thread-safe. `now_ms` replaces Redis's
    time in tests.

    The rate is a script of our own: throttled-py's GCRA builds its own connections from a URL, cannot express intervals
    below a second, does not adapt, and tells all waiters the same moment, so that one of them wins and the rest starve.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        system: str,
        clock: Clock,
        min_interval: timedelta,
        *,
        max_in_flight: int = 0,
        longest_request: timedelta = MAX_PROBE,
        rng: Random | None = None,
        longest_wait: timedelta = MAX_WAIT,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._redis = client
        self._system = system
        self._pause_key = keys.pause(system)
        self._failures_key = keys.failures(system)
        self._half_open_key = keys.half_open(system)
        self._probe_key = keys.probe(system)
        self._outage_key = keys.outage(system)
        self._keys = [
            self._pause_key, self._half_open_key, self._probe_key, self._failures_key, keys.line(system),
            keys.heartbeats, keys.rate(system), keys.seen(system), keys.outage(system),
        ]  # fmt: skip
        types = ("string", "string", "string", "string", "zset", "hash", "hash", "zset", "string")
        self._types = dict(zip(self._keys, types, strict=True))
        self._clock = clock
        self._interval_ms = milliseconds(min_interval)
        # Callers whose requests are over, or never began, and could not be removed from Redis.
        self._over: set[str] = set()
        in_ms = map(milliseconds, (MAX_PROBE, PROBE_POLL, longest_wait + longest_request))
        self._acquire_arguments = [*in_ms, max_in_flight, milliseconds(GONE_AFTER)]
        self._has_queue = max_in_flight > 0
        self._process = process_key()
        self._rng = rng or Random()  # noqa: S311 - jitter, not a secret
        self._longest_wait = longest_wait
        self._now_ms = now_ms
        self._acquire_script = load_script(client, "remote_limits/rate", "remote_limits/limiter_acquire")
        self._release_script = load_script(client, "remote_limits/rate", "remote_limits/limiter_release")
        self._throttled_script = load_script(client, "remote_limits/rate", "remote_limits/limiter_throttled")

    def acquire(self, again: Permit | None = None) -> Permit:
        """Return a permit when a request may be sent: at once, or when it is the first in the queue.

        The queue has the order of the callers' work, and a request that was throttled (`again`) has its position
        again. After a pause one caller gets a permit; the others wait until the system responded to it, or failed
        again. `release` must follow. A caller that does not call it leaves the queue once its process is gone, by its
        heartbeats, or after `longest_request`.
        Raises: ServiceUnavailable while the system is unavailable, and when the wait would be too long: longer than the
        request's `max_wait`, or than `longest_wait` without one. What the request's check raises while it waits.
        """
        context = current_context()
        caller = f"{self._process} {token_hex(8)}"
        order = again.order or again.since if again else ""
        if not order and context and context.began_ms is not None:
            order = str(context.began_ms)
        try:
            return self._wait(caller, order, again.waited if again else timedelta(0), context)
        except RedisError:
            raise
        except BaseException:
            self._cancel(caller)
            raise

    def release(self, permit: Permit, *, succeeded: bool, sent: bool = True, advised: timedelta | None = None) -> None:
        """Release the permit, once for each `acquire`. `succeeded` says that the system handled the request.

        A success resets the failures in a row and adapts the rate; a pause continues. `advised` is the interval between
        requests that the response advises. A probe that was not `sent` passes to another caller.
        """
        notable = permit.has_failures or permit.tested or permit.is_probe or advised
        if self._has_queue or not sent or (succeeded and notable):
            outcome = "unsent" if not sent else str(int(succeeded))
            self._release(permit, outcome, advised)

    def record_throttled(self, permit: Permit, cause: str, retry_after: timedelta | None = None) -> timedelta | None:
        """Record a throttled response: all requests wait for a moment, and continue more slowly.

        The moment is as long as the system asks for, else as the interval has become. Returns None where the request
        may be sent again in its place, for which `acquire` waits. Returns the pause of the whole system where it asks
        for longer than `MAX_PAUSE_WITHIN_SYNC`.
        """
        if retry_after is not None and retry_after > MAX_PAUSE_WITHIN_SYNC:
            return self.record_failure(cause, retry_after, for_everybody=True)
        retry_after_ms = milliseconds(retry_after) if retry_after else 0
        failures_ttl = milliseconds(FAILURES_TTL)
        seen: list[str | int] = [permit.since, permit.interval, int(permit.is_probe)]
        args = [*seen, retry_after_ms, cause, failures_ttl]
        _, interval = self._run(self._throttled_script, permit.caller, args)
        self._log_rate(interval)
        return None

    def record_failure(
        self, cause: str, retry_after: timedelta | None = None, *, for_everybody: bool
    ) -> timedelta | None:
        """Record a failure; return how long the system is paused for all workers now, None if it is not.

        `for_everybody` says that the failure concerns every request (throttling, maintenance): that pauses at once.
        Other failures pause from the fifth in a row on. A pause doubles from 1 s to 30 s, unless the system itself
        says how long.
        """
        under_way = self._remaining_pause()
        if under_way and (retry_after is None or retry_after <= under_way):
            return under_way
        # Whatever the answer to the first request after a pause, the system is not well yet.
        allowed = 1 if for_everybody or self._redis.exists(self._half_open_key) else FAILURE_THRESHOLD
        failures = self._count_failure()
        if failures < allowed:
            return None
        pause = retry_after or self._backoff(failures - allowed)
        self._redis.set(self._pause_key, cause, px=pause)
        self._redis.set(self._half_open_key, cause, px=pause + FAILURES_TTL)
        self._redis.expire(self._outage_key, pause + FAILURES_TTL)
        self._redis.delete(self._probe_key)
        delay_s = round(pause.total_seconds(), 3)
        log.warning(LogEvent.CIRCUIT_OPENED, system=self._system, cause=cause, delay_s=delay_s)
        return pause

    def _remaining_pause(self) -> timedelta | None:
        remaining_ms = self._redis.pttl(self._pause_key)
        return timedelta(milliseconds=remaining_ms) if remaining_ms > 0 else None

    def _wait(self, caller: str, order: str, waited: timedelta, context: RequestContext | None) -> Permit:
        max_wait = context.max_wait() + waited if context else self._longest_wait
        while True:
            remaining, *details = self._request(caller, order)
            if not remaining:
                has_failures, is_probe, since, interval, tested = details
                return Permit(
                    caller, bool(has_failures), bool(is_probe), bool(tested), text(since), text(interval), order, waited
                )
            delay, state = timedelta(milliseconds=int(remaining)), text(details[1])
            # Whoever waits for a probe or for a place asks again soon; a turn in the rate is known beforehand.
            too_long = delay > max_wait - waited if state == PACED else waited >= max_wait
            if state == PAUSED or too_long:
                cause = text(details[0]) or f"{self._system}_throttled"
                said = "unavailable" if state == PAUSED else state
                raise ServiceUnavailable(f"{self._system} is {said}", cause=cause, delay=max(delay, MIN_DELAY))
            if state != PACED:
                delay *= self._rng.uniform(1 - _JITTER, 1 + _JITTER)
            delay = min(delay, MAX_SLEEP)
            self._clock.sleep(delay)
            waited += delay
            if context:
                context.check_wait()

    def _request(self, caller: str, order: str) -> Any:
        over = list(self._over)
        reply = self._run(self._acquire_script, caller, [*self._acquire_arguments, order, caller, *over])
        self._over.difference_update(over)
        return reply

    def _release(self, permit: Permit, outcome: str, advised: timedelta | None = None) -> None:
        facts: list[str | int] = [outcome, int(permit.is_probe), permit.since, int(permit.tested)]
        advised_ms = milliseconds(advised) if advised else 0
        self._log_rate(
            self._run(self._release_script, permit.caller, [permit.caller, *facts, advised_ms, permit.interval])
        )

    def _cancel(self, caller: str) -> None:
        self._release(Permit(caller, has_failures=False), "unsent")

    def _run(self, script: Script, caller: str, args: Sequence[str | int]) -> Any:
        """Where Redis does not answer, the caller leaves the queue with this process's next call."""
        given = ["" if self._now_ms is None else self._now_ms(), self._interval_ms, *args]
        try:
            return with_right_types(self._redis, self._types, lambda: script(keys=self._keys, args=given))
        except RedisError:
            self._over.add(caller)
            raise

    def _log_rate(self, interval: bytes) -> None:
        """Log the rate if the script says that it changed much."""
        if interval:
            log.info(
                LogEvent.RATE_CHANGED,
                system=self._system,
                interval_ms=round(float(interval)),
                configured_ms=self._interval_ms,
            )

    def _count_failure(self) -> int:
        failures = self._redis.incr(self._failures_key)
        self._redis.expire(self._failures_key, FAILURES_TTL)
        now_ms = clock_ms(self._redis.time()) if self._now_ms is None else self._now_ms()
        if not self._redis.set(self._outage_key, str(now_ms), nx=True, px=FAILURES_TTL):
            self._redis.expire(self._outage_key, FAILURES_TTL)
        return failures

    def _backoff(self, step: int) -> timedelta:
        pause = min(timedelta(seconds=2 ** min(step, 5)), MAX_PAUSE)
        return pause * self._rng.uniform(1 - _JITTER, 1 + _JITTER)
