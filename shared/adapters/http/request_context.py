"""What a request is sent for: whose turn it is, how long it may wait, and whether it may still be sent after a wait.

A context variable, since every port between a sync and its requests would have to pass it on otherwise.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta


def _no_check() -> None:
    """Let everything go on."""


@dataclass(frozen=True, slots=True)
class Errand:
    """The work that requests belong to. Requests of work that began earlier go first.

    `began_ms` is Redis's time; None stands for the time of each request. `patience` returns how long a request may
    still wait for its turn. `check_wait` is called before a request and while it waits, `check_stop` while it is under
    way, `check_write` before a write is sent that had to wait: they raise what ends the work.
    """

    began_ms: int | None
    patience: Callable[[], timedelta]
    check_wait: Callable[[], None] = _no_check
    check_write: Callable[[], None] = _no_check
    check_stop: Callable[[], None] = _no_check


_CURRENT: ContextVar[Errand | None] = ContextVar("errand", default=None)


def current_errand() -> Errand | None:
    """Return what the calling thread works on, None where it was not said."""
    return _CURRENT.get()


@contextmanager
def on_errand(errand: Errand) -> Iterator[None]:
    """Send the requests of the block for this errand."""
    token = _CURRENT.set(errand)
    try:
        yield
    finally:
        _CURRENT.reset(token)
