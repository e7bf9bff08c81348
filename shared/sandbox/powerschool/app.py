"""The sandbox PowerSchool as an ASGI app, and its control plane below `/_sandbox/`."""

from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.clock import Clock, SystemClock
from shared.sandbox.control import common_routes, control_route, log_route, perform
from shared.sandbox.faults import FaultMiddleware, Switchboard
from shared.sandbox.powerschool import access, server
from shared.sandbox.powerschool import query_routes as queries
from shared.sandbox.powerschool.actions import ACTIONS, RosterActions
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.request import Refusal, plain, powerschool, refusal_response
from shared.sandbox.powerschool.rows import AssignmentSection
from shared.sandbox.powerschool.seed import PowerSchoolSeed
from shared.sandbox.powerschool.state import PowerSchool, Write
from shared.sandbox.powerschool.xte import assignments, categories, scores

NOT_SHOWN = frozenset({"extra_points", "scoring_needed", "categories", "student_dcids", "scores"})
SCORE_NOT_SHOWN = frozenset({"score_id", "entry_date", "grade_scale_dcid"})


async def seed(request: Request) -> Response:
    """Replace everything by what the seed describes, tokens included."""
    wanted = PowerSchoolSeed.model_validate_json(await request.body())
    request.app.state.powerschool = wanted.build(powerschool(request).clock)
    return Response(status_code=204)


async def read_state(request: Request) -> Response:
    """Answer every assignment section with its scores."""
    state = powerschool(request)
    return JSONResponse([_row_json(state, row) for row in state.assignment_sections.values()])


async def act(request: Request) -> Response:
    """Do one out-of-band change."""
    await perform(request, RosterActions(powerschool(request)), ACTIONS)
    return Response(status_code=204)


def _write_json(write: Write) -> dict[str, Any]:
    return {
        "at": write.at.isoformat(),
        "kind": write.kind,
        "assignment_section_id": write.assignment_section_id,
        "section_dcid": write.section_dcid,
        "students": list(write.student_dcids),
        "values": [[_shown(points), missing, exempt] for points, missing, exempt in write.values],
    }


def _row_json(state: PowerSchool, row: AssignmentSection) -> dict[str, Any]:
    return _record_json(row, NOT_SHOWN) | {
        "category_id": row.category_id,
        "created_by_plugin": state.assignments[row.assignment_id].created_by_plugin,
        "scores": {str(dcid): _record_json(score, SCORE_NOT_SHOWN) for dcid, score in row.scores.items()},
    }


def _record_json(row: Any, left_out: frozenset[str]) -> dict[str, Any]:
    return {each.name: _shown(getattr(row, each.name)) for each in fields(row) if each.name not in left_out}


def _shown(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value


CONTROL_ROUTES = [
    control_route("/seed", seed, "POST"),
    control_route("/state", read_state, "GET"),
    control_route("/act", act, "POST"),
    log_route("/writes", lambda request: powerschool(request).writes, _write_json),
]
AREAS = (access, assignments, scores, categories, server, queries)
# These change nothing, although they are asked for by POST: their answers are not lost.
READS_BY_POST = ("/oauth", "/ws/schema/query")


def create_app(seed: PowerSchoolSeed, clock: Clock | None = None) -> Starlette:
    """Return a PowerSchool that holds what the seed describes.

    The state is at `app.state.powerschool` and is replaced by `POST /_sandbox/seed`; the faults and the request
    log are at `app.state.switchboard`. Run it in one process: all state is in memory.
    """
    clock = clock or SystemClock()
    board = Switchboard(PowerSchoolFaults, clock)
    app = Starlette(
        routes=[*(route for area in AREAS for route in area.ROUTES), *CONTROL_ROUTES, *common_routes(board)],
        middleware=[
            Middleware(FaultMiddleware, board=board, reads_by_post=READS_BY_POST),
            Middleware(access.AccessMiddleware),
        ],
        exception_handlers={Refusal: refusal_response},
    )
    app.router.redirect_slashes = False
    app.state.powerschool = seed.build(clock)
    app.state.switchboard = board
    return app
