"""The sandbox Canvas as an ASGI app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware

from shared.clock import Clock, SystemClock
from shared.sandbox.canvas.control import CONTROL_ROUTES
from shared.sandbox.canvas.lti.pages import PAGE_ROUTES
from shared.sandbox.canvas.lti.routes import LTI_CONTROL_ROUTES, PLATFORM_ROUTES
from shared.sandbox.canvas.rest.courses import READ_ROUTES
from shared.sandbox.canvas.rest.submissions import SUBMISSION_ROUTES
from shared.sandbox.canvas.rest.throttle import ThrottleMiddleware
from shared.sandbox.canvas.rest.writes import WRITE_ROUTES
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import CanvasSeed
from shared.sandbox.canvas.sis_import.integration_api import SIS_ROUTES
from shared.sandbox.canvas.sis_import.routes import SIS_IMPORT_ROUTES
from shared.sandbox.control import common_routes
from shared.sandbox.faults import FaultMiddleware

SYSTEM_CLOCK = SystemClock()


def create_app(
    seed: CanvasSeed, clock: Clock = SYSTEM_CLOCK, event_transport: httpx.AsyncBaseTransport | None = None
) -> Starlette:
    """Return the app; its `state.sandbox` is the `CanvasSandbox`, whose methods are the actions.

    While the app runs (its lifespan), Live Events are delivered: over the network, or through `event_transport`.
    """
    sandbox = CanvasSandbox(seed, clock, event_transport)
    board = sandbox.switchboard
    app = Starlette(
        routes=[
            *READ_ROUTES,
            *SUBMISSION_ROUTES,
            *WRITE_ROUTES,
            *SIS_ROUTES,
            *SIS_IMPORT_ROUTES,
            *PLATFORM_ROUTES,
            *PAGE_ROUTES,
            *CONTROL_ROUTES,
            *LTI_CONTROL_ROUTES,
            *common_routes(board),
        ],
        middleware=[
            Middleware(FaultMiddleware, board=board),
            Middleware(ThrottleMiddleware, board=board, clock=clock),
        ],
        lifespan=_delivering,
    )
    app.state.sandbox = sandbox
    return app


@asynccontextmanager
async def _delivering(app: Starlette) -> AsyncIterator[None]:
    delivery = asyncio.create_task(app.state.sandbox.deliveries.run())
    try:
        yield
    finally:
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)
