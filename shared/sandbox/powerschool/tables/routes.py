"""`GET /ws/schema/table/{table}`: rows of one table, with the answers that were measured on a production server."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.errors import Refusal, message, whole
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.request_context import knobs, rosters
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.tables.columns import CLOSED_TABLES, TABLES, Table, text

CONDITION = re.compile(r"(?:\w+\.)?(\w+)==(.*)")


def table_of(request: Request) -> Table:
    """Return the table. Raises: Refusal with 405 for a closed one, 404 for one that does not exist (both measured)."""
    name = request.path_params["table"].lower()
    if name in CLOSED_TABLES:
        raise message(405, "GET, POST and PUT are not allowed on table")
    if name not in TABLES:
        raise message(404, f"Table {name} not found")
    return TABLES[name]


def check_columns(table: Table, faults: PowerSchoolFaults, columns: Sequence[str]) -> None:
    """Refuse columns that do not exist (400) or are not granted (403): the difference tells them apart (measured)."""
    for column in columns:
        if column not in table.columns:
            raise message(400, f"Invalid field specified: {column} is not valid column for table: {table.name}")
    lacking = [column for column in columns if faults.lacks(table.name, column)]
    if lacking:
        rows = [{"code": "NoAccess", "field": column, "resource": table.name} for column in lacking]
        raise Refusal(403, {"message": "At least one column lacks sufficient permission", "errors": rows})


async def read_table(request: Request) -> Response:
    """Answer one page of rows, values as strings, page size capped (100 measured); no `record` for none."""
    state, table = rosters(request), table_of(request)
    projection = request.query_params.get("projection", "*").lower()
    columns = list(table.columns) if projection == "*" else [name.strip() for name in re.split("[,;]", projection)]
    check_columns(table, knobs(request), columns)
    rows = _sorted(request, table, _selected(request, state, table))
    shown = [_record(table, row, columns) for row in _page(request, state, rows)]
    return JSONResponse({"name": table.name} | ({"record": shown} if shown else {}))


async def count_table(request: Request) -> Response:
    """Answer the number of rows: without a filter even without any grant (measured)."""
    state, table = rosters(request), table_of(request)
    return JSONResponse({"count": len(_selected(request, state, table))})


def _selected(request: Request, state: PowerSchool, table: Table) -> list[Mapping[str, str | None]]:
    """Return the rows that `q` selects: FIQL, `;` is AND."""
    conditions = _conditions(request)
    check_columns(table, knobs(request), [column for column, _ in conditions])
    if any(column in table.long_texts for column, _ in conditions):
        raise message(400, "Querying not supported against clob or blob field types")
    rows = [{name: text(value(state, row)) for name, value in table.columns.items()} for row in table.rows(state)]
    return [row for row in rows if all(row[column] == wanted for column, wanted in conditions)]


def _conditions(request: Request) -> list[tuple[str, str]]:
    conditions = []
    for part in filter(None, request.query_params.get("q", "").split(";")):
        found = CONDITION.fullmatch(part)
        if found is None:
            raise message(400, "Invalid query expression")
        conditions.append((found[1].lower(), found[2]))
    return conditions


def _sorted(request: Request, table: Table, rows: list[Mapping[str, str | None]]) -> list[Mapping[str, str | None]]:
    """Sort by `sort`, or by the table's key."""
    column = request.query_params.get("sort", table.key).lower()
    check_columns(table, knobs(request), [column] if "sort" in request.query_params else [])
    backwards = request.query_params.get("sortdescending") == "true"
    return sorted(rows, key=lambda row: _sort_key(row[column]), reverse=backwards)


def _sort_key(value: str | None) -> tuple[int, int, str]:
    if value is None:
        return 2, 0, ""
    return (0, int(value), "") if value.lstrip("-").isdigit() else (1, 0, value)


def _page(request: Request, state: PowerSchool, rows: Sequence[Mapping[str, str | None]]) -> Sequence[Any]:
    page, cap = whole(request, "page") or 1, state.plugin.page_cap
    size = min(whole(request, "pagesize") or cap, cap)
    if page < 1 or size < 1:
        raise message(400, "Invalid page or pagesize")
    return rows[(page - 1) * size : page * size]


def _record(table: Table, row: Mapping[str, str | None], columns: Sequence[str]) -> dict[str, Any]:
    shown = {column: row[column] for column in columns if row[column] is not None}
    return {"id": int(row[table.key] or 0), "tables": {table.name: shown}}


ROUTES = [
    Route("/ws/schema/table/{table}", read_table, methods=["GET"]),
    Route("/ws/schema/table/{table}/count", count_table, methods=["GET"]),
]
