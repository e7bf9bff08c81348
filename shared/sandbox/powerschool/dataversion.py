"""`GET /ws/dataversion/{application}/{version}`: which rows changed since a version, ids only (documented)."""

from collections import defaultdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.request_context import powerschool


async def read_changes(request: Request) -> Response:
    """Answer the newest version, as a string, and the changed rows per table.

    How an application subscribes is not public: every application name is taken, for every table.
    """
    state, since = powerschool(request), request.path_params["version"]
    tables: dict[str, list[int]] = defaultdict(list)
    for version, table, row_id in state.changes:
        if version > since and row_id not in tables[table]:
            tables[table].append(row_id)
    return JSONResponse({"$dataversion": str(state.data_version), "tables": tables})


ROUTES = [Route("/ws/dataversion/{application}/{version:int}", read_changes, methods=["GET"])]
