"""`GET /metrics`: who may read it, and how often Redis is asked for it."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address

from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope

from shared.config import Settings
from workers.web.api.errors import ApiError
from workers.web.auth.credentials import Authenticator, name_and_password
from workers.web.auth.trusted_proxies import Proxies
from workers.web.metrics.exposition import CONTENT_TYPE
from workers.web.receivers.responses import Reply, json_reply, plain_reply

# Who asks again within this time gets the same page, so that asking often costs Redis nothing.
FRESH_FOR_S = 1.0
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
CHALLENGE = (b"www-authenticate", b'Bearer realm="passback", Basic realm="passback", charset="UTF-8"')
NOT_SIGNED_IN = ApiError(401, "not_signed_in", "Send the metrics token, or sign in as operator.")
METRICS_PATH = "metrics"


class MetricsAccess:
    """Who may read the numbers: with a token configured, whoever has it; else who asks from this machine.

    The operator may in any case. A proxy on this machine makes everybody seem to ask from here: what it forwards is
    told by its headers. Behind one that adds none, a token is needed.
    """

    def __init__(self, settings: Settings, authenticator: Authenticator) -> None:
        self._has_token = bool(settings.metrics_token.get_secret_value())
        self._authenticator = authenticator
        self._proxies = Proxies(settings)

    async def check(self, scope: Scope) -> None:
        """Return if this request may be answered. Raises: ApiError, RedisError."""
        headers = Headers(scope=scope)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        sender = self._proxies.sender(HTTPConnection(scope))
        match scheme.lower():
            case "bearer" if self._has_token:
                await self._authenticator.token(given.strip(), sender, METRICS_PATH)
            case "basic" if self._authenticator.has_passwords:
                await self._authenticator.operator(*name_and_password(headers["authorization"]), sender, METRICS_PATH)
            case "":
                if self._has_token or not _is_local(scope) or any(name in headers for name in FORWARDED):
                    raise NOT_SIGNED_IN
            case _:
                raise NOT_SIGNED_IN


class MetricsPage:
    """Renders the page in a thread, for one caller at a time."""

    def __init__(self, render: Callable[[], bytes], access: MetricsAccess) -> None:
        self._render = render
        self._access = access
        self._lock = asyncio.Lock()
        self._page: tuple[float, Reply] | None = None

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        """Return the page, or why it is not given: 401, 403, 429, 503."""
        try:
            await self._access.check(scope)
        except ApiError as refused:
            return _refusal(refused)
        except (RedisError, OSError):
            return _refusal(ApiError(503, "unavailable", "Redis does not answer now.", {"Retry-After": "5"}))
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._page is None or now - self._page[0] > FRESH_FOR_S:
                self._page = now, plain_reply(await asyncio.to_thread(self._render), CONTENT_TYPE)
            return self._page[1]


def _refusal(refused: ApiError) -> Reply:
    headers = [CHALLENGE] if refused.status == 401 else []
    if refused.headers and "Retry-After" in refused.headers:
        headers.append((b"retry-after", refused.headers["Retry-After"].encode()))
    return json_reply(refused.status, {"error": {"code": refused.code, "message": refused.message}}, headers)


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False
