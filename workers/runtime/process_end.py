"""What ends a process: signals, and the failure of a thread that it needs. Its supervisor starts it again."""

import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from typing import ClassVar

_failed = threading.Event()


def end_on_sigterm() -> None:
    """Make SIGTERM unwind this process like Ctrl-C does, so that no child process or temporary file remains."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    return stopped


class VitalThread(ABC, threading.Thread):
    """A daemon thread that works until it is stopped. An unexpected error ends the process with a code other than 0.

    The process would otherwise look alive and do nothing. `threading.excepthook` logs the error.
    """

    stop_timeout_s: ClassVar[float] = 5.0

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()

    @abstractmethod
    def work(self) -> None:
        """Work until `stopping` is set."""

    def run(self) -> None:
        """Work. An error that the work does not handle asks the process to stop."""
        try:
            self.work()
        except Exception:
            _failed.set()
            os.kill(os.getpid(), signal.SIGTERM)
            raise

    def stop(self) -> None:
        """Ask the thread to stop, and wait a while for its current step."""
        self.stopping.set()
        self.join(self.stop_timeout_s)


def one_failed() -> bool:
    """Say whether such a thread has failed in this process."""
    return _failed.is_set()
