"""Reading Canvas."""

from datetime import timedelta

import httpx
import redis

from shared.adapters.canvas.client import CanvasClient
from shared.adapters.http.api import JsonApi, OnRequest, http_client
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.system_health import SystemGate
from shared.clock import Clock
from shared.config import CANVAS_SETTINGS, Settings

SYSTEM = "canvas"
PROBE = "/api/v1/users/self"
# Without the first type Canvas sends ids as numbers, which JavaScript-minded proxies have rounded.
ACCEPT = "application/json+canvas-string-ids, application/json"


def canvas_client(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    *,
    on_request: OnRequest | None = None,
    transport: httpx.BaseTransport | None = None,
) -> CanvasClient:
    """Return the client that all threads of a process share. Raises `ConfigurationError` without URL or token."""
    settings.require(*CANVAS_SETTINGS)
    http = http_client(
        settings.canvas_url,
        settings.canvas_timeout_s,
        headers={"Accept": ACCEPT, "Authorization": f"Bearer {settings.canvas_token.get_secret_value()}"},
        transport=transport,
    )
    # Canvas asks for no interval between requests: its bucket is watched by the client instead.
    gate = SystemGate(redis_client, keys, SYSTEM, clock, timedelta(0))
    api = JsonApi(SYSTEM, http, gate, clock, on_request=on_request, probe=PROBE)
    return CanvasClient(api, http.base_url, clock, settings.canvas_max_in_flight, settings.canvas_account)
