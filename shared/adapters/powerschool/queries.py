"""Runs the PowerQueries of the passback plugin (`deploy/powerschool-plugin`)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog
from pydantic import BaseModel, TypeAdapter

from shared.adapters.http.answers import Answer, Decoder
from shared.adapters.http.exact_json import Json
from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.wire import listed
from shared.adapters.redis.unavailable_queries import UnavailableQueries
from shared.clock import Clock
from shared.domain.plugin_queries import QueryFault
from shared.errors import QueryUnavailable, Refused
from shared.log_events import LogEvent

log = structlog.get_logger()

T = TypeVar("T", bound=BaseModel)
Args = Mapping[str, int | Sequence[int]]

# All workers together ask for a query that does not run no more often than this, however many courses need it.
ASK_AGAIN_AFTER = timedelta(seconds=50)
# Oracle takes at most 1,000 values in an IN list.
IDS_PER_CALL = 500

_FAULTS = {404: QueryFault.MISSING, 403: QueryFault.NOT_GRANTED, 400: QueryFault.OUTDATED}


class QueryGate:
    """Turns a refusal to run a query into `QueryUnavailable`, and stores it until the query runs again.

    400 counts as an outdated plugin: passback sends nothing but the arguments that its own version declares.
    """

    def __init__(self, unavailable: UnavailableQueries, clock: Clock) -> None:
        self._unavailable = unavailable
        self._clock = clock

    def run(self, name: str, send: Callable[[], Answer], *, ask: bool = False) -> Answer:
        """Return what `send` returns; without `ask`, a query that was refused just now is not asked for again.

        Raises: QueryUnavailable, and what `send` raises for any other reason.
        """
        known = self._unavailable.find(name)
        if known is not None and not ask and self._clock.now() - known.asked_at < ASK_AGAIN_AFTER:
            raise _unavailable(name, known.fault)
        try:
            answer = send()
        except Refused as refused:
            fault = _FAULTS.get(refused.status)
            if fault is None:
                raise
            if self._unavailable.add(name, fault):
                log.error(LogEvent.QUERY_UNAVAILABLE, query=name, cause=fault)  # noqa: TRY400  # no traceback
            raise _unavailable(name, fault, refused) from refused
        if known is not None and self._unavailable.remove(name):
            log.info(LogEvent.QUERY_AVAILABLE, query=name)
        return answer


def _unavailable(name: str, fault: QueryFault, refused: Refused | None = None) -> QueryUnavailable:
    status = refused.status if refused else next(code for code, each in _FAULTS.items() if each is fault)
    message = f"POST /ws/schema/query/{name}: {status}: the query {fault.meaning}. {fault.remedy}"
    return QueryUnavailable(message, cause=fault, status=status, query=name, words=refused.words if refused else "")


class PowerQueries:
    """Runs queries with arguments, whole: all rows in one answer."""

    def __init__(self, api: PowerSchoolApi, gate: QueryGate) -> None:
        self._api = api
        self._gate = gate

    def run(self, name: str, rows: TypeAdapter[list[T]], args: Args | None = None) -> list[T]:
        """Return all rows. Raises: QueryUnavailable.

        Source: PowerSchool PowerQueries; values are strings, nulls are left out, and so is `record` without rows.
        """
        return rows_of(self.answer(name, args), rows)

    def answer(self, name: str, args: Args | None = None, decoder: Decoder | None = None) -> Answer:
        """Return the answer, by `decoder` if it can. Raises: QueryUnavailable."""
        params = [("pagesize", "0")]
        body = _body(args)
        return self._gate.run(
            name,
            lambda: self._api.send("POST", f"/ws/schema/query/{name}", params=params, body=body, decoder=decoder),
        )

    def check(self, name: str, args: Args | None = None) -> None:
        """Ask PowerSchool now whether it runs the query, reading no more than a count. Raises: QueryUnavailable."""
        call = f"/ws/schema/query/{name}/count"
        self._gate.run(name, lambda: self._api.send("POST", call, body=_body(args)), ask=True)


def _body(args: Args | None) -> Json:
    return {key: value if isinstance(value, int) else list(value) for key, value in (args or {}).items()}


def rows_of(answer: Answer, rows: TypeAdapter[list[T]]) -> list[T]:
    """Return the rows of an answer that no decoder read."""
    if not isinstance(answer.body, dict):
        raise answer.unexpected("no rows")
    return answer.parsed(rows, listed(answer.body.get("record")))
