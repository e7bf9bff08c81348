"""Each process notes in Redis that it is alive, so that `passback status` can say who is there and who is gone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.heartbeats import Heartbeats
from shared.adapters.telemetry.systemd import tell_alive
from shared.config import Settings
from shared.log_events import LogEvent
from workers.runtime.identity import this_process
from workers.runtime.vital_threads import VitalThread

log = structlog.get_logger()

HEARTBEAT_INTERVAL = timedelta(seconds=2)


class HeartbeatThread:
    """A thread that beats as long as `lives` says that the process does its work."""

    def __init__(
        self,
        heartbeats: Heartbeats,
        process: str,
        *,
        lives: Callable[[], bool] = lambda: True,
        every: timedelta = HEARTBEAT_INTERVAL,
        supervisor: Callable[[], None] = tell_alive,
    ) -> None:
        self._heartbeats = heartbeats
        self._process = process
        self._lives = lives
        self._tell_supervisor = supervisor
        self._every_s = every.total_seconds()
        self._stopped = threading.Event()
        self._thread = VitalThread(target=self._run, name="heart")

    def start(self) -> None:
        """Start beating."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating; the process ends on purpose, so that it is not missed."""
        self._stopped.set()
        self._thread.join(timeout=5)
        with suppress(RedisError):
            # Left behind, it is shown as gone, which is no lie.
            self._heartbeats.remove(self._process)

    def _run(self) -> None:
        while True:
            if self._lives():
                self._tell_supervisor()
                self._beat()
            if self._stopped.wait(self._every_s):
                return

    def _beat(self) -> None:
        try:
            self._heartbeats.record(self._process)
        except RedisError as error:
            log.warning(LogEvent.HEARTBEAT_FAILED, process=self._process, error=type(error).__name__)


@contextmanager
def run_heartbeat(settings: Settings, kind: str) -> Iterator[None]:
    """Let this process, of this kind, be seen alive inside the block."""
    with closing(connect(settings)) as client:
        heartbeat_thread = HeartbeatThread(Heartbeats(client, Keys(settings.redis_prefix)), this_process(kind))
        heartbeat_thread.start()
        try:
            yield
        finally:
            heartbeat_thread.stop()
