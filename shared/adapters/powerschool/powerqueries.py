"""Runs the PowerQueries of the passback plugin (`deploy/powerschool-plugin`)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog
from pydantic import BaseModel

from shared.adapters.http.client import Params
from shared.adapters.http.response import ApiResponse, Decoder
from shared.adapters.http.wire import Json
from shared.adapters.powerschool.pagination import (
    READINGS,
    OutdatedQuery,
    Position,
    QueryList,
    QueryReading,
    count_of,
    fetch_all,
)
from shared.adapters.redis.cache import UnavailableQueries
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.plugin import QUERY_FAULTS
from shared.errors import IncompleteRead, QueryUnavailable, RequestRejected
from shared.log_events import LogEvent

log = structlog.get_logger()

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")
Args = Mapping[str, int | Sequence[int]]
Send = Callable[[str, Params, Json, Decoder | None], ApiResponse]

# All workers together ask for a query that does not run no more often than this, however many courses need it.
MIN_RETRY_INTERVAL = timedelta(seconds=50)
# Oracle takes at most 1,000 values in an IN list.
MAX_IDS_PER_CALL = 500
# More odd rows than these in one list are no typing errors of single records.
MAX_ODD_ROWS = 10


class PowerQueries:
    """Runs queries, and stores which ones PowerSchool does not run, until they run again.

    `send` takes path, parameters, body and decoder, and returns a successful response.
    """

    def __init__(self, send: Send, unavailable: UnavailableQueries, clock: Clock) -> None:
        self._send = send
        self._unavailable = unavailable
        self._clock = clock

    def fetch(self, query: str, args: Args, decoder: Decoder) -> ApiResponse:
        """Return the response with all rows and their count, by `decoder` if it can. Raises: QueryUnavailable.

        Source: PowerSchool PowerQueries; values are strings, nulls are left out, and so is `record` without rows.
        """
        return self._run(query, "", [("pagesize", "0"), ("count", "true")], args, decoder)

    def read(
        self,
        listed: QueryList[R],
        make: Callable[[list[R]], T],
        args: Args | None = None,
        *,
        rows_per_page: int = 0,
        expected: int | None = None,
    ) -> QueryReading[R, T]:
        """Return what `make` makes of each record of the list. `expected` is its count, where it is known just now.

        Raises: QueryUnavailable, IncompleteRead, UnexpectedResponse. Source: PowerSchool PowerQueries (`page`,
        `pagesize` with 0 for all rows, `count`).
        """
        params = [("page", "1"), ("pagesize", str(rows_per_page)), ("count", "true")]
        counts = iter(() if expected is None else (expected,))

        def page_after(position: Position) -> ApiResponse:
            return self._run(listed.query, "", params, {**(args or {}), **listed.args_after(position)})

        def reading() -> QueryReading[R, T]:
            return QueryReading(listed, page_after, lambda: self.count(listed, args), make, next(counts, None))

        try:
            return fetch_all(reading)
        except OutdatedQuery as error:
            raise self._refused(listed.query, Cause.QUERY_OUTDATED) from error

    def rows(self, listed: QueryList[R], args: Args | None = None) -> tuple[R, ...]:
        """Return the rows of a list, one for each record. A row that cannot be read is left out and logged.

        Raises: IncompleteRead where every reading was disturbed, or where more than a few rows cannot be read; and as
        `read`.
        """
        reading = self.read(listed, lambda rows: rows[0], args)
        for row in reading.odd[:MAX_ODD_ROWS]:
            log.warning(LogEvent.ROSTER_ROW_SKIPPED, query=listed.query, record=row.source, fields=list(row.fields))
        if not reading.is_settled:
            raise IncompleteRead(f"POST {query_path(listed.query)}: the rows changed during {READINGS} readings")
        if len(reading.odd) > MAX_ODD_ROWS:
            raise IncompleteRead(f"POST {query_path(listed.query)}: {len(reading.odd)} rows cannot be read")
        return reading.values

    def count(self, listed: QueryList[R], args: Args | None = None) -> int:
        """Return how many rows the list has. Raises: QueryUnavailable."""
        args = {**(args or {}), **listed.args_after(listed.start)}
        return count_of(self._run(listed.query, "/count", (), args))

    def _run(self, query: str, suffix: str, params: Params, args: Args, decoder: Decoder | None = None) -> ApiResponse:
        """Send the query. One that was refused just now is not sent again.

        Raises: QueryUnavailable, and what `send` raises for any other reason.
        """
        known = self._unavailable.find(query)
        if known is not None and self._clock.now() - known.asked_at < MIN_RETRY_INTERVAL:
            raise _unavailable(query, known.fault)
        body: Json = {name: value if isinstance(value, int) else list(value) for name, value in args.items()}
        try:
            response = self._send(f"{query_path(query)}{suffix}", params, body, decoder)
        except RequestRejected as error:
            fault = QUERY_FAULTS.get(error.status)
            if fault is None:
                raise
            raise self._refused(query, fault, error) from error
        if known is not None and self._unavailable.remove(query):
            log.info(LogEvent.QUERY_AVAILABLE, query=query)
        return response

    def _refused(self, query: str, fault: Cause, error: RequestRejected | None = None) -> QueryUnavailable:
        """Store that the query does not run, and return the error that says so."""
        if self._unavailable.add(query, fault):
            log.error(LogEvent.QUERY_UNAVAILABLE, query=query, cause=fault)
        return _unavailable(query, fault, error)


def _unavailable(query: str, fault: Cause, error: RequestRejected | None = None) -> QueryUnavailable:
    status = error.status if error else next(code for code, known in QUERY_FAULTS.items() if known is fault)
    message = f"POST {query_path(query)}: {status}: {fault.meaning} {fault.remedy}"
    said = error.error_text if error else ""
    return QueryUnavailable(message, cause=fault, status=status, query=query, error_text=said)


def query_path(query: str) -> str:
    """Return the path at which PowerSchool runs the query."""
    return f"/ws/schema/query/{query}"
