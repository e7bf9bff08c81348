"""How large a page of a list Canvas answers in time, stored for each course and shared by all workers.

A page of many students and assignments ends in a 504 of the load balancer in front of Canvas (canvas-lms #1033), or in
silence until passback gives the request up. The same page fails again; a smaller one does not.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import redis

from shared.adapters.canvas.pagination import ListTooSlow
from shared.adapters.http.exchange import current_context
from shared.adapters.redis.client import text
from shared.adapters.redis.keys import Keys
from shared.domain.causes import Cause
from shared.errors import ResponseTooLarge, ServiceUnavailable, TransientError

T = TypeVar("T")
TooHeavy = TransientError | ResponseTooLarge

# Rows of a list, and submissions (students times assignments), that a page has at most.
MAX_ROWS = 100
MAX_CELLS = 10_000
MIN_ROWS = 5
MIN_CELLS = 10
# The smallest page is reached before the fifth failure in a row, which pauses Canvas for everybody.
SHRINK_FACTORS = (2, 8, 64)
GROWTH_FACTOR = 4
# Long enough not to fail at every sync, short enough after Canvas was slow for an hour.
PAGE_SIZE_TTL = timedelta(days=1)
MIN_STUDENTS = 10
# Where more assignments than these in one course seem too heavy, Canvas is slow.
MAX_UNREAD = 3
# The assignments that are too heavy by themselves, in Redis.
HEAVY = "canvas-heavy"


ROWS, CELLS = "rows", "cells"
_LIMITS = {ROWS: (MIN_ROWS, MAX_ROWS), CELLS: (MIN_CELLS, MAX_CELLS)}


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
                size = self._shrink(error, ROWS, of, size, failures)
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
                size = self._shrink(error, ROWS, of, size, failures)

    def cells(
        self, course_id: str, ids: Sequence[str], read: Callable[[Sequence[str], int], list[T]]
    ) -> tuple[list[T], dict[str, TransientError]]:
        """Return all that `read` returns for batches of the ids and pages of so many students, and the failures by id.

        Pages that shrank grow again as long as Canvas responds, to half of the size that failed. An assignment that is
        too heavy by itself fails alone: it is stored, and from then on read last and in the smallest pages, so that the
        others have larger ones. Raises the error where there are several of these: then Canvas is slow.
        """
        first = size = self._size(CELLS, course_id)
        heavy = self._heavy(course_id) & set(ids)
        rows: list[T] = []
        unread: dict[str, TransientError] = {}
        remaining: Sequence[str] = [one for one in ids if one not in heavy]
        failures, limit = 0, 0
        while remaining:
            batch, students = share(remaining, size)
            try:
                rows += read(batch, students)
            except (TransientError, ResponseTooLarge) as error:
                tried = min(size, len(batch) * students)
                failures += 1
                if tried > MIN_CELLS:
                    size, limit = self._shrink(error, CELLS, course_id, tried, failures), tried // 2
                    continue
                self._give_up(course_id, unread, batch[0], error)
                size, limit = self._save(CELLS, course_id, first), 0
            else:
                if size < limit:
                    size = self._save(CELLS, course_id, min(limit, size * GROWTH_FACTOR))
            failures = 0
            remaining = remaining[len(batch) :]
        for assignment_id in sorted(heavy):
            try:
                rows += read([assignment_id], MIN_CELLS)
            except (TransientError, ResponseTooLarge) as error:
                self._give_up(course_id, unread, assignment_id, error)
        return rows, unread

    def _give_up(self, course_id: str, unread: dict[str, TransientError], assignment_id: str, error: TooHeavy) -> None:
        """Record that the assignment cannot be read. Raises the error where the assignment is not its cause."""
        if not _has_time() or not is_too_heavy(error) or len(unread) == MAX_UNREAD:
            raise error
        if isinstance(error, ResponseTooLarge):
            error = TransientError(str(error), cause=error.cause)
        unread[assignment_id] = error
        self._add_heavy(course_id, assignment_id)

    def _add_heavy(self, course_id: str, assignment_id: str) -> None:
        key = self._keys.cached(HEAVY, course_id)
        with self._redis.pipeline() as pipeline:
            pipeline.sadd(key, assignment_id)
            pipeline.pexpire(key, PAGE_SIZE_TTL)
            pipeline.execute()

    def _heavy(self, course_id: str) -> set[str]:
        return {text(one) for one in self._redis.smembers(self._keys.cached(HEAVY, course_id))}

    def _size(self, unit: str, of: str) -> int:
        stored = self._redis.get(self._keys.cached(f"canvas-page-{unit}", of))
        smallest, largest = _LIMITS[unit]
        return largest if stored is None else max(smallest, min(largest, int(stored)))

    def _shrink(self, error: TooHeavy, unit: str, of: str, size: int, failures: int) -> int:
        """Store and return a smaller size: half of it after the first failure in a row, and less after the next ones.

        Raises the error where a smaller page would be no help.
        """
        smallest, _ = _LIMITS[unit]
        if not _has_time() or not is_too_heavy(error) or size <= smallest:
            raise error
        return self._save(unit, of, max(smallest, size // SHRINK_FACTORS[min(failures, len(SHRINK_FACTORS)) - 1]))

    def _save(self, unit: str, of: str, size: int) -> int:
        self._redis.set(self._keys.cached(f"canvas-page-{unit}", of), size, px=PAGE_SIZE_TTL)
        return size


def share(ids: Sequence[str], cells: int) -> tuple[Sequence[str], int]:
    """Return the assignments to ask for at once and how many students a page has, `cells` submissions in all.

    Canvas takes at most 100 of either.
    """
    batch = ids[: min(MAX_ROWS, max(1, cells // MIN_STUDENTS))]
    return batch, min(MAX_ROWS, max(1, cells // len(batch)))


def _has_time() -> bool:
    """Say whether the work may go on: a read that ended with its time was perhaps not too heavy."""
    context = current_context()
    return context is None or context.max_wait() > timedelta(0)


def is_too_heavy(error: TooHeavy) -> bool:
    """Say whether this request alone took too long, or its response was too large: a smaller page may help."""
    if isinstance(error, ResponseTooLarge):
        return True
    return (
        not isinstance(error, ListTooSlow)
        and error.cause == Cause.CANVAS_TIMEOUT
        and not isinstance(error, ServiceUnavailable)
    )
