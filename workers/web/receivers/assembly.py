"""Assembles the receivers: `build` from the settings, `create_app` from parts."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx
from redis.exceptions import RedisError
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.adapters.canvas.jwks import FETCH_TIMEOUT_S, JwksKeys
from shared.adapters.redis.client import connect_async
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter, WebhookIds, mark_rosters_changed
from shared.clock import Clock, SystemClock
from shared.config import ConfigurationError, Settings
from shared.errors import ServiceUnavailable
from shared.events.signatures import ISSUERS, TrustedSenders
from shared.ports.passback import Count, ignore_count
from workers.web.middleware import RequestLimits
from workers.web.receivers.canvas_events import CanvasEvents
from workers.web.receivers.intake_metrics import IntakeMetrics, RejectionLog
from workers.web.receivers.powerschool_events import receive_notification
from workers.web.receivers.request_body import BodyReader
from workers.web.receivers.responses import UNKNOWN_PATH, WRONG_METHOD, RequestRejected
from workers.web.receivers.routing import Receiver, ReceiverApp
from workers.web.receivers.webhooks import Webhooks

# The largest request body a receiver reads, in bytes. A larger one gets 413.
MAX_EVENT_BYTES = 2_000_000
# The number of events that one web process buffers while Redis is slow. Above it receivers respond with 503.
MAX_WAITING_EVENTS = 10_000
CANVAS, POWERSCHOOL, WEBHOOKS = "/events/canvas", "/events/powerschool", "/webhooks/changes"

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings,
    writer: ChangeWriter,
    keys: JwksKeys,
    *,
    webhook_ids: WebhookIds,
    mark_rosters_changed: Callable[[], Awaitable[None]],
    store: Callable[[], Awaitable[object]],
    clock: Clock,
    lifespan: Lifespan | None = None,
    fallback: ASGIApp | None = None,
    count: Count = ignore_count,
    routes: Sequence[Route] = (),
    max_event_bytes: int = MAX_EVENT_BYTES,
) -> ReceiverApp:
    """Return the receivers as an ASGI application; `store` writes to Redis, for `/readyz`.

    Starlette routes `routes` and the health checks; every other path goes to `fallback`.
    Raises: ConfigurationError, where the settings would let events of other Canvas customers in.
    """
    if not settings.live_events_allow_unsigned:
        settings.require("canvas_root_account_uuid")
    senders = TrustedSenders(settings.canvas_root_account_uuid, ISSUERS)
    canvas_events = CanvasEvents(
        writer,
        keys,
        senders,
        clock.now,
        IntakeMetrics(count, CANVAS),
        allow_unsigned=settings.live_events_allow_unsigned,
    )
    webhooks = Webhooks(writer, webhook_ids, _webhook_verifier(settings), IntakeMetrics(count, WEBHOOKS))
    receivers: dict[str, Receiver] = {
        CANVAS: canvas_events.receive,
        POWERSCHOOL: partial(receive_notification, mark_rosters_changed, IntakeMetrics(count, POWERSCHOOL)),
        WEBHOOKS: webhooks.receive,
    }
    rejections = RejectionLog(clock, count)
    others = Starlette(
        routes=[Route("/livez", livez), Route("/readyz", partial(readyz, store)), *routes],
        exception_handlers={HTTPException: _not_routed},
        lifespan=lifespan,
    )
    others.router.redirect_slashes = False
    if fallback is not None:
        others.router.default = fallback
    bodies = BodyReader(max_event_bytes)
    return ReceiverApp(receivers, bodies, rejections, RequestLimits(others, rejections))


async def livez(_request: Request) -> Response:
    """`GET /livez`: 200 while the process runs."""
    return JSONResponse({"status": "alive"})


async def readyz(store: Callable[[], Awaitable[object]], _request: Request) -> Response:
    """`GET /readyz`: 200 while `store` can write, else 503 (Redis unavailable, full or read-only)."""
    try:
        await store()
    except (RedisError, OSError, ServiceUnavailable):
        return JSONResponse({"status": "redis_unavailable"}, 503, {"Retry-After": "5"})
    return JSONResponse({"status": "ready"})


def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    rejection = UNKNOWN_PATH if error.status_code == 404 else WRONG_METHOD
    return RequestRejected(rejection, headers=error.headers).response()


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
    http = httpx.AsyncClient(timeout=FETCH_TIMEOUT_S)
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
        store=writer.check,
        clock=clock,
        lifespan=lifespan,
        fallback=fallback,
        count=count,
        routes=routes,
    )


def _webhook_verifier(settings: Settings) -> Webhook | None:
    secret = settings.webhook_secret.get_secret_value()
    if not secret:
        return None
    try:
        # The library skips what is no Base64, and would use what is left of the secret.
        b64decode(secret.removeprefix("whsec_"), validate=True)
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise ConfigurationError("PASSBACK_WEBHOOK_SECRET: not base64, with or without whsec_ before it") from None
