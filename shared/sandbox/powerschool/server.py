"""What the server says of itself: `/ws/v1/metadata`, `/ws/v1/time` and the data versions of `/ws/dataversion`."""

from collections import defaultdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.request_context import powerschool

PAGE_SIZES = ("course", "school", "section", "section_enrollment", "staff", "student", "term", "schema_table_query")
POWERSCHOOL_VERSION = "25.2.0.0"


async def metadata(request: Request) -> Response:
    """Answer page caps, plugin id and time zone: to unauthenticated callers too (measured)."""
    state = powerschool(request)
    caps = {f"{name}_max_page_size": state.plugin.page_cap for name in PAGE_SIZES}
    about = {
        "plugin_id": state.plugin.id,
        "powerschool_version": POWERSCHOOL_VERSION,
        "state": "WA",
        "district_timezone": state.zone.key,
        "district_uuid": "00000000-5a4d-b0c5-0000-000000000000",
    }
    return JSONResponse({"metadata": caps | about})


async def time(request: Request) -> Response:
    """Answer the server's time; needs no OAuth (documented). The shape is inferred."""
    state = powerschool(request)
    return JSONResponse({"time": state.clock.now().astimezone(state.zone).isoformat()})


async def read_changes(request: Request) -> Response:
    """Answer the newest version, as a string, and per table the ids of the rows that changed since (documented).

    How an application subscribes is not public: every application name is taken, for every table.
    """
    state, since = powerschool(request), request.path_params["version"]
    tables: dict[str, list[int]] = defaultdict(list)
    for version, table, row_id in state.changes:
        if version > since and row_id not in tables[table]:
            tables[table].append(row_id)
    return JSONResponse({"$dataversion": str(state.data_version), "tables": tables})


ROUTES = [
    Route("/ws/v1/metadata", metadata, methods=["GET"]),
    Route("/ws/v1/time", time, methods=["GET"]),
    Route("/ws/dataversion/{application}/{version:int}", read_changes, methods=["GET"]),
]
