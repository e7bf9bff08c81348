"""Canvas's throttling: a leaky bucket per access token, filled by the cost of requests.

Source: canvas-lms request_throttle.rb and doc/api/throttling.md. A request is charged up front and credited back;
what stays is its cost in seconds of work. The source answers 403, the newest documentation 429.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock
from shared.sandbox.faults import Faults, Strict, Switchboard


class Fate(Strict):
    """How an SIS import ends early, once this share of its rows (0 to 1) was applied; `hangs`: not at all.

    A job that died leaves its import `importing` until somebody aborts it (canvas-lms app/models/sis_batch.rb keeps the
    others waiting meanwhile).
    """

    state: Literal["failed", "failed_with_messages", "aborted", "hangs"]
    after: float = Field(default=0, ge=0, le=1)


class CanvasFaults(Faults):
    """The common faults, those of the throttle, of pages, and of SIS imports.

    `request_cost` is what every request leaves in the bucket, `outflow` what leaks out per second. An SIS import takes
    `sis_import_s`; held ones stay `created`; the next ones end as `sis_import_fates` say, one fate each, in turn.

    `link_origin` (`https://host`) is where `Link` headers name pages; empty for where they were asked for. A Canvas
    with a vanity domain or behind a proxy names another host or scheme (ucfopen/canvasapi #370, #389, #663).
    A page of more submissions than `max_page_cells` (students times assignments), or of more than `max_page_rows` rows
    of any list, is answered with the 504 of a load balancer (canvas-lms #1033); 0 allows any. Where the limit of a real
    Canvas lies depends on its load. The scores of the `slow_assignments` end so in pages of any size.
    """

    throttle_high_water_mark: float = Field(default=600, ge=0)
    throttle_maximum: float = Field(default=800, ge=0)
    throttle_outflow: float = Field(default=10, ge=0)
    throttle_up_front_cost: float = Field(default=50, ge=0)
    throttle_request_cost: float = Field(default=0.1, ge=0)
    throttle_status: Literal[403, 429] = 403
    link_origin: str = ""
    max_page_cells: int = Field(default=0, ge=0)
    max_page_rows: int = Field(default=0, ge=0)
    slow_assignments: list[int] = Field(default_factory=list)
    sis_import_s: float = Field(default=0, ge=0)
    sis_imports_held: bool = False
    sis_import_fates: list[Fate] = Field(default_factory=list)
    sis_progress_as_text: bool = False


@dataclass
class Bucket:
    """How full a token's bucket was, and when."""

    level: float
    at: datetime

    def leak(self, outflow: float, now: datetime) -> None:
        """Let out what has leaked since."""
        self.level = max(0.0, self.level - outflow * (now - self.at).total_seconds())
        self.at = now

    def pour(self, amount: float, maximum: float) -> None:
        """Add to the level; a negative amount is a credit."""
        self.level = min(maximum, max(0.0, self.level + amount))


@dataclass
class ThrottleMiddleware:
    """ASGI middleware: refuses requests while the bucket of their token is over the mark, and says what is left."""

    app: ASGIApp
    board: Switchboard[CanvasFaults]
    clock: Clock
    buckets: dict[str, Bucket] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Charge the request, pass it on and credit the difference; or refuse it."""
        if scope["type"] != "http" or not str(scope["path"]).startswith("/api/"):
            await self.app(scope, receive, send)
            return
        faults, token = self.board.faults, Headers(scope=scope).get("authorization", "")
        bucket = self.buckets.setdefault(token, Bucket(0.0, self.clock.now()))
        bucket.leak(faults.throttle_outflow, self.clock.now())
        if bucket.level > faults.throttle_high_water_mark:
            await self._refusal()(scope, receive, send)
            return
        bucket.pour(faults.throttle_up_front_cost, faults.throttle_maximum)
        to_credit = [faults.throttle_request_cost - faults.throttle_up_front_cost]

        def settle() -> None:
            """Credit the up-front cost back; once, however often it is called."""
            if to_credit:
                bucket.leak(faults.throttle_outflow, self.clock.now())
                bucket.pour(to_credit.pop(), faults.throttle_maximum)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                settle()
                headers = MutableHeaders(scope=message)
                headers["X-Request-Cost"] = f"{faults.throttle_request_cost}"
                headers["X-Rate-Limit-Remaining"] = f"{faults.throttle_high_water_mark - bucket.level}"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            settle()

    def _refusal(self) -> PlainTextResponse:
        status = self.board.faults.throttle_status
        word = "Forbidden" if status == 403 else "Too Many Requests"
        return PlainTextResponse(f"{status} {word} (Rate Limit Exceeded)", status, {"X-Rate-Limit-Remaining": "0.0"})
