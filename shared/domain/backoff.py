"""How long to wait before the next attempt."""

from collections.abc import Callable, Sequence
from datetime import timedelta

# Courses that failed together come back spread over the last quarter of their wait, not in one burst.
JITTERED_SHARE = 0.25


def next_wait(attempts: int, waits: Sequence[timedelta], jitter: Callable[[], float]) -> timedelta | None:
    """Return the wait after `attempts` failed attempts (1 or more), None where no attempt is left.

    `waits` lie between the attempts, so there is one attempt more than waits. `jitter` returns a number in
    [0, 1), such as `random.random`; the result is never longer than the wait itself and at least three quarters
    of it.
    """
    if attempts < 1:
        raise ValueError(f"attempts is {attempts}; the wait follows a failed attempt")
    if attempts > len(waits):
        return None
    return waits[attempts - 1] * (1 - JITTERED_SHARE * jitter())
