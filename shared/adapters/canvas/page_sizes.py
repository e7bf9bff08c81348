"""How large a page of a list Canvas answers in time, remembered for each course by all workers.

A page of many students and assignments ends in a 504 of the load balancer in front of Canvas (canvas-lms #1033), or in
silence until passback gives the request up. The same page fails again; a smaller one does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import redis

from shared.adapters.redis.keys import Keys
from shared.errors import SystemUnwell, TransientError

T = TypeVar("T")

# So many rows of a list, and so many submissions (students times assignments), are asked for at once.
MOST_ROWS = 100
MOST_CELLS = 10_000
LEAST_ROWS = 5
LEAST_CELLS = 5
# Long enough not to fail at every sync, short enough for a Canvas that was slow for an hour.
REMEMBERED_FOR = timedelta(days=1)
FEWEST_STUDENTS = 10


@dataclass(frozen=True, slots=True)
class Unit:
    """What the size of a page is counted in."""

    name: str
    most: int
    least: int


ROWS = Unit("rows", MOST_ROWS, LEAST_ROWS)
CELLS = Unit("cells", MOST_CELLS, LEAST_CELLS)


class PageSizes:
    """The sizes by list and course. Thread-safe."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def pages_of(self, of: str, read: Callable[[int], Iterator[T]]) -> Iterator[T]:
        """Yield what `read` yields for pages of so many rows; from the start again where a page is too heavy."""
        size = self._size(ROWS, of)
        while True:
            try:
                yield from read(size)
            except TransientError as error:
                size = self._after(error, ROWS, of, size)
            else:
                return

    def rows(self, of: str, read: Callable[[int], list[T]]) -> list[T]:
        """Return what `read` returns for pages of so many rows; it is called again where a page is too heavy."""
        size = self._size(ROWS, of)
        while True:
            try:
                return read(size)
            except TransientError as error:
                size = self._after(error, ROWS, of, size)

    def cells(self, course_id: str, ids: Sequence[str], read: Callable[[Sequence[str], int], list[T]]) -> list[T]:
        """Return all that `read` returns for some of the assignment ids, with pages of so many students."""
        size = self._size(CELLS, course_id)
        rows: list[T] = []
        left = ids
        while left:
            some, students = share(left, size)
            try:
                rows += read(some, students)
            except TransientError as error:
                size = self._after(error, CELLS, course_id, min(size, len(some) * students))
            else:
                left = left[len(some) :]
        return rows

    def _size(self, unit: Unit, of: str) -> int:
        kept = self._redis.get(self._keys.cached(f"canvas-page-{unit.name}", of))
        return unit.most if kept is None else max(unit.least, min(unit.most, int(kept)))

    def _after(self, error: TransientError, unit: Unit, of: str, size: int) -> int:
        """Return half the size, remembered. Raises the error where a smaller page would be no help."""
        if not is_too_heavy(error) or size <= unit.least:
            raise error
        smaller = max(unit.least, size // 2)
        self._redis.set(self._keys.cached(f"canvas-page-{unit.name}", of), smaller, px=REMEMBERED_FOR)
        return smaller


def share(ids: Sequence[str], cells: int) -> tuple[Sequence[str], int]:
    """Return the assignments to ask for at once and how many students a page has, `cells` submissions in all.

    Canvas takes at most 100 of either.
    """
    some = ids[: min(MOST_ROWS, max(1, cells // FEWEST_STUDENTS))]
    return some, min(MOST_ROWS, max(1, cells // len(some)))


def is_too_heavy(error: TransientError) -> bool:
    """Say whether this request took too long while Canvas answers others: then a smaller one may be answered."""
    return error.cause == "canvas_timeout" and not isinstance(error, SystemUnwell)
