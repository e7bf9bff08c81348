"""Shows how far an operation over many courses is, and lets Ctrl-C or SIGTERM end it between two courses."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

# Without a terminal, a log gets a line as often.
PROGRESS_INTERVAL_S = 30.0


class ProgressLine:
    """One line on standard error that is rewritten at a terminal, and written now and then elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last, self._next_at = "", time.monotonic() + PROGRESS_INTERVAL_S

    def show(self, text: str) -> None:
        """Show the text in place of the one before."""
        if text == self._last:
            return
        if self._is_terminal:
            typer.echo(f"\r{text.ljust(len(self._last))}", err=True, nl=False)
        elif time.monotonic() >= self._next_at:
            typer.echo(text, err=True)
            self._next_at = time.monotonic() + PROGRESS_INTERVAL_S
        else:
            return
        self._last = text

    def end(self) -> None:
        """Leave the line, before the result."""
        if self._is_terminal and self._last:
            typer.echo(err=True)


@contextmanager
def cancellable() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets, so that the process does not end in the middle of a step.

    A second one ends it there.
    """
    cancelled = threading.Event()

    def cancel(*_: object) -> None:
        if cancelled.is_set():
            raise KeyboardInterrupt
        cancelled.set()

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancelled
    finally:
        for number, former in before.items():
            signal.signal(number, former)
