"""What all workers know together about a remote system: paused or not, how often it failed, its pace and its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from secrets import token_hex
from typing import Any

import redis
import structlog
from redis.commands.core import Script
from redis.exceptions import RedisError

from shared.adapters.http.gate import Passage
from shared.adapters.redis.answers import milliseconds, text
from shared.adapters.redis.heartbeats import GONE_AFTER, place_of_this_process
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.clock import Clock
from shared.errors import SystemUnwell
from shared.log_events import LogEvent

log = structlog.get_logger()

FAILURES_THAT_PAUSE = 5
FAILURES_REMEMBERED = timedelta(minutes=10)
LONGEST_PAUSE = timedelta(seconds=30)
LONGEST_WAIT = timedelta(seconds=5)
LONGEST_PROBE = timedelta(seconds=40)
PROBE_POLL = timedelta(milliseconds=50)
SHORTEST_DELAY = timedelta(milliseconds=1)
_JITTER = 0.2
# Every system that has a gate.
SYSTEMS = ("canvas", "powerschool")


@dataclass(frozen=True, slots=True)
class SystemPause:
    """A system that nobody calls for `left`, and the cause as a code."""

    system: str
    cause: str
    left: timedelta


def system_pauses(client: redis.Redis, keys: Keys) -> list[SystemPause]:
    """Return the systems that are paused now, since they were unwell."""
    pipeline = client.pipeline(transaction=False)
    for system in SYSTEMS:
        pipeline.get(keys.pause(system))
        pipeline.pttl(keys.pause(system))
    told = pipeline.execute()
    return [
        SystemPause(system, text(cause), timedelta(milliseconds=left_ms))
        for system, cause, left_ms in zip(SYSTEMS, told[::2], told[1::2], strict=True)
        if cause is not None and left_ms > 0
    ]


class SystemGate:
    """The gate in front of one system: every request of every worker goes through it.

    At most `max_in_flight` requests are under way at once, any number where that is 0. Thread-safe.

    The pace is a script of our own: throttled-py's GCRA builds its own connections from a URL, cannot express
    intervals below a second, and tells all waiters the same moment, so that one of them wins and the rest starve.
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
        longest_request: timedelta = LONGEST_PROBE,
        dice: Random | None = None,
        longest_wait: timedelta = LONGEST_WAIT,
    ) -> None:
        self._redis = client
        self._system = system
        self._pause_key = keys.pause(system)
        self._failures_key = keys.failures(system)
        self._ailing_key = keys.ailing(system)
        self._probe_key = keys.probe(system)
        self._pace_key = keys.pace(system)
        self._keys = [
            self._pause_key, self._ailing_key, self._probe_key, self._failures_key, keys.line(system), keys.heartbeats,
        ]  # fmt: skip
        self._clock = clock
        self._min_interval = min_interval
        self._max_in_flight = max_in_flight
        # Callers whose requests are over, or never began, without Redis having heard of it.
        self._over: set[str] = set()
        in_ms = map(milliseconds, (LONGEST_PROBE, PROBE_POLL, longest_wait + longest_request))
        self._enter_args = [*in_ms, max_in_flight, milliseconds(GONE_AFTER)]
        self._process = place_of_this_process()
        self._dice = dice or Random()  # noqa: S311 - jitter, not a secret
        self._longest_wait = longest_wait
        self._pace_script = load_script(client, "pace")
        self._enter_script = load_script(client, "system_enter")
        self._leave_script = load_script(client, "system_leave")

    def enter(self) -> Passage:
        """Return when a request may be sent: at once, or when this caller's turn in the line and in the pace has come.

        After a pause one caller gets through; the others wait until the system answered it, or failed again.
        `leave` must follow. Who does not get to it is out of the line once its process is gone, by its heartbeats, or
        `longest_request` is over.
        Raises: SystemUnwell while the system is paused, and when the caller's turn is too far away.
        """
        passage = self._let_in(f"{self._process} {token_hex(8)}" if self._max_in_flight else "")
        if self._min_interval:
            self._wait_for_slot(passage)
        return passage

    def leave(self, passage: Passage, *, answered: bool) -> None:
        """Note that the request is over, once for each `enter`; `answered` says that the system was well enough for it.

        That forgets the failures in a row. A pause that is under way goes on.
        """
        if passage.caller or (answered and passage.failures_noted):
            self._run(self._leave_script, passage.caller, [passage.caller, int(answered)])

    def failed(self, cause: str, retry_after: timedelta | None = None, *, whole_system: bool) -> timedelta | None:
        """Note a failure; return how long the system is paused for all workers now, None if it is not.

        `whole_system` says that the answer concerns every request (throttling, maintenance): that pauses at once.
        Other failures pause from the fifth in a row on. A pause doubles from 1 s to 30 s, unless the system itself
        said how long.
        """
        under_way = self._remaining_pause()
        if under_way and (retry_after is None or retry_after <= under_way):
            return under_way
        # Whatever the answer to the first request after a pause, the system is not well yet.
        allowed = 1 if whole_system or self._redis.exists(self._ailing_key) else FAILURES_THAT_PAUSE
        failures = self._count_failure()
        if failures < allowed:
            return None
        pause = retry_after or self._growing(failures - allowed)
        self._redis.set(self._pause_key, cause, px=pause)
        self._redis.set(self._ailing_key, cause, px=pause + FAILURES_REMEMBERED)
        self._redis.delete(self._probe_key)
        delay_s = round(pause.total_seconds(), 3)
        log.warning(LogEvent.SYSTEM_PAUSED, system=self._system, cause=cause, delay_s=delay_s)
        return pause

    def _remaining_pause(self) -> timedelta | None:
        remaining_ms = self._redis.pttl(self._pause_key)
        return timedelta(milliseconds=remaining_ms) if remaining_ms > 0 else None

    def _let_in(self, caller: str) -> Passage:
        try:
            return self._waited_for(caller)
        except RedisError:
            raise
        except BaseException:
            self.leave(Passage(caller, failures_noted=False), answered=False)
            raise

    def _waited_for(self, caller: str) -> Passage:
        waited = timedelta(0)
        while True:
            remaining, *told = self._ask(caller)
            if not remaining:
                return Passage(caller, failures_noted=bool(told[0]))
            delay, state = timedelta(milliseconds=int(remaining)), text(told[1])
            if state == "paused" or waited >= self._longest_wait:
                cause = text(told[0]) or f"{self._system}_throttled"
                raise SystemUnwell(f"{self._system} is {state}", cause=cause, delay=max(delay, SHORTEST_DELAY))
            self._clock.sleep(delay * self._dice.uniform(1 - _JITTER, 1 + _JITTER))
            waited += delay

    def _ask(self, caller: str) -> Any:
        over = list(self._over)
        answer = self._run(self._enter_script, caller, [*self._enter_args, caller, *over])
        self._over.difference_update(over)
        return answer

    def _run(self, script: Script, caller: str, args: Sequence[str | int]) -> Any:
        """Where Redis does not answer, the caller leaves the line with this process's next question."""
        try:
            return script(keys=self._keys, args=args)
        except RedisError:
            self._over.add(caller)
            raise

    def _wait_for_slot(self, passage: Passage) -> None:
        in_ms = [milliseconds(self._min_interval), milliseconds(self._longest_wait)]
        wait = timedelta(milliseconds=int(self._pace_script(keys=[self._pace_key], args=in_ms)))
        if wait > self._longest_wait:
            # No request follows, so that somebody else may find out whether the system is well again.
            self._redis.delete(self._probe_key)
            self.leave(passage, answered=False)
            raise SystemUnwell(
                f"{self._system} is called at its permitted pace", cause=f"{self._system}_throttled", delay=wait
            )
        if wait:
            self._clock.sleep(wait)

    def _count_failure(self) -> int:
        failures = self._redis.incr(self._failures_key)
        self._redis.expire(self._failures_key, FAILURES_REMEMBERED)
        return failures

    def _growing(self, step: int) -> timedelta:
        pause = min(timedelta(seconds=2 ** min(step, 5)), LONGEST_PAUSE)
        return pause * self._dice.uniform(1 - _JITTER, 1 + _JITTER)
