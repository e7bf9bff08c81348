"""What SIGTERM and Ctrl-C do in processes that do not run Celery."""

import signal
import sys
import threading


def end_on_sigterm() -> None:
    """Make SIGTERM unwind this process like Ctrl-C does, so that no child process or temporary file remains."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    return stopped
