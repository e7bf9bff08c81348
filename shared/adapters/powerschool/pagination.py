"""Whole lists from the plugin's queries, page by page: complete, or not at all.

A page begins after the last row of the page before, by the rows' own ids, so that a row that comes or goes meanwhile
moves no other row (keyset paging; a page that begins at an offset skips a row for each row that was deleted before it).
A page may be shorter than asked for, since a district can have a cap, and says nothing (measured on a production server
for the table API). So every page counts the rows from where it begins to the end, and no list passes without its count.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.adapters.http.decimal_json import Json, whole
from shared.adapters.http.response import ApiResponse, problems_of
from shared.adapters.powerschool.wire import listed
from shared.domain.provisioning.roster import UnreadableRecord
from shared.errors import IncompleteRead, UnexpectedResponse

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")

Position = tuple[int, ...]
"""The ids of a row, in the order of its list; every page has the rows after one."""

AFTER = ("after_dcid", "after_id")
"""The arguments of a query that name the position, one for each id."""

# More pages than the largest district has enrollments for, at a hundred rows each.
MAX_PAGES = 50_000

# So often a list is read that changes while it is read.
READINGS = 3


@dataclass(frozen=True, slots=True)
class QueryList(Generic[R]):
    """A query that is read page by page.

    `key` are the columns of its order, unique together; `record` names the first of them to a person (`CC.DCID`).
    """

    query: str
    row: type[R]
    key: tuple[str, ...]
    record: str

    @property
    def start(self) -> Position:
        """The position before the first row."""
        return (0,) * len(self.key)

    def args_after(self, position: Position) -> dict[str, int]:
        """Return the arguments of the page that begins after the position."""
        return dict(zip(AFTER, position, strict=False))

    def position(self, row: Json) -> Position:
        """Return the row's ids; an outer join that found nothing has none, which counts as 0.

        Raises: ValueError for a row whose first id cannot be read.
        """
        columns = row if isinstance(row, dict) else {}
        first, *others = (columns.get(column) for column in self.key)
        return (_id(first), *(0 if other in (None, "") else _id(other) for other in others))


@dataclass(frozen=True, slots=True)
class QueryPage:
    """The rows of one page as they came; `remaining` counts them and all after them, where the page says so."""

    answer: ApiResponse
    rows: Sequence[Json]
    remaining: int | None = None


@dataclass
class QueryReading(Generic[R]):
    """One reading of a list, from its first page to its last.

    `before` is the count that was asked for just before it, where there is one. `odd` are the rows that cannot be read;
    every row of their records is left out. `counted` is how many rows there are after the last page.
    """

    of: QueryList[R]
    page_of: Callable[[Position], QueryPage]
    count: Callable[[], int]
    before: int | None = None
    odd: list[UnreadableRecord] = field(default_factory=list)
    rows: int = 0
    counted: int = 0
    has_changed: bool = False

    def records(self) -> Iterator[list[R]]:
        """Yield the rows, those of one record together.

        Raises: IncompleteRead where rows are counted that do not come, UnexpectedResponse for rows out of order.
        """
        record: list[R] | None = []
        current: int | None = None
        for dcid, row in self._rows():
            if dcid != current:
                if record:
                    yield record
                current, record = dcid, []
            record = None if row is None or record is None else [*record, row]
        if record:
            yield record

    def _rows(self) -> Iterator[tuple[int, R | None]]:
        """Yield each row with its first id; None in place of one that cannot be read."""
        wire = TypeAdapter(list[self.of.row])  # type: ignore[name-defined]  # a type that is a value
        for page, positions in self._pages():
            try:
                yield from zip((each[0] for each in positions), wire.validate_python(list(page.rows)), strict=True)
            except ValidationError:
                for position, row in zip(positions, page.rows, strict=True):
                    yield position[0], self._read(position, row)

    def _read(self, position: Position, row: Json) -> R | None:
        try:
            return self.of.row.model_validate(row)
        except ValidationError as error:
            fields = dict.fromkeys(
                str(problem["loc"][0]) if problem["loc"] else "row" for problem in problems_of(error)
            )
            self.odd.append(UnreadableRecord(self.of.record, position[0], tuple(fields), ids_of(row)))
            return None

    def _pages(self) -> Iterator[tuple[QueryPage, Sequence[Position]]]:
        """Yield the pages with the positions of their rows, and note whether the list changed between them."""
        position, expected, pages = self.of.start, self.before, 0
        while True:
            page = self.page_of(position)
            pages += 1
            if pages > MAX_PAGES:
                raise page.answer.unexpected(f"more than {MAX_PAGES} pages")
            if expected is None:
                expected = self.count() if page.remaining is None else page.remaining
            if pages == 1:
                self.counted = expected
            # What was counted from here on, when the page before was read.
            remaining = expected if page.remaining is None else page.remaining
            self.has_changed |= remaining != expected
            if not page.rows:
                break
            positions = self._positions(page, position)
            position = positions[-1]
            self.rows += len(page.rows)
            yield page, positions
            expected = remaining - len(page.rows)
            if expected <= 0:
                break
        if page.remaining and not page.rows:
            raise IncompleteRead(f"{page.answer.request}: {self.rows} rows, and {page.remaining} more that do not come")
        if pages > 1:
            # A single page is one statement of the database: nothing can have changed while it was read.
            first, self.counted = self.counted, self.count()
            self.has_changed |= first != self.counted

    def _positions(self, page: QueryPage, after: Position) -> list[Position]:
        """Return the positions of the page's rows. Raises: UnexpectedResponse where they are not in order."""
        try:
            positions = [self.of.position(row) for row in page.rows]
        except ValueError:
            raise page.answer.unexpected(f"a row without {self.of.key[0]}") from None
        if any(one >= other for one, other in pairwise(positions)):
            raise page.answer.unexpected("rows out of order")
        if positions[0] <= after:
            raise OutOfOrder(page.answer.unexpected("rows from the beginning"))
        return positions


class OutOfOrder(UnexpectedResponse):
    """A page does not begin where it was asked to: the query does not know its arguments."""

    def __init__(self, error: UnexpectedResponse) -> None:
        super().__init__(str(error), cause=error.cause)


@dataclass(frozen=True, slots=True)
class ReadList(Generic[T]):
    """A whole list. `is_settled` says whether a reading was undisturbed; else it is the last of several."""

    values: tuple[T, ...]
    odd: tuple[UnreadableRecord, ...]
    is_settled: bool


def fetch_all(reading: Callable[[], QueryReading[R]], make: Callable[[list[R]], T]) -> ReadList[T]:
    """Return what `make` makes of each record. A list that changed while it was read is read again.

    Raises: IncompleteRead, UnexpectedResponse.
    """
    for _ in range(READINGS):
        one = reading()
        found = tuple(make(record) for record in one.records())
        if not one.has_changed and one.rows == one.counted:
            return ReadList(found, tuple(one.odd), is_settled=True)
    if not one.has_changed:
        raise IncompleteRead(f"POST /ws/schema/query/{one.of.query}: {one.rows} rows of {one.counted}")
    return ReadList(found, tuple(one.odd), is_settled=False)


def counted(answer: ApiResponse) -> int:
    """Return the number in an answer to `/count`, in either of the shapes that clients have seen."""
    body = answer.body
    inner = body.get("resource", body) if isinstance(body, dict) else None
    number = whole(inner.get("count")) if isinstance(inner, dict) else None
    if number is None:
        raise answer.unexpected("no count")
    return number


def query_page(answer: ApiResponse) -> QueryPage:
    """Return the page that a PowerQuery answered; without rows there is no `record`."""
    if not isinstance(answer.body, dict):
        raise answer.unexpected("no rows")
    return QueryPage(answer, listed(answer.body.get("record")), whole(answer.body.get("count")))


def ids_of(row: Json) -> dict[str, int]:
    """Return the numbers of a row by column: ids, which may be told. A row's other values may be personal."""
    columns = row.items() if isinstance(row, dict) else ()
    return {
        name: number
        for name, value in columns
        if name.endswith(("_dcid", "_id")) or name == "school_number"
        if (number := whole(value)) is not None
    }


def _id(value: Json) -> int:
    number = whole(value)
    if number is None:
        raise ValueError("no id")
    return number
