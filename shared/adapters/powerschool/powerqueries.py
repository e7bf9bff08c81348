"""Runs the PowerQueries of the passback plugin (`deploy/powerschool-plugin`)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog
from pydantic import BaseModel, TypeAdapter

from shared.adapters.http.client import Params
from shared.adapters.http.decimal_json import Json
from shared.adapters.http.response import ApiResponse, Decoder, UnreadableRow
from shared.adapters.powerschool.pagination import (
    READINGS,
    OutOfOrder,
    Position,
    QueryList,
    QueryPage,
    QueryReading,
    ReadList,
    counted,
    fetch_all,
    query_page,
)
from shared.adapters.powerschool.wire import listed
from shared.adapters.redis.remote_limits.unavailable_queries import UnavailableQueries
from shared.clock import Clock
from shared.domain.plugin_queries import QueryFault
from shared.errors import IncompleteRead, QueryUnavailable, RequestRejected
from shared.log_events import LogEvent

log = structlog.get_logger()

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")
Args = Mapping[str, int | Sequence[int]]
Send = Callable[[str, Params, Json, Decoder | None], ApiResponse]

# All workers together ask for a query that does not run no more often than this, however many courses need it.
ASK_AGAIN_AFTER = timedelta(seconds=50)
# Oracle takes at most 1,000 values in an IN list.
IDS_PER_CALL = 500
# More odd rows than these in one list are no typing errors of single records.
MAX_ODD_ROWS = 10

_FAULTS = {404: QueryFault.MISSING, 403: QueryFault.NOT_GRANTED, 400: QueryFault.OUTDATED}


class QueryLimiter:
    """Turns a refusal to run a query into `QueryUnavailable`, and stores it until the query runs again.

    400 counts as an outdated plugin: passback sends nothing but the arguments that its own version declares.
    """

    def __init__(self, unavailable: UnavailableQueries, clock: Clock) -> None:
        self._unavailable = unavailable
        self._clock = clock

    def run(self, name: str, send: Callable[[], ApiResponse], *, ask: bool = False) -> ApiResponse:
        """Return what `send` returns; without `ask`, a query that was refused just now is not asked for again.

        Raises: QueryUnavailable, and what `send` raises for any other reason.
        """
        known = self._unavailable.find(name)
        if known is not None and not ask and self._clock.now() - known.asked_at < ASK_AGAIN_AFTER:
            raise _unavailable(name, known.fault)
        try:
            answer = send()
        except RequestRejected as refused:
            fault = _FAULTS.get(refused.status)
            if fault is None:
                raise
            raise self.refused(name, fault, refused) from refused
        if known is not None and self._unavailable.remove(name):
            log.info(LogEvent.QUERY_AVAILABLE, query=name)
        return answer

    def refused(self, name: str, fault: QueryFault, refused: RequestRejected | None = None) -> QueryUnavailable:
        """Store that the query does not run, and return the error that says so."""
        if self._unavailable.add(name, fault):
            log.error(LogEvent.QUERY_UNAVAILABLE, query=name, cause=fault)
        return _unavailable(name, fault, refused)


def _unavailable(name: str, fault: QueryFault, refused: RequestRejected | None = None) -> QueryUnavailable:
    status = refused.status if refused else next(code for code, each in _FAULTS.items() if each is fault)
    message = f"POST /ws/schema/query/{name}: {status}: the query {fault.meaning}. {fault.remedy}"
    return QueryUnavailable(
        message, cause=fault, status=status, query=name, error_text=refused.error_text if refused else ""
    )


class PowerQueries:
    """Runs queries through a gate. `send` takes path, parameters, body and decoder, and returns a successful answer."""

    def __init__(self, send: Send, gate: QueryLimiter) -> None:
        self._send = send
        self._limiter = gate

    def answer(self, query: str, args: Args | None = None, decoder: Decoder | None = None) -> ApiResponse:
        """Return the answer with all rows and their count, by `decoder` if it can. Raises: QueryUnavailable.

        Source: PowerSchool PowerQueries; values are strings, nulls are left out, and so is `record` without rows.
        """
        params = [("pagesize", "0"), ("count", "true")]
        return self._limiter.run(query, lambda: self._send(_path(query), params, _body(args), decoder))

    def read(
        self,
        listed: QueryList[R],
        make: Callable[[list[R]], T],
        args: Args | None = None,
        *,
        rows_per_page: int = 0,
        before: int | None = None,
    ) -> ReadList[T]:
        """Return what `make` makes of each record of the list. `before` is its count, where it was asked for just now.

        Raises: QueryUnavailable, IncompleteRead, UnexpectedResponse. Source: PowerSchool PowerQueries (`page`,
        `pagesize` with 0 for all rows, `count`).
        """
        params = [("page", "1"), ("pagesize", str(rows_per_page)), ("count", "true")]
        given = dict(args or {})

        def page_of(position: Position) -> QueryPage:
            body = _body(given | listed.args_after(position))
            return query_page(
                self._limiter.run(listed.query, lambda: self._send(_path(listed.query), params, body, None))
            )

        counts = iter(() if before is None else (before,))

        def reading() -> QueryReading[R]:
            return QueryReading(listed, page_of, lambda: self.count(listed, args), next(counts, None))

        try:
            return fetch_all(reading, make)
        except OutOfOrder as error:
            raise self._limiter.refused(listed.query, QueryFault.OUTDATED) from error

    def rows(self, listed: QueryList[R], args: Args | None = None) -> tuple[R, ...]:
        """Return the rows of a list, one for each record. A row that cannot be read is left out and logged.

        Raises: IncompleteRead where every reading was disturbed, or where more than a few rows cannot be read; and as
        `read`.
        """
        found = self.read(listed, lambda rows: rows[0], args)
        for row in found.odd[:MAX_ODD_ROWS]:
            log.warning(LogEvent.ROSTER_ROW_SKIPPED, query=listed.query, record=row.source, fields=list(row.fields))
        if not found.is_settled:
            raise IncompleteRead(f"POST {_path(listed.query)}: the rows changed during {READINGS} readings")
        if len(found.odd) > MAX_ODD_ROWS:
            raise IncompleteRead(f"POST {_path(listed.query)}: {len(found.odd)} rows cannot be read")
        return found.values

    def count(self, listed: QueryList[R], args: Args | None = None, *, ask: bool = False) -> int:
        """Return how many rows the list has; with `ask`, also where the query was refused just now.

        Raises: QueryUnavailable.
        """
        body = _body(dict(args or {}) | listed.args_after(listed.start))
        call = f"{_path(listed.query)}/count"
        return counted(self._limiter.run(listed.query, lambda: self._send(call, (), body, None), ask=ask))

    def check(self, query: str, args: Args) -> None:
        """Ask PowerSchool now whether it runs the query, reading no more than a count. Raises: QueryUnavailable."""
        self._limiter.run(query, lambda: self._send(f"{_path(query)}/count", (), _body(args), None), ask=True)


def _path(query: str) -> str:
    return f"/ws/schema/query/{query}"


def _body(args: Args | None) -> Json:
    return {key: value if isinstance(value, int) else list(value) for key, value in (args or {}).items()}


def rows_of(answer: ApiResponse, rows: TypeAdapter[list[R]]) -> tuple[list[R], list[UnreadableRow]]:
    """Return the rows of an answer that no decoder read, and those that cannot be read."""
    if not isinstance(answer.body, dict):
        raise answer.unexpected("no rows")
    return answer.rows(rows, listed(answer.body.get("record")))
