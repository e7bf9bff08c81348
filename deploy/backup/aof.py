"""Copies Redis's append-only file so that the copy is whole, and starts a scratch Redis on such a copy."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.retry import Retry

REWRITTEN_WITHIN_S = 600.0
READY_WITHIN_S = 120.0
LOOK_EVERY_S = 0.05


class BackupFailed(Exception):
    """There is no copy that could be trusted; the message says why."""


def take(client: redis.Redis, into: Path, data: Path | None = None) -> Path:
    """Copy the append-only file of a running Redis 7 to `into`, which must not hold one; return where it is.

    `data` is where Redis's directory is seen from here, if that is another place than Redis says. Redis compacts the
    file first; while it is copied, it is not compacted again, so that every part that the manifest names is there.
    Needs the user `backup` of `deploy/redis`.
    """
    settings = client.config_get("appendonly", "dir", "appenddirname", "auto-aof-rewrite-percentage")
    if settings.get("appendonly") != "yes" or not settings.get("appenddirname"):
        raise BackupFailed("Redis has no append-only file in a directory of its own: appendonly yes, and Redis 7")
    source = (data or Path(settings["dir"])) / settings["appenddirname"]
    _compact(client)
    client.config_set("auto-aof-rewrite-percentage", 0)
    try:
        _await_rest(client)
        return Path(shutil.copytree(source, into / source.name))
    finally:
        client.config_set("auto-aof-rewrite-percentage", settings["auto-aof-rewrite-percentage"])


@contextmanager
def restored(backup: Path) -> Iterator[redis.Redis]:
    """Yield a client of a scratch Redis, on a private socket, that has loaded a copy of the backup."""
    program = shutil.which("redis-server")
    if program is None:
        raise BackupFailed("redis-server is not on PATH")
    if not any(backup.glob("*.manifest")):
        raise BackupFailed(f"{backup} holds no manifest of an append-only file")
    with tempfile.TemporaryDirectory(prefix="passback-restore-") as scratch:
        shutil.copytree(backup, Path(scratch) / backup.name)
        socket = Path(scratch) / "redis.sock"
        arguments = ["--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", scratch]
        # A tail cut in the middle of a command, as a killed machine leaves it, is dropped; anything else is an error.
        kept = ["--appendonly", "yes", "--appenddirname", backup.name, "--aof-load-truncated", "yes", "--save", ""]
        server = subprocess.Popen([program, *arguments, *kept], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            with redis.Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0)) as client:
                _await_ready(client, server)
                yield client
        finally:
            server.terminate()
            server.wait(timeout=30)


def _compact(client: redis.Redis) -> None:
    client.bgrewriteaof()
    _await_rest(client)
    state = client.info("persistence")
    if state["aof_last_bgrewrite_status"] != "ok":
        raise BackupFailed("Redis could not compact its append-only file: see its log")


def _await_rest(client: redis.Redis) -> None:
    until = time.monotonic() + REWRITTEN_WITHIN_S
    while True:
        state = client.info("persistence")
        if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
            return
        if time.monotonic() > until:
            raise BackupFailed(f"Redis did not finish compacting within {REWRITTEN_WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)


def _await_ready(client: redis.Redis, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while server.poll() is None and time.monotonic() < until:
        try:
            client.ping()
        except (ConnectionFailed, BusyLoadingError):
            time.sleep(LOOK_EVERY_S)
        else:
            return
    raise BackupFailed("the scratch Redis did not load the backup: it is not whole")
