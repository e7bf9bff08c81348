"""A real redis-server with its append-only file, which can be killed and started again on the same directory."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.exceptions import ConnectionError as ConnectionFailed

READY_WITHIN_S = 10.0


class RedisServer:
    """A context manager: one redis-server on a private unix socket, durable across kills."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("redis-server is not on PATH")
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="passback-"))
        self.socket = self._folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, with what its append-only file holds; return once it answers."""
        place = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [self._program, *place, "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + READY_WITHIN_S
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            while not _answers(client):
                if time.monotonic() > until:
                    raise RuntimeError(f"redis-server did not answer within {READY_WITHIN_S:g} s")
                time.sleep(0.01)

    def kill(self) -> None:
        """Kill it without a shutdown: nothing is saved that was not saved before."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (ConnectionFailed, redis.exceptions.BusyLoadingError):
        return False
