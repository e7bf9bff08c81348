"""Puts the receivers together: `build` from the settings, `create_app` from parts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError
from starlette.types import ASGIApp

from shared.adapters.canvas.jwks import FETCH_TIMEOUT_S, JwksKeys
from shared.adapters.redis.async_client import connect_async
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter
from shared.adapters.redis.sync_queue.webhook_ids import RosterChangeFlag, WebhookIds
from shared.clock import Clock, SystemClock
from shared.config import ConfigurationError, Settings
from shared.events.signatures import Senders, SigningKeys
from shared.ports.passback import Count, count_nothing
from workers.web.middleware import RequestLimits
from workers.web.receivers.canvas_events import CanvasEvents
from workers.web.receivers.health import Readiness, livez
from workers.web.receivers.intake_metrics import Accepted
from workers.web.receivers.powerschool_events import PowerSchoolEvents
from workers.web.receivers.rejection_log import RejectionLog
from workers.web.receivers.request_body import BodyReader
from workers.web.receivers.routing import Lifespan, ReceiverApp, Route, get, nothing_to_start, post
from workers.web.receivers.webhooks import Webhooks

# The largest request body a receiver reads, in bytes. A larger one gets 413.
MAX_EVENT_BYTES = 2_000_000
# How many events one web process keeps in memory while Redis is slow. Above it receivers respond with 503.
MAX_WAITING_EVENTS = 10_000
CANVAS, POWERSCHOOL, WEBHOOKS = "/events/canvas", "/events/powerschool", "/webhooks/changes"


def create_app(
    settings: Settings,
    writer: ChangeWriter,
    keys: SigningKeys,
    *,
    seen_webhooks: WebhookIds,
    roster_hints: RosterChangeFlag,
    store: Callable[[], Awaitable[object]],
    clock: Clock,
    lifespan: Lifespan = nothing_to_start,
    otherwise: ASGIApp | None = None,
    count: Count = count_nothing,
    more_routes: Mapping[str, Route] | None = None,
    max_event_bytes: int = MAX_EVENT_BYTES,
) -> RequestLimits:
    """Return the receivers as an ASGI application; paths that are not theirs go to `otherwise`.

    Raises: ConfigurationError, where the settings would let events of other Canvas customers in.
    """
    if not settings.live_events_allow_unsigned:
        settings.require("canvas_root_account_uuid")
    senders = Senders(settings.canvas_root_account_uuid, frozenset(settings.live_events_issuers))
    canvas_events = CanvasEvents(
        writer,
        keys,
        senders,
        clock.now,
        Accepted(count, CANVAS),
        allow_unsigned=settings.live_events_allow_unsigned,
    )
    routes = {
        CANVAS: post(canvas_events),
        POWERSCHOOL: post(PowerSchoolEvents(roster_hints, Accepted(count, POWERSCHOOL))),
        WEBHOOKS: post(Webhooks(writer, seen_webhooks, _webhook_secret(settings), Accepted(count, WEBHOOKS))),
        "/livez": get(livez),
        "/readyz": get(Readiness(store)),
        **(more_routes or {}),
    }
    refusals = RejectionLog(clock, count)
    app = ReceiverApp(routes, refusals, lifespan, otherwise)
    return RequestLimits(app, (CANVAS, POWERSCHOOL, WEBHOOKS), BodyReader(max_event_bytes), refusals)


def build(
    settings: Settings,
    otherwise: ASGIApp | None = None,
    *,
    count: Count = count_nothing,
    more_routes: Mapping[str, Route] | None = None,
    close: Callable[[], None] = lambda: None,
) -> RequestLimits:
    """Return the receivers with Redis and Canvas's keys behind them, opened and closed by the server's lifespan.

    `close` closes what was given: it is called in a thread, after the last request.
    """
    clock = SystemClock()
    redis, close_redis = connect_async(settings)
    redis_keys = Keys(settings.redis_prefix)
    writer = ChangeWriter(redis, redis_keys, MAX_WAITING_EVENTS)
    http = httpx.AsyncClient(timeout=FETCH_TIMEOUT_S)
    jwks = JwksKeys(http, settings.live_events_jwks_url, clock)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
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
        seen_webhooks=WebhookIds(redis, redis_keys),
        roster_hints=RosterChangeFlag(redis, redis_keys),
        store=writer.check,
        clock=clock,
        lifespan=lifespan,
        otherwise=otherwise,
        count=count,
        more_routes=more_routes,
    )


def _webhook_secret(settings: Settings) -> Webhook | None:
    secret = settings.webhook_secret.get_secret_value()
    if not secret:
        return None
    try:
        return Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        raise ConfigurationError("PASSBACK_WEBHOOK_SECRET: not base64, with or without whsec_ before it") from None
