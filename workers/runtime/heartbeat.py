"""Sends heartbeats of this process: `passback status` shows which processes run, and systemd restarts dead ones."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.processes import Heartbeats, process_key
from shared.config import Settings, supervisor_socket
from shared.log_events import LogEvent
from workers.runtime.process_end import VitalThread
from workers.runtime.redis_durability import is_access_denied

log = structlog.get_logger()

HEARTBEAT_INTERVAL = timedelta(seconds=2)
_READY_AND_ALIVE = b"READY=1\nWATCHDOG=1"


def this_process(kind: str) -> str:
    """Return this process's name for stream consumers and heartbeats: unique among running ones."""
    return f"{kind}@{process_key()}"


def notify_systemd(address: str | None = None) -> None:
    """Send what `Type=notify` and `WatchdogSec=` wait for. Does nothing without a socket.

    `address` is the socket's, by default that of the environment. Source: sd_notify(3).
    """
    path = supervisor_socket() if address is None else address
    if not path:
        return
    # A leading @ means the abstract namespace, which begins with a zero byte.
    target = f"\0{path[1:]}" if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
        # A supervisor that does not listen restarts the process by itself; until then its work continues.
        messenger.sendto(_READY_AND_ALIVE, target)


class HeartbeatThread(VitalThread):
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
        super().__init__("heartbeat")
        self._heartbeats = heartbeats
        self._process = process
        self._is_alive = is_alive
        self._notify_supervisor = supervisor
        self._every_s = every.total_seconds()

    def stop(self) -> None:
        """Stop, and remove the heartbeat: the process ends on purpose and is not missing."""
        super().stop()
        with suppress(RedisError):
            # Otherwise the process is shown as gone, which is true.
            self._heartbeats.remove(self._process)

    def work(self) -> None:
        """Send a heartbeat at once, and then at each interval."""
        while True:
            if self._is_alive():
                self._notify_supervisor()
                self._send()
            if self.stopping.wait(self._every_s):
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
