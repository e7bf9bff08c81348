"""Faults and the request log, shared by both sandboxes.

Each sandbox makes a `Switchboard` with its own subclass of `Faults` and wraps its app in `FaultMiddleware`. Paths
below `/_sandbox` are the control plane: no fault applies to them, and they are not logged.
"""

import asyncio
import json
import os
import random
import socket
import struct
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPMethod
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import Clock

CONTROL_PREFIX = "/_sandbox"
LOGGED_REQUESTS = 200_000
WRITE_METHODS = frozenset({HTTPMethod.POST, HTTPMethod.PUT, HTTPMethod.PATCH, HTTPMethod.DELETE})


class Strict(BaseModel):
    """A model in which unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid")


class FailNext(Strict):
    """The next `times` requests that match are answered with this instead; "*" is every method."""

    method: str = "*"
    path_prefix: str = ""
    status: int
    body: JsonValue = ""
    headers: dict[str, str] = Field(default_factory=dict)
    times: int = Field(default=1, ge=0)

    def matches(self, scope: Scope) -> bool:
        """Say whether this applies to the request."""
        return (
            self.times > 0 and self.method in ("*", scope["method"]) and str(scope["path"]).startswith(self.path_prefix)
        )

    def answer(self) -> Response:
        """Return the answer: text for a string, JSON for anything else."""
        if isinstance(self.body, str):
            return PlainTextResponse(self.body, self.status, self.headers)
        return JSONResponse(self.body, self.status, self.headers)


class OddValue(Strict):
    """Changes answers to paths with this suffix: every object with the values of `where` also gets those of `put`.

    What systems send is not always what they document: `workflow_state` null, text scores, new `grading_type` values,
    years of five digits (canvas-lms #1543, #1092; instructure/CanvasAPI #318).
    """

    path_suffix: str
    where: dict[str, JsonValue]
    put: dict[str, JsonValue]

    def applied(self, content: Any) -> Any:
        """Return the content with the values put; ids are compared as text."""
        if isinstance(content, list):
            return [self.applied(item) for item in content]
        if not isinstance(content, dict):
            return content
        changed = {key: self.applied(value) for key, value in content.items()}
        here = all(key in content and str(content[key]) == str(value) for key, value in self.where.items())
        return changed | self.put if here else changed


class Strange(Strict):
    """Answers paths with this prefix in a way that no reference describes; each answer is limited in time and size.

    `drip`: a body of a byte every `every_ms`, for `seconds`. `bomb`: gzip that unpacks to `megabytes`. `large`: as many
    unpacked. `pages`: an empty page whose next page is itself with another number. None of them is known of either
    system; a load balancer, a proxy or a defect in front of it can do each to an answer.
    """

    path_prefix: str
    how: Literal["drip", "bomb", "large", "pages"]
    every_ms: int = Field(default=200, ge=10)
    seconds: float = Field(default=60, gt=0, le=600)
    megabytes: int = Field(default=64, ge=1, le=1024)

    def matches(self, scope: Scope) -> bool:
        """Say whether the request is answered so."""
        return str(scope["path"]).startswith(self.path_prefix)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if self.how == "pages":
            number = int(Request(scope).query_params.get("page", "0")) + 1
            link = f'<{Request(scope).url.include_query_params(page=number)}>; rel="next"'
            await JSONResponse([], headers={"Link": link})(scope, receive, send)
            return
        headers = {"Content-Encoding": "gzip"} if self.how == "bomb" else {}
        await StreamingResponse(self._parts(), headers=headers, media_type="application/json")(scope, receive, send)

    async def _parts(self) -> AsyncIterator[bytes]:
        megabyte, packer = b" " * 1_000_000, zlib.compressobj(9, zlib.DEFLATED, 31)
        if self.how == "drip":
            for _ in range(int(self.seconds * 1000 / self.every_ms)):
                yield b" "
                await asyncio.sleep(self.every_ms / 1000)
            return
        for _ in range(self.megabytes):
            yield packer.compress(megabyte) if self.how == "bomb" else megabyte
        if self.how == "bomb":
            yield packer.flush()


class Faults(Strict):
    """The faults that need no knowledge of an API. By default there are none.

    Rates are between 0 and 1 and drawn from a generator seeded with `seed`, so a run can be repeated.
    `lose_response_after_commit` counts the writes that are executed, but whose answer never arrives.
    """

    latency_ms: float = Field(default=0, ge=0)
    latency_jitter_ms: float = Field(default=0, ge=0)
    seed: int = 0
    error_rate: float = Field(default=0, ge=0, le=1)
    error_status: int = Field(default=500, ge=500, le=599)
    reset_rate: float = Field(default=0, ge=0, le=1)
    lose_response_after_commit: int = Field(default=0, ge=0)
    lose_response_path_prefix: str = ""
    maintenance: bool = False
    down: bool = False
    fail_next: list[FailNext] = Field(default_factory=list)
    odd_values: list[OddValue] = Field(default_factory=list)
    strange: list[Strange] = Field(default_factory=list)


F = TypeVar("F", bound=Faults)


@dataclass(slots=True)
class LoggedRequest:
    """One request as it was answered. `status` is None for a connection closed unanswered; `rows` counts score rows.

    `lost` marks a write that was executed with `status`, but whose answer was not delivered.
    """

    at: datetime
    method: str
    path: str
    query: str
    status: int | None = None
    bytes: int = 0
    rows: int | None = None
    lost: bool = False


@dataclass
class Switchboard(Generic[F]):
    """The faults as they are set now, the random generator they use, and the log of what was answered."""

    kind: type[F]
    clock: Clock
    faults: F = field(init=False)
    requests: deque[LoggedRequest] = field(default_factory=lambda: deque(maxlen=LOGGED_REQUESTS))
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.set(self.kind())

    def set(self, faults: F) -> None:
        """Replace all faults and restart the random generator from the seed."""
        self.faults = faults
        self.rng = random.Random(faults.seed)

    def happens(self, rate: float) -> bool:
        """Return True in `rate` of the cases, at random."""
        return rate > 0 and self.rng.random() < rate

    def delay(self) -> timedelta:
        """Return how long the next answer takes."""
        return timedelta(milliseconds=self.faults.latency_ms + self.rng.uniform(0, self.faults.latency_jitter_ms))

    def fault_response(self, scope: Scope) -> Response | None:
        """Return the response that a fault gives instead of the sandbox's own, None without such a fault."""
        if self.faults.down:
            return PlainTextResponse("Service Unavailable", 503)
        if self.faults.maintenance:
            return RedirectResponse(f"{CONTROL_PREFIX}/message?server={_host(scope)}", 302)
        for failure in self.faults.fail_next:
            if failure.matches(scope):
                failure.times -= 1
                return failure.answer()
        if self.happens(self.faults.error_rate):
            return PlainTextResponse("Internal Server Error", self.faults.error_status)
        return None

    def loses_response_to(self, scope: Scope) -> bool:
        """Say whether the answer to this write is to be lost, if the write succeeds."""
        return self.faults.lose_response_after_commit > 0 and str(scope["path"]).startswith(
            self.faults.lose_response_path_prefix
        )


@dataclass
class FaultMiddleware:
    """ASGI middleware: slows, fails, drops and logs requests as the switchboard says.

    `reads_by_post` lists path prefixes whose POST changes nothing (tokens, queries): their answers are never lost.
    """

    app: ASGIApp
    board: Switchboard[Any]
    reads_by_post: tuple[str, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or apply the faults."""
        if scope["type"] != "http" or str(scope["path"]).startswith(CONTROL_PREFIX):
            await self.app(scope, receive, send)
            return
        logged = LoggedRequest(self.board.clock.now(), scope["method"], scope["path"], scope["query_string"].decode())
        # The application counts the score rows that it wrote here: Starlette's request.state is this dict.
        state: dict[str, Any] = scope.setdefault("state", {})
        try:
            await self._serve(scope, receive, _Recorder(send, logged))
        finally:
            logged.rows = state.get("rows")
            self.board.requests.append(logged)

    async def _serve(self, scope: Scope, receive: Receive, send: "_Recorder") -> None:
        if delay := self.board.delay():
            await asyncio.sleep(delay.total_seconds())
        if self.board.happens(self.board.faults.reset_rate):
            await reset_connection(receive)
        elif strange := next((each for each in self.board.faults.strange if each.matches(scope)), None):
            await strange.answer(scope, receive, send)
        elif answer := self.board.fault_response(scope):
            await answer(scope, receive, send)
        elif self._is_write(scope) and self.board.loses_response_to(scope):
            await self._execute_and_lose(scope, receive, send)
        elif odd := [each for each in self.board.faults.odd_values if str(scope["path"]).endswith(each.path_suffix)]:
            await self._serve_oddly(odd, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve_oddly(self, odd: Sequence[OddValue], scope: Scope, receive: Receive, send: "_Recorder") -> None:
        held = await self._hold(scope, receive, send)
        try:
            content = json.loads(b"".join(message.get("body", b"") for message in held))
        except ValueError:
            await send.deliver(held)
            return
        for each in odd:
            content = each.applied(content)
        body = json.dumps(content).encode()
        start = next(message for message in held if message["type"] == "http.response.start")
        MutableHeaders(scope=start)["Content-Length"] = str(len(body))
        await send.deliver([start, {"type": "http.response.body", "body": body}])

    def _is_write(self, scope: Scope) -> bool:
        reads = scope["method"] == HTTPMethod.POST and str(scope["path"]).startswith(self.reads_by_post)
        return scope["method"] in WRITE_METHODS and not reads

    async def _execute_and_lose(self, scope: Scope, receive: Receive, send: "_Recorder") -> None:
        self.board.faults.lose_response_after_commit -= 1
        held = await self._hold(scope, receive, send)
        if send.logged.status is not None and send.logged.status < 400:
            send.logged.lost = True
            await reset_connection(receive)
            return
        # A refused write committed nothing: its answer is delivered, and the next write's is lost instead.
        self.board.faults.lose_response_after_commit += 1
        await send.deliver(held)

    async def _hold(self, scope: Scope, receive: Receive, send: "_Recorder") -> list[Message]:
        """Serve the request and return its messages unsent."""
        held: list[Message] = []
        send.held = held
        await self.app(scope, receive, send)
        return held


@dataclass
class _Recorder:
    """A `send` that records status and size, and can hold the messages back."""

    send: Send
    logged: LoggedRequest
    held: list[Message] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.logged.status = message["status"]
        elif message["type"] == "http.response.body":
            self.logged.bytes += len(message.get("body", b""))
        if self.held is None:
            await self.send(message)
        else:
            self.held.append(message)

    async def deliver(self, messages: Iterable[Message]) -> None:
        for message in messages:
            await self.send(message)


async def reset_connection(receive: Receive) -> None:
    """Reset the client's connection, so that it sees ECONNRESET instead of an answer.

    ASGI cannot express this. Under uvicorn `receive` is a method of the request's cycle, which holds the transport;
    with SO_LINGER 0 its abort sends a TCP reset. Waiting for the disconnect lets uvicorn notice by itself, silently.

    Raises: ConnectionResetError where there is no transport (an in-process client), which such a client passes on.
    """
    transport: asyncio.Transport | None = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox dropped the connection")
    _linger_zero(transport)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _linger_zero(transport: asyncio.Transport) -> None:
    """Make the close a reset. Done on a duplicate, since uvloop's own socket object allows no options."""
    descriptor = transport.get_extra_info("socket").fileno()
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _host(scope: Scope) -> str:
    return Request(scope).headers.get("host", "sandbox").split(":")[0]
