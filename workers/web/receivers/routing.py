"""The ASGI application of the receivers: finds the endpoint of a request and sends what it answers.

Plain ASGI instead of a framework's requests and responses, because one Canvas can send thousands of events a second.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from workers.web.receivers.rejection_log import RejectionLog
from workers.web.receivers.responses import UNKNOWN_PATH, WRONG_METHOD, Reply, RequestRefused

Endpoint = Callable[[Scope, Receive], Awaitable[Reply]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path: its methods and what answers them."""

    methods: frozenset[str]
    endpoint: Endpoint


def post(endpoint: Endpoint) -> Route:
    """Return the route of an endpoint that takes POST."""
    return Route(frozenset({"POST"}), endpoint)


def get(endpoint: Endpoint) -> Route:
    """Return the route of an endpoint that takes GET, and so HEAD."""
    return Route(frozenset({"GET", "HEAD"}), endpoint)


@asynccontextmanager
async def nothing_to_start() -> AsyncIterator[None]:
    """Start and stop nothing."""
    yield


class ReceiverApp:
    """Serves `routes`; any other path goes to `otherwise`, and is not found where there is none.

    `otherwise` gets HTTP requests only: what it starts and stops belongs into `lifespan`.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        refusals: RejectionLog,
        lifespan: Lifespan = nothing_to_start,
        otherwise: ASGIApp | None = None,
    ) -> None:
        self._routes = routes
        self._refusals = refusals
        self._lifespan = lifespan
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"])
        if route is None and self._otherwise is not None:
            await self._otherwise(scope, receive, send)
            return
        reply = await self._reply(route, scope, receive)
        await reply.send(send)

    async def _reply(self, route: Route | None, scope: Scope, receive: Receive) -> Reply:
        if route is None:
            return RequestRefused(UNKNOWN_PATH).reply()
        if scope["method"] not in route.methods:
            return RequestRefused(WRONG_METHOD).reply([(b"allow", ", ".join(sorted(route.methods)).encode())])
        try:
            return await route.endpoint(scope, receive)
        except RequestRefused as refused:
            self._refusals.note(scope["path"], refused)
            return refused.reply()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
