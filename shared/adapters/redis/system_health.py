"""What all workers know together about a remote system: paused or not, how often it failed, and its pace."""

from datetime import timedelta
from random import Random

import redis
import structlog

from shared.adapters.redis.answers import milliseconds, text
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


class SystemGate:
    """The gate in front of one system: every request of every worker goes through it.

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
        dice: Random | None = None,
        longest_wait: timedelta = LONGEST_WAIT,
    ) -> None:
        self._redis = client
        self._system = system
        self._pause_key = keys.pause(system)
        self._failures_key = keys.failures(system)
        self._pace_key = keys.pace(system)
        self._clock = clock
        self._min_interval = min_interval
        self._dice = dice or Random()  # noqa: S311 - jitter, not a secret
        self._longest_wait = longest_wait
        self._ailing_key = keys.ailing(system)
        self._probe_key = keys.probe(system)
        self._pace_script = load_script(client, "pace")
        self._enter_script = load_script(client, "system_enter")
        self._answered_script = load_script(client, "system_answered")

    def enter(self) -> None:
        """Return when a request may be sent: at once, or at this caller's slot of the shared pace.

        After a pause one caller gets through; the others wait until the system answered it, or failed again.
        Raises: SystemUnwell while the system is paused, and when its next free slot is too far away.
        """
        self._wait_for_probe()
        if self._min_interval:
            self._wait_for_slot()

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

    def succeeded(self) -> None:
        """Forget the failures in a row: the system answered. A pause that is under way goes on."""
        self._answered_script(keys=[self._pause_key, self._ailing_key, self._probe_key, self._failures_key])

    def _remaining_pause(self) -> timedelta | None:
        remaining_ms = self._redis.pttl(self._pause_key)
        return timedelta(milliseconds=remaining_ms) if remaining_ms > 0 else None

    def _wait_for_probe(self) -> None:
        in_ms = [milliseconds(LONGEST_PROBE), milliseconds(PROBE_POLL)]
        waited = timedelta(0)
        while True:
            keys = [self._pause_key, self._ailing_key, self._probe_key]
            remaining, *told = self._enter_script(keys=keys, args=in_ms)
            if not remaining:
                return
            cause, state = text(told[0]), text(told[1])
            if state == "paused" or waited >= self._longest_wait:
                delay = timedelta(milliseconds=int(remaining))
                raise SystemUnwell(f"{self._system} is {state}", cause=cause, delay=max(delay, SHORTEST_DELAY))
            self._clock.sleep(PROBE_POLL)
            waited += PROBE_POLL

    def _wait_for_slot(self) -> None:
        in_ms = [milliseconds(self._min_interval), milliseconds(self._longest_wait)]
        wait = timedelta(milliseconds=int(self._pace_script(keys=[self._pace_key], args=in_ms)))
        if wait > self._longest_wait:
            # No request follows, so that somebody else may find out whether the system is well again.
            self._redis.delete(self._probe_key)
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
