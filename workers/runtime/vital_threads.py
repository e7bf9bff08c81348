"""Threads that a process needs for its work: when one fails, the process ends, and its supervisor starts it again."""

import os
import signal
import threading
from collections.abc import Callable

_failed = threading.Event()


class VitalThread(threading.Thread):
    """A daemon thread whose unexpected error ends the process, with an exit code other than 0.

    The process would otherwise look alive and do nothing. `threading.excepthook` logs the error.
    """

    def __init__(self, *, target: Callable[..., object], name: str, args: tuple[object, ...] = ()) -> None:
        super().__init__(target=target, name=name, args=args, daemon=True)

    def run(self) -> None:
        """Run the target. An error that it does not handle asks the process to stop."""
        try:
            super().run()
        except Exception:
            _failed.set()
            os.kill(os.getpid(), signal.SIGTERM)
            raise


def one_failed() -> bool:
    """Say whether such a thread has failed in this process."""
    return _failed.is_set()
