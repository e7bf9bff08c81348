"""Whole lists from the plugin's queries, page by page: complete, or not at all.

A page begins after the last row of the page before, by the rows' own ids, so that a row that comes or goes meanwhile
moves no other row (keyset paging; a page that begins at an offset skips a row for each row that was deleted before it).
A district can have a cap that makes pages shorter, without any sign of it in the response (measured on a production
server for the table API). So every page counts the rows from where it begins to the end, and a list is complete only if
its count agrees.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.adapters.http.response import ApiResponse, problems_of
from shared.adapters.http.wire import Json, as_int
from shared.domain.causes import Cause
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

# How often a list is read that changes while it is read.
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
        """Return the row's ids; an outer join without a match has none, which counts as 0.

        Raises: ValueError for a row whose first id cannot be read.
        """
        columns = row if isinstance(row, dict) else {}
        first, *others = (columns.get(column) for column in self.key)
        return (_id(first), *(0 if other in (None, "") else _id(other) for other in others))


class OutdatedQuery(UnexpectedResponse):
    """A page does not begin after the given position: the query does not know its arguments."""


@dataclass
class QueryReading(Generic[R, T]):
    """One reading of a list, from its first page to its last.

    `expected` is the count that was asked for just before it, where there is one. `values` are what `make` makes of
    each record. `odd` are the rows that cannot be read; every row of their records is left out. `counted` is how many
    rows there are after the last page.
    """

    of: QueryList[R]
    page_after: Callable[[Position], ApiResponse]
    count: Callable[[], int]
    make: Callable[[list[R]], T]
    expected: int | None = None
    values: tuple[T, ...] = ()
    odd: list[UnreadableRecord] = field(default_factory=list)
    rows: int = 0
    counted: int = 0
    has_changed: bool = False

    @property
    def is_settled(self) -> bool:
        """Say whether the list did not change while it was read, and is complete."""
        return not self.has_changed and self.rows == self.counted

    def read(self) -> None:
        """Read the list.

        Raises: IncompleteRead where rows are counted that do not come, UnexpectedResponse for rows out of order,
        OutdatedQuery.
        """
        self.values = tuple(self.make(record) for record in self._records())

    def _records(self) -> Iterator[list[R]]:
        """Yield the rows, those of one record together."""
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
        for rows, positions in self._pages():
            try:
                yield from zip((position[0] for position in positions), wire.validate_python(rows), strict=True)
            except ValidationError:
                for position, row in zip(positions, rows, strict=True):
                    yield position[0], self._row(position, row)

    def _row(self, position: Position, row: Json) -> R | None:
        try:
            return self.of.row.model_validate(row)
        except ValidationError as error:
            names = (str(problem["loc"][0]) if problem["loc"] else "row" for problem in problems_of(error))
            self.odd.append(UnreadableRecord(self.of.record, position[0], tuple(dict.fromkeys(names)), ids_of(row)))
            return None

    def _pages(self) -> Iterator[tuple[list[Json], Sequence[Position]]]:
        """Yield the rows of each page with their positions, and note whether the list changed between pages."""
        position, expected, pages = self.of.start, self.expected, 0
        while True:
            page = self.page_after(position)
            rows, remaining = page_of(page)
            pages += 1
            if pages > MAX_PAGES:
                raise page.unexpected(f"more than {MAX_PAGES} pages")
            if expected is None:
                expected = self.count() if remaining is None else remaining
            if pages == 1:
                self.counted = expected
            # Where the page has no count, the rows are as many as the page before left.
            here = expected if remaining is None else remaining
            self.has_changed |= here != expected
            if not rows:
                break
            positions = self._positions(page, rows, position)
            position = positions[-1]
            self.rows += len(rows)
            yield rows, positions
            expected = here - len(rows)
            if expected <= 0:
                break
        if remaining and not rows:
            raise IncompleteRead(f"{page.request}: {self.rows} rows, and {remaining} more that do not come")
        if pages > 1:
            # A single page is one statement of the database: nothing can have changed while it was read.
            first, self.counted = self.counted, self.count()
            self.has_changed |= first != self.counted

    def _positions(self, page: ApiResponse, rows: list[Json], after: Position) -> list[Position]:
        """Return the positions of the page's rows. Raises: UnexpectedResponse where they are not in order."""
        try:
            positions = [self.of.position(row) for row in rows]
        except ValueError:
            raise page.unexpected(f"a row without {self.of.key[0]}") from None
        if any(one >= other for one, other in pairwise(positions)):
            raise page.unexpected("rows out of order")
        if positions[0] <= after:
            raise OutdatedQuery(f"{page}, rows from the beginning", cause=Cause.POWERSCHOOL_UNEXPECTED)
        return positions


def fetch_all(reading: Callable[[], QueryReading[R, T]]) -> QueryReading[R, T]:
    """Return the first reading that no change disturbed, else the last of several. Raises what `read` raises."""
    for _ in range(READINGS):
        one = reading()
        one.read()
        if one.is_settled:
            return one
    if not one.has_changed:
        raise IncompleteRead(f"POST /ws/schema/query/{one.of.query}: {one.rows} rows of {one.counted}")
    return one


def count_of(response: ApiResponse) -> int:
    """Return the number in a response to `/count`, in either of the shapes that clients have seen."""
    body = response.body
    inner = body.get("resource", body) if isinstance(body, dict) else None
    number = as_int(inner.get("count")) if isinstance(inner, dict) else None
    if number is None:
        raise response.unexpected("no count")
    return number


def page_of(response: ApiResponse) -> tuple[list[Json], int | None]:
    """Return the rows of a PowerQuery's page, and how many rows there are from its first to the last, if it says so.

    Without rows there is no `record`.
    """
    return as_list(response.member("record")), as_int(response.member("count"))


def as_list(value: Json) -> list[Json]:
    """Return a list, whichever way it was written: as one, as its only item, or as nothing."""
    match value:
        case list():
            return value
        case None | "":
            return []
        case _:
            return [value]


def ids_of(row: Json) -> dict[str, int]:
    """Return the numbers of a row by column: ids, which may be logged. A row's other values may be personal."""
    columns = row.items() if isinstance(row, dict) else ()
    return {
        name: number
        for name, value in columns
        if name.endswith(("_dcid", "_id")) or name == "school_number"
        if (number := as_int(value)) is not None
    }


def _id(value: Json) -> int:
    number = as_int(value)
    if number is None:
        raise ValueError("no id")
    return number
