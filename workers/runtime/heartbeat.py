"""Sends heartbeats of this process, so that `passback status` shows which processes run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.heartbeats import Heartbeats, process_key
from shared.adapters.telemetry.systemd import notify_systemd
from shared.config import Settings
from shared.log_events import LogEvent
from workers.runtime.redis_durability import is_access_denied
from workers.runtime.vital_threads import VitalThread

log = structlog.get_logger()

HEARTBEAT_INTERVAL = timedelta(seconds=2)


def this_process(kind: str) -> str:
    """Return this process's name for stream consumers and heartbeats: unique among running ones."""
    return f"{kind}@{process_key()}"


class HeartbeatThread:
    """A thread that sends heartbeats as long as `is_alive` returns that the process does its work."""

    def __init__(
        self,
        heartbeats: Heartbeats,
        process: str,
        *,
        is_alive: Callable[[], bool] = lambda: True,
        every: timedelta = HEARTBEAT_INTERVAL,
        supervisor: Callable[[], None] = notify_systemd,
    ) -> None:
        self._heartbeats = heartbeats
        self._process = process
        self._is_alive = is_alive
        self._notify_supervisor = supervisor
        self._every_s = every.total_seconds()
        self._stopped = threading.Event()
        self._thread = VitalThread(target=self._run, name="heartbeat")

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and remove the heartbeat: the process ends on purpose and is not missing."""
        self._stopped.set()
        self._thread.join(timeout=5)
        with suppress(RedisError):
            # Otherwise the process is shown as gone, which is true.
            self._heartbeats.remove(self._process)

    def _run(self) -> None:
        while True:
            if self._is_alive():
                self._notify_supervisor()
                self._send()
            if self._stopped.wait(self._every_s):
                return

    def _send(self) -> None:
        try:
            self._heartbeats.record(self._process)
        except RedisError as error:
            log.warning(LogEvent.HEARTBEAT_FAILED, process=self._process, error=type(error).__name__)


@contextmanager
def run_heartbeat(settings: Settings, kind: str) -> Iterator[None]:
    """Send heartbeats of this process inside the block. Raises redis-py's error if Redis refuses it access.

    A Redis that is away comes back; wrong credentials do not mend themselves, and nobody reads a running process's log.
    """
    with closing(connect(settings)) as client:
        heartbeats, process = Heartbeats(client, Keys(settings.redis_prefix)), this_process(kind)
        try:
            heartbeats.record(process)
        except RedisError as error:
            if is_access_denied(error):
                raise
        heartbeat_thread = HeartbeatThread(heartbeats, process)
        heartbeat_thread.start()
        try:
            yield
        finally:
            heartbeat_thread.stop()
