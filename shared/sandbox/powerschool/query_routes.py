"""`POST /ws/schema/query/{name}`: runs a named query, flattened rows, every value a string."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.faults import OddColumn, PowerSchoolFaults
from shared.sandbox.powerschool.queries import PROVISIONING_QUERIES, QUERIES, Arguments, PowerQuery, Row
from shared.sandbox.powerschool.request import (
    ErrorRow,
    columns_not_granted,
    current_faults,
    integer,
    json_body,
    message,
    plain,
    powerschool,
    rosters,
    validation_failed,
)
from shared.sandbox.powerschool.rows import iso_day

DEFAULT_PAGE_SIZE = 100
HALF_EMOJI = "\ud83d"


class AsciiJson(JSONResponse):
    """JSON of plain characters, which may hold half of a surrogate pair as an escape."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return json.dumps(content).encode()


async def run_query(request: Request) -> Response:
    """Answer one page of rows; without any, there is no `record` (client code). Source: PowerSchool "PowerQueries"."""
    query = _query(request)
    rows = _rows(query, request, await json_body(request))
    answer: dict[str, Any] = {"@extensions": ""}
    faults = current_faults(request)
    lost = faults.rows_lost if query.name in PROVISIONING_QUERIES else 0
    if shown := [_record(query, row, faults) for row in _page(request, rows[: max(len(rows) - lost, 0)])]:
        answer = {"name": query.core_table, "record": shown, "@extensions": ""}
    if request.query_params.get("count") == "true":
        answer["count"] = len(rows)
    faults.count_page(query.name)
    return AsciiJson(answer)


async def count_query(request: Request) -> Response:
    """Answer how many rows there are."""
    query = _query(request)
    return JSONResponse({"count": len(_rows(query, request, await json_body(request)))})


def _rows(query: PowerQuery, request: Request, body: Any) -> list[Row]:
    """Return the query's rows after the position that the arguments name, in their order."""
    arguments, after = _arguments(query, body), tuple(int(body[name]) for name in query.positions)
    faults, found = current_faults(request), query.rows(rosters(request), arguments)
    if not query.key:
        return list(found)
    return [row for row in found if (place := query.position(row)) > after and not faults.hides(query.name, place[0])]


def _query(request: Request) -> PowerQuery:
    """Return the query. Raises: Refusal with 404 if it is not installed, 403 if a field it returns is not granted."""
    name = request.path_params["name"]
    is_missing = name in current_faults(request).missing_queries or not powerschool(request).plugin.queries_installed
    if name not in QUERIES or is_missing:
        raise message(404, f"Query {name} not found")
    _check_grants(QUERIES[name], current_faults(request))
    return QUERIES[name]


def _check_grants(query: PowerQuery, faults: PowerSchoolFaults) -> None:
    """Documented: fields that are not granted are refused on the call, not left out."""
    fields = [field.split(".") for field in query.grants.values()]
    lacking = [(table, column) for table, column in fields if faults.lacks(table, column)]
    if lacking:
        raise columns_not_granted(lacking)


def _arguments(query: PowerQuery, body: Any) -> Arguments:
    """Return the arguments. Raises: Refusal with 400 for bad ones (documented).

    That an empty array is bad is inferred from what it would come to in SQL, `in ()`.
    """
    if not isinstance(body, dict):
        raise message(400, "The request body is not a JSON object")
    wrong = [name for name in query.arguments if not _is_id_array(body.get(name))]
    wrong += [name for name in query.positions if not str(body.get(name)).isdigit()]
    known = {*query.arguments, *query.positions}
    unknown = [name for name in body if name not in known and not name.startswith("$")]
    if wrong or unknown:
        raise validation_failed(
            *(ErrorRow("InvalidArgument", name, query.name) for name in wrong + unknown), status=400
        )
    return {name: frozenset(map(int, body[name])) for name in query.arguments}


def _is_id_array(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(str(item).isdigit() for item in value)


def _page(request: Request, rows: Sequence[Row]) -> Sequence[Row]:
    """Return one page; page size 0 is everything (documented), unless a fault caps it."""
    page, size = integer(request, "page"), integer(request, "pagesize")
    page, size = 1 if page is None else page, DEFAULT_PAGE_SIZE if size is None else size
    if page < 1 or size < 0:
        raise message(400, "Invalid page or pagesize")
    if cap := current_faults(request).query_page_cap:
        size = min(size or cap, cap)
    return rows if size == 0 else list(islice(rows, (page - 1) * size, page * size))


def _record(query: PowerQuery, row: Row, faults: PowerSchoolFaults) -> dict[str, str | None]:
    values = {alias: text(row.get(alias)) for alias in query.grants}
    record: dict[str, str | None] = {"_name": query.core_table}
    record |= {alias: value for alias, value in values.items() if value is not None}
    for odd in faults.odd_columns:
        if odd.query == query.name and query.key and query.position(row)[0] == odd.row:
            _distort(record, odd)
    return record


def _distort(record: dict[str, str | None], odd: OddColumn) -> None:
    match odd.kind:
        case "absent":
            record.pop(odd.column, None)
        case "null":
            record[odd.column] = None
        case "half_emoji":
            record[odd.column] = f"{record.get(odd.column) or ''}{HALF_EMOJI}"
        case "text":
            record[odd.column] = odd.text


def text(value: object) -> str | None:
    """Return a value as PowerSchool's queries print it: always a string, flags "0" and "1"; None for a null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return iso_day(value) if isinstance(value, date) else str(value)


ROUTES = [
    Route("/ws/schema/query/{name}", run_query, methods=["POST"]),
    Route("/ws/schema/query/{name}/count", count_query, methods=["POST"]),
]
