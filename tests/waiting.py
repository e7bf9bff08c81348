"""Waits for what other threads and processes do."""

import time
from collections.abc import Callable


def wait_until(is_so: Callable[[], object], within_s: float = 30.0, what: str = "") -> None:
    """Return once `is_so` answers true. Raises: AssertionError, which says `what`, after `within_s`."""
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, what or f"not so within {within_s:g} s"
        time.sleep(0.05)
