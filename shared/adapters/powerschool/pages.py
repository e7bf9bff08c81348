"""Whole lists from PowerSchool, page by page: complete, or not at all.

A page size above the cap truncates the page instead of failing, and says nothing (measured on a production server).
So every list is counted, and rows that do not match their count are never passed on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from shared.adapters.http.answers import Answer
from shared.adapters.http.api import Params
from shared.adapters.http.exact_json import Json
from shared.adapters.powerschool.wire import listed
from shared.errors import RosterTruncated

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page as they came, and how many there are on all pages where the page itself says so."""

    answer: Answer
    rows: Sequence[Json]
    count: int | None = None


def whole_list(
    page_of: Callable[[Params], Page], size: int, wire: TypeAdapter[list[T]], count: Callable[[], int]
) -> list[T]:
    """Return the rows of all pages. `count` is asked where the pages do not count themselves.

    Raises: RosterTruncated where the rows are not as many as their count, or one came twice: a list that changes while
    it is read shifts its pages.
    """
    first = page_of(_paging(1, size))
    rows, expected = first.answer.parsed(wire, list(first.rows)), first.count
    expected = count() if expected is None else expected
    # Where the first page was cut, the cap that cut it is the size to go on with: only then is the second one the next.
    size, number = min(size, len(rows)), 1
    while size > 0 and len(rows) < expected:
        number += 1
        page = page_of(_paging(number, size))
        more = page.answer.parsed(wire, list(page.rows))
        rows.extend(more)
        expected = expected if page.count is None else page.count
        if not page.rows:
            break
    if len(rows) != expected or len(set(rows)) != len(rows):
        raise RosterTruncated(f"{first.answer.call}: {len(rows)} rows of {expected}, {len(set(rows))} different ones")
    return rows


def counted(answer: Answer) -> int:
    """Return the number in an answer to `/count`, in either of the shapes that clients have seen."""
    body = answer.body
    inner = body.get("resource", body) if isinstance(body, dict) else None
    number = _whole(inner.get("count")) if isinstance(inner, dict) else None
    if number is None:
        raise answer.unexpected("no count")
    return number


def query_page(answer: Answer) -> Page:
    """Return the page that a PowerQuery or a table answered; without rows there is no `record`."""
    if not isinstance(answer.body, dict):
        raise answer.unexpected("no rows")
    return Page(answer, listed(answer.body.get("record")), _whole(answer.body.get("count")))


def _paging(number: int, size: int) -> Params:
    return [("page", str(number)), ("pagesize", str(size))]


def _whole(value: Json) -> int | None:
    """Return a number that may have come as text."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return int(str(value)) if is_number or (isinstance(value, str) and value.isdigit()) else None
