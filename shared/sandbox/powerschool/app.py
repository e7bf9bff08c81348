"""The sandbox PowerSchool as an ASGI app."""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from shared.clock import Clock, SystemClock
from shared.sandbox.control import common_routes
from shared.sandbox.faults import FaultMiddleware, Switchboard
from shared.sandbox.powerschool import access, control, server, table_access
from shared.sandbox.powerschool import query_routes as queries
from shared.sandbox.powerschool.errors import Refusal, refusal_response
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.seed import PowerSchoolSeed
from shared.sandbox.powerschool.xte import assignments, categories, scores

AREAS = (access, assignments, scores, categories, server, table_access, queries, control)
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
        routes=[route for area in AREAS for route in area.ROUTES] + common_routes(board),
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
