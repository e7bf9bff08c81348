"""How large a page of a list Canvas answers in time, remembered for each course by all workers.

A page of many students and assignments ends in a 504 of the load balancer in front of Canvas (canvas-lms #1033), or in
silence until passback gives the request up. The same page fails again; a smaller one does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

import redis

from shared.adapters.canvas.pagination import ListTooSlow
from shared.adapters.http.exchange import current_context
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import text
from shared.errors import ResponseTooLarge, ServiceUnavailable, TransientError

T = TypeVar("T")
TooHeavy = TransientError | ResponseTooLarge

# So many rows of a list, and so many submissions (students times assignments), are asked for at once.
MAX_ROWS = 100
MAX_CELLS = 10_000
LEAST_ROWS = 5
LEAST_CELLS = 10
# The smallest page is reached before the fifth failure in a row, which pauses Canvas for everybody.
SHRINKAGE = (2, 8, 64)
GROWTH = 4
# Long enough not to fail at every sync, short enough for a Canvas that was slow for an hour.
PAGE_SIZE_TTL = timedelta(days=1)
FEWEST_STUDENTS = 10
# More assignments than these in one course are not too heavy by themselves: Canvas is.
MAX_UNREAD = 3
# The assignments that are too heavy by themselves, in Redis.
HEAVY = "canvas-heavy"


@dataclass(frozen=True, slots=True)
class Unit:
    """What the size of a page is counted in."""

    name: str
    most: int
    least: int


ROWS = Unit("rows", MAX_ROWS, LEAST_ROWS)
CELLS = Unit("cells", MAX_CELLS, LEAST_CELLS)


@dataclass(slots=True)
class Cells(Generic[T]):
    """What was read of some assignments, and the failures of those that are too heavy by themselves, by id."""

    rows: list[T] = field(default_factory=list)
    unread: dict[str, TransientError] = field(default_factory=dict)


class PageSizes:
    """The sizes by list and course. Thread-safe."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def pages_of(self, of: str, read: Callable[[int], Iterator[T]]) -> Iterator[T]:
        """Yield what `read` yields for pages of so many rows; from the start again where a page is too heavy."""
        size, failures = self._size(ROWS, of), 0
        while True:
            try:
                yield from read(size)
            except (TransientError, ResponseTooLarge) as error:
                failures += 1
                size = self._after(error, ROWS, of, size, failures)
            else:
                return

    def rows(self, of: str, read: Callable[[int], list[T]]) -> list[T]:
        """Return what `read` returns for pages of so many rows; it is called again where a page is too heavy."""
        size, failures = self._size(ROWS, of), 0
        while True:
            try:
                return read(size)
            except (TransientError, ResponseTooLarge) as error:
                failures += 1
                size = self._after(error, ROWS, of, size, failures)

    def cells(self, course_id: str, ids: Sequence[str], read: Callable[[Sequence[str], int], list[T]]) -> Cells[T]:
        """Return all that `read` returns for some of the assignment ids, with pages of so many students.

        Pages that shrank grow again as long as Canvas answers, to half of what it did not answer. An assignment that is
        too heavy by itself costs itself alone: it is remembered, and asked for last and at once in the smallest pages,
        so that the others keep their size. Raises the error where there are several of these: then Canvas is slow.
        """
        first = size = self._size(CELLS, course_id)
        heavy = self._heavy(course_id) & set(ids)
        found: Cells[T] = Cells()
        left: Sequence[str] = [each for each in ids if each not in heavy]
        failures, limit = 0, 0
        while left:
            some, students = share(left, size)
            try:
                found.rows += read(some, students)
            except (TransientError, ResponseTooLarge) as error:
                tried = min(size, len(some) * students)
                failures += 1
                if tried > CELLS.least:
                    size, limit = self._after(error, CELLS, course_id, tried, failures), tried // 2
                    continue
                self._give_up(course_id, found, some[0], error)
                size, limit = self._remember(CELLS, course_id, first), 0
            else:
                if size < limit:
                    size = self._remember(CELLS, course_id, min(limit, size * GROWTH))
            failures = 0
            left = left[len(some) :]
        for each in sorted(heavy):
            try:
                found.rows += read([each], CELLS.least)
            except (TransientError, ResponseTooLarge) as error:
                self._give_up(course_id, found, each, error)
        return found

    def _give_up(self, course_id: str, found: "Cells[T]", assignment_id: str, error: TooHeavy) -> None:
        """Note that the assignment cannot be read. Raises the error where that is not the assignment's own."""
        if not _has_time() or not is_too_heavy(error) or len(found.unread) == MAX_UNREAD:
            raise error
        if isinstance(error, ResponseTooLarge):
            error = TransientError(str(error), cause=error.cause)
        found.unread[assignment_id] = error
        key = self._keys.cached(HEAVY, course_id)
        with self._redis.pipeline() as pipeline:
            pipeline.sadd(key, assignment_id)
            pipeline.pexpire(key, PAGE_SIZE_TTL)
            pipeline.execute()

    def _heavy(self, course_id: str) -> set[str]:
        return {text(each) for each in self._redis.smembers(self._keys.cached(HEAVY, course_id))}

    def _size(self, unit: Unit, of: str) -> int:
        kept = self._redis.get(self._keys.cached(f"canvas-page-{unit.name}", of))
        return unit.most if kept is None else max(unit.least, min(unit.most, int(kept)))

    def _after(self, error: TooHeavy, unit: Unit, of: str, size: int, failures: int) -> int:
        """Return a smaller size, remembered: half of it after the first failure in a row, and less after the next ones.

        Raises the error where a smaller page would be no help.
        """
        if not _has_time() or not is_too_heavy(error) or size <= unit.least:
            raise error
        return self._remember(unit, of, max(unit.least, size // SHRINKAGE[min(failures, len(SHRINKAGE)) - 1]))

    def _remember(self, unit: Unit, of: str, size: int) -> int:
        self._redis.set(self._keys.cached(f"canvas-page-{unit.name}", of), size, px=PAGE_SIZE_TTL)
        return size


def share(ids: Sequence[str], cells: int) -> tuple[Sequence[str], int]:
    """Return the assignments to ask for at once and how many students a page has, `cells` submissions in all.

    Canvas takes at most 100 of either.
    """
    some = ids[: min(MAX_ROWS, max(1, cells // FEWEST_STUDENTS))]
    return some, min(MAX_ROWS, max(1, cells // len(some)))


def _has_time() -> bool:
    """Say whether the work that reads may go on: what ended with its time was perhaps not too heavy."""
    context = current_context()
    return context is None or context.max_wait() > timedelta(0)


def is_too_heavy(error: TooHeavy) -> bool:
    """Say whether this request took too long while Canvas answers others, or said too much: a smaller one may not."""
    if isinstance(error, ResponseTooLarge):
        return True
    return (
        not isinstance(error, ListTooSlow)
        and error.cause == "canvas_timeout"
        and not isinstance(error, ServiceUnavailable)
    )
