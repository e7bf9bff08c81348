"""A sandbox with a generated district: `canvas` or `powerschool`, port, courses, students and assignments each."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import LOS_ANGELES
from shared.sandbox.faults import CONTROL_PREFIX
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.benchmarks.rig.district import generated_district

WATCH = "/_benchmark"


@dataclass
class Watched:
    """ASGI middleware around a whole sandbox: counts how many requests to its API are under way at once.

    `GET /_benchmark` shows the highest number since `DELETE /_benchmark`, and how many events are on their way: the
    sandbox's own control plane shows that too, but with its whole state, which takes time.
    """

    app: ASGIApp
    outstanding: Callable[[], int] = lambda: 0
    under_way: int = 0
    most: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counted from its first byte to the last of its answer."""
        path = str(scope.get("path", ""))
        if scope["type"] == "http" and path == WATCH:
            await self._show(scope)(scope, receive, send)
        elif scope["type"] != "http" or path.startswith(CONTROL_PREFIX):
            await self.app(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    def _show(self, scope: Scope) -> JSONResponse:
        if scope["method"] == "DELETE":
            self.most = self.under_way
        return JSONResponse({"most": self.most, "outstanding_events": self.outstanding()})

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.app(scope, receive, send)
        finally:
            self.under_way -= 1


def watched(name: str, courses: int, students: int, assignments: int) -> Watched:
    """Return one system of a generated district, `canvas` or `powerschool`."""
    today = datetime.now(LOS_ANGELES).date()
    district = generated_district(courses, students, assignments, seed=1, today=today)
    if name == "powerschool":
        return Watched(powerschool_app(district.powerschool))
    app = canvas_app(district.canvas)
    return Watched(app, outstanding=lambda: int(app.state.sandbox.deliveries.outstanding))


def main() -> None:
    """Serve one system until the process ends."""
    name, port, courses, students, assignments = sys.argv[1], *map(int, sys.argv[2:])
    app = watched(name, courses, students, assignments)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
