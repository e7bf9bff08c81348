"""Reading Canvas, and importing rosters into it."""

from datetime import timedelta

import httpx
import redis
from pydantic import SecretStr

from shared.adapters.canvas.client import CanvasClient
from shared.adapters.canvas.pagination import PROBE, PagedApi, advised_interval
from shared.adapters.canvas.sis_import import CanvasSisImports
from shared.adapters.http.client import RESPONSE_TIMEOUT_S, RemoteApi
from shared.adapters.http.exchange import CONNECT_TIMEOUT_S, http_client
from shared.adapters.redis.cache import JsonCache
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.clock import Clock
from shared.config import CANVAS_SETTINGS, Settings
from shared.ports.passback import Count, ignore_count

SYSTEM = "canvas"
# Canvas requests in flight at once, of all workers together. About 12 fill a token's bucket.
MAX_IN_FLIGHT = 8
# For what a request takes besides its timeouts.
MARGIN = timedelta(seconds=5)
# Without the first type Canvas sends ids as numbers, which JavaScript-minded proxies have rounded.
ACCEPT = "application/json+canvas-string-ids, application/json"


def canvas_client(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count = ignore_count,
    *,
    transport: httpx.BaseTransport | None = None,
) -> CanvasClient:
    """Return the client that all threads of a process share. Raises `ConfigurationError` without URL or token."""
    api = canvas_api(settings, redis_client, keys, clock, count, transport=transport)
    return CanvasClient(api, JsonCache(redis_client, keys), settings.canvas_account)


def canvas_api(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count = ignore_count,
    *,
    transport: httpx.BaseTransport | None = None,
) -> PagedApi:
    """Return Canvas's API with the token that reads, paced with all workers, and a connection pool of its own.

    Raises `ConfigurationError` without URL or token.
    """
    limiter = _limiter(redis_client, keys, clock)
    return paged_api(settings, settings.canvas_token, limiter, clock, count, transport=transport)


def canvas_sis_imports(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count = ignore_count,
    *,
    transport: httpx.BaseTransport | None = None,
) -> CanvasSisImports:
    """Return SIS Import with the provisioning token. Raises `ConfigurationError` without URL or token."""
    limiter = _limiter(redis_client, keys, clock)
    api = paged_api(settings, provisioning_token(settings), limiter, clock, count, transport=transport)
    return CanvasSisImports(api, settings.canvas_account)


def provisioning_token(settings: Settings) -> SecretStr:
    """Return the token of SIS imports: its own, else the one for reading."""
    token = settings.canvas_provisioning_token
    return token if token.get_secret_value() else settings.canvas_token


def _limiter(redis_client: redis.Redis, keys: Keys, clock: Clock) -> RemoteLimiter:
    # Canvas asks for no interval between requests: what fills its bucket is how many are under way at once.
    return RemoteLimiter(
        redis_client,
        keys,
        SYSTEM,
        clock,
        timedelta(0),
        max_in_flight=MAX_IN_FLIGHT,
        longest_request=timedelta(seconds=CONNECT_TIMEOUT_S + RESPONSE_TIMEOUT_S) + MARGIN,
    )


def paged_api(
    settings: Settings,
    token: SecretStr,
    limiter: RemoteLimiter,
    clock: Clock,
    count: Count = ignore_count,
    *,
    probe: str | None = PROBE,
    transport: httpx.BaseTransport | None = None,
) -> PagedApi:
    """Return Canvas's API as the token may use it. Raises `ConfigurationError` without URL or token."""
    settings.require(*CANVAS_SETTINGS)
    http = http_client(
        settings.canvas_url,
        RESPONSE_TIMEOUT_S,
        headers={"Accept": ACCEPT, "Authorization": f"Bearer {token.get_secret_value()}"},
        ca_bundle=settings.ca_bundle,
        transport=transport,
    )
    api = RemoteApi(SYSTEM, http, limiter, clock, count=count, probe=probe, advice=advised_interval)
    return PagedApi(api, http.base_url)
