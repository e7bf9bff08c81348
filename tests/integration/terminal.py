"""Runs a command as a person does: in a terminal of a given size."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COLUMNS, ROWS = 80, 24
CONTROL_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ERASED_LINE = "\x1b[2K"


@dataclass
class Terminal:
    """A terminal with a command in it. `printed` is all that the command has written, control sequences included."""

    process: subprocess.Popen[bytes]
    _screen: int
    printed: str = ""

    def wait_for(self, text: str, within_s: float) -> None:
        """Read until the command has written the text."""
        until = time.monotonic() + within_s
        while text not in self.printed:
            assert time.monotonic() < until, f"no {text!r} in {self.printed}"
            assert self._read(), f"ended without {text!r}: {self.printed}"

    def wait_for_end(self, within_s: float) -> int:
        """Read until the command ends, and return its exit code."""
        until = time.monotonic() + within_s
        while self._read():
            assert time.monotonic() < until, self.printed
        return self.process.wait(10)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._screen, b"\x03")

    @property
    def lines(self) -> list[str]:
        """Every line that was ever written, without colours; of a live view, every state of each line."""
        return [CONTROL_SEQUENCES.sub("", line) for line in re.split(r"[\r\n]+", self.printed)]

    @property
    def left(self) -> list[str]:
        """The lines that stay after a live view has erased itself."""
        return CONTROL_SEQUENCES.sub("", self.printed.rpartition(ERASED_LINE)[2]).splitlines()

    def _read(self) -> bool:
        """Read what there is; return False at the end."""
        readable, _, _ = select.select([self._screen], [], [], 0.2)
        if not readable:
            return True
        try:
            data = os.read(self._screen, 65_536)
        except OSError:
            return False
        self.printed += data.decode()
        return bool(data)


def _become_foreground() -> None:
    """Make the terminal this process's own. Tests in the background of a shell ignore Ctrl-C, and pass that on."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def terminal(command: Sequence[str | Path], environ: Mapping[str, str], folder: Path) -> Iterator[Terminal]:
    """Yield a terminal in which the command runs; it is ended with the block."""
    screen, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, stdin=inside, stdout=inside, stderr=inside, env=environ, cwd=folder, start_new_session=True,
        preexec_fn=_become_foreground,  # noqa: PLW1509  # without it, Ctrl-C reaches nobody
    )  # fmt: skip
    os.close(inside)
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        os.close(screen)
