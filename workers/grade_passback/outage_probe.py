"""Finds out soon that an unavailable system answers again, and that one is away while somebody looks at a page.

Pauses grow to half a minute, and a system that nobody calls fails unseen: people watch the pages.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

import redis
from redis.exceptions import RedisError

from shared.adapters.http.client import RemoteApi
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import IntervalLocks
from shared.adapters.redis.remote_limits.outages import end_outage, idle_systems, read_outages
from shared.clock import Clock
from shared.config import ConfigurationError
from shared.errors import PassbackError
from workers.runtime.process_end import VitalThread

# With the interval at which pages follow, less than ten seconds.
PROBE_INTERVAL = timedelta(seconds=3)


class OutageProbe(VitalThread):
    """A thread that asks each unavailable system, once per interval for all workers together."""

    # A request under way ends by its own timeout.
    stop_timeout_s: ClassVar[float] = 0

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock, remote: Callable[[str], RemoteApi]) -> None:
        super().__init__("outage-probe")
        self._redis = client
        self._keys = keys
        self._clock = clock
        self._locks = IntervalLocks(client, keys)
        self._remote = remote

    def run_once(self) -> None:
        """Ask the systems that are unavailable, and close the circuits of those that answer.

        While somebody looks at a page, also ask those that nobody called for an interval.
        """
        outages = read_outages(self._redis, self._keys)
        unavailable = {outage.system for outage in outages}
        for system in idle_systems(self._redis, self._keys, PROBE_INTERVAL):
            if system not in unavailable and self._locks.take(f"watch-{system}", PROBE_INTERVAL):
                # The limiter records what fails.
                with suppress(PassbackError, ConfigurationError):
                    self._remote(system).ask()
        for outage in outages:
            if (
                outage.may_be_over(self._clock.now())
                and self._locks.take(f"probe-{outage.system}", PROBE_INTERVAL)
                and self._remote(outage.system).is_responding()
            ):
                end_outage(self._redis, self._keys, outage.system)

    def work(self) -> None:
        """Ask once per interval."""
        while not self.stopping.wait(PROBE_INTERVAL.total_seconds()):
            # While Redis does not answer nobody calls a system, and the dispatcher logs it. A system that cannot be
            # called by its settings ends no worker.
            with suppress(RedisError, PassbackError, ConfigurationError):
                self.run_once()
