"""Runs passback's processes as children of this one: starts, watches and stops them by their ids."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from shared.config import PREFIX

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 8.0
PROGRAM = "workers.cli"


class ProcessDied(RuntimeError):
    """A child ended unexpectedly or does not do its work; the message names it and quotes the end of its output."""


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ProcessGroup:
    """Children running `passback <arguments>`, each with its output in a file (or on this terminal)."""

    logs: Path | None
    environ: Mapping[str, str]
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _files: list[IO[bytes]] = field(default_factory=list)

    def start(self, name: str, *arguments: str, module: str = PROGRAM) -> int:
        """Start `passback <arguments>` in its own process group; return its process id.

        Another module can replace passback's own program, for tests of faults.
        """
        output: IO[bytes] | None = None
        if self.logs is not None:
            output = (self.logs / f"{name}.log").open("ab")
            self._files.append(output)
        self._children[name] = subprocess.Popen(  # noqa: S603  # our own program, with arguments of our own
            [sys.executable, "-m", module, *arguments],
            env=dict(self.environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        return self._children[name].pid

    def signal(self, name: str, which: signal.Signals) -> None:
        """Send a signal to one child, if it still runs."""
        self._children[name].send_signal(which)

    def exit_code(self, name: str) -> int | None:
        """Return the exit code of a child (minus the number of the signal that ended it), None while it runs."""
        return self._children[name].poll()

    def check(self) -> None:
        """Raise `ProcessDied` if a child has ended."""
        for name, child in self._children.items():
            code = child.poll()
            if code is not None:
                raise ProcessDied(f"{name} ended with code {code}{self._tail(name)}")

    def wait_ready(self, url: str, client: httpx.Client | None = None) -> None:
        """Wait until `GET url` returns 200. Raises `ProcessDied` if a child ends or it takes too long."""
        get = client.get if client else httpx.get
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(httpx.TransportError):
                if get(url, timeout=2).status_code == 200:
                    return
            time.sleep(0.05)
        raise ProcessDied(f"{url} did not answer within {READY_WITHIN_S:g} s")

    def stop(self) -> None:
        """End every child, the last started first: with SIGTERM, then with SIGKILL."""
        for child in reversed(self._children.values()):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        for child in self._children.values():
            try:
                child.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait(timeout=5)
        for file in self._files:
            file.close()

    def _tail(self, name: str) -> str:
        if self.logs is None:
            return ""
        path = self.logs / f"{name}.log"
        return f"; the end of its output:\n{path.read_text(errors='replace')[-2000:]}"


def without_settings() -> dict[str, str]:
    """Return this process's environment without passback's settings, for child processes with settings of their own."""
    return {
        name: value
        for name, value in os.environ.items()  # noqa: TID251  # passed to child processes
        if not name.upper().startswith(PREFIX)
    }


@contextlib.contextmanager
def process_group(logs: Path | None, environ: Mapping[str, str]) -> Iterator[ProcessGroup]:
    """Yield an empty group, and stop its processes at the end."""
    group = ProcessGroup(logs, environ)
    try:
        yield group
    finally:
        group.stop()
