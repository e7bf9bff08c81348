"""Assembles the receivers: `build` from the settings, `create_app` from parts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.adapters.canvas.jwks import FETCH_TIMEOUT_S, JwksKeys
from shared.adapters.http.exchange import certificates
from shared.adapters.redis.client import connect_async
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter, WebhookIds, mark_rosters_changed
from shared.clock import Clock, SystemClock
from shared.config import Settings
from shared.errors import ServiceUnavailable
from shared.events import ISSUERS, TrustedSenders
from shared.ports.passback import Count, ignore_count
from workers.web.errors import ApiError
from workers.web.middleware import RequestLimits
from workers.web.receivers.canvas_events import CanvasEvents
from workers.web.receivers.rejections import UNKNOWN_PATH, WRONG_METHOD, RejectionLog
from workers.web.receivers.routing import BodyReader, Intake, RawHeaders, Receiver, ReceiverApp
from workers.web.receivers.webhooks import Webhooks

# The largest request body a receiver reads, in bytes. A larger one gets 413.
MAX_EVENT_BYTES = 2_000_000
# The number of events that one web process buffers while Redis is slow. Above it receivers respond with 503.
MAX_WAITING_EVENTS = 10_000

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings,
    writer: ChangeWriter,
    keys: JwksKeys,
    *,
    webhook_ids: WebhookIds,
    mark_rosters_changed: Callable[[], Awaitable[None]],
    clock: Clock,
    lifespan: Lifespan | None = None,
    fallback: ASGIApp | None = None,
    count: Count = ignore_count,
    routes: Sequence[Route] = (),
    max_event_bytes: int = MAX_EVENT_BYTES,
) -> ReceiverApp:
    """Return the receivers as an ASGI application.

    Starlette routes `routes` and the health checks; every other path goes to `fallback`.
    Raises: ConfigurationError, where the settings would let events of other Canvas customers in.
    """
    if not settings.live_events_allow_unsigned:
        settings.require("canvas_root_account_uuid")
    senders = TrustedSenders(settings.canvas_root_account_uuid, ISSUERS)
    allow_unsigned = settings.live_events_allow_unsigned
    receivers: dict[str, Receiver] = {
        "/events/canvas": CanvasEvents(writer, keys, senders, clock.now, allow_unsigned=allow_unsigned).receive,
        "/events/powerschool": partial(receive_notification, mark_rosters_changed),
        "/webhooks/changes": Webhooks(writer, webhook_ids, settings).receive,
    }
    rejections = RejectionLog(clock, count)
    others = Starlette(
        routes=[Route("/livez", livez), Route("/readyz", partial(readyz, writer)), *routes],
        exception_handlers={HTTPException: _not_routed},
        lifespan=lifespan,
    )
    others.router.redirect_slashes = False
    if fallback is not None:
        others.router.default = fallback
    limited = RequestLimits(others, rejections)
    return ReceiverApp(receivers, BodyReader(max_event_bytes), rejections, count, limited)


async def receive_notification(
    mark_rosters_changed: Callable[[], Awaitable[None]], _headers: RawHeaders, _body: bytes
) -> Intake:
    """`POST /events/powerschool`: return once it is stored that rosters changed. Raises: ServiceUnavailable.

    PowerSchool documents neither the body nor a signature. So the body is ignored and the notification proves nothing:
    it only lets the next provisioning run start sooner.
    Source: PowerSchool event subscriptions, `PUT /ws/v1/event_subscription`.
    """
    await mark_rosters_changed()
    return "rosters", "stored"


async def livez(_request: Request) -> Response:
    """`GET /livez`: 200 while the process runs."""
    return JSONResponse({"status": "alive"})


async def readyz(writer: ChangeWriter, _request: Request) -> Response:
    """`GET /readyz`: 200 while changes can be stored, else 503 (Redis unavailable, full or read-only)."""
    try:
        await writer.check()
    except (RedisError, OSError, ServiceUnavailable):
        return JSONResponse({"status": "redis_unavailable"}, 503, {"Retry-After": "5"})
    return JSONResponse({"status": "ready"})


def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    rejection = UNKNOWN_PATH if error.status_code == 404 else WRONG_METHOD
    return ApiError(*rejection, error.headers).response()


def build(
    settings: Settings,
    fallback: ASGIApp | None = None,
    *,
    count: Count = ignore_count,
    routes: Sequence[Route] = (),
    close: Callable[[], None] = lambda: None,
) -> ReceiverApp:
    """Return the receivers with their connections to Redis and to Canvas's keys, closed by the server's lifespan.

    `close` is called in a thread, after the last request.
    """
    clock = SystemClock()
    redis, close_redis = connect_async(settings)
    redis_keys = Keys(settings.redis_prefix)
    writer = ChangeWriter(redis, redis_keys, MAX_WAITING_EVENTS)
    http = httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, verify=certificates(settings.ca_bundle))
    jwks = JwksKeys(http, settings.live_events_jwks_url, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await writer.close()
        await jwks.close()
        await http.aclose()
        await close_redis()
        await asyncio.to_thread(close)

    return create_app(
        settings,
        writer,
        jwks,
        webhook_ids=WebhookIds(redis, redis_keys),
        mark_rosters_changed=partial(mark_rosters_changed, redis, redis_keys),
        clock=clock,
        lifespan=lifespan,
        fallback=fallback,
        count=count,
        routes=routes,
    )
