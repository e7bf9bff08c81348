"""`GET /metrics`: checks who may read it, and bounds how often Redis is read for it."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address

from redis.exceptions import RedisError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from workers.web.auth.passwords import Authenticator, name_and_password
from workers.web.errors import ApiError, redis_unavailable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Requests within this time get the same page, so that frequent requests cost Redis nothing.
CACHE_TTL_S = 1.0
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="passback", Basic realm="passback", charset="UTF-8"'}
NOT_SIGNED_IN = (401, "not_signed_in", "Send the metrics token, or sign in as operator.", CHALLENGE)
METRICS_PATH = "metrics"


class MetricsPage:
    """Renders the page in a thread, for one caller at a time, to those who may read it.

    Admits requests with the token if one is configured, else requests from this machine; the operator always. A proxy
    on this machine makes every request appear local: forwarded requests are recognized by their headers. Behind a proxy
    that adds none, a token is needed.
    """

    def __init__(self, render: Callable[[], bytes], authenticator: Authenticator) -> None:
        self._render = render
        self._authenticator = authenticator
        self._lock = asyncio.Lock()
        self._cached: tuple[float, bytes] | None = None

    async def get(self, request: Request) -> Response:
        """Return the page, or an error: 401, 403, 429, 503."""
        try:
            await self.check(request)
        except ApiError as error:
            response = error.response()
            response.headers.update(CHALLENGE if error.status == 401 else {})
            return response
        except (RedisError, OSError):
            return redis_unavailable().response()
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._cached is None or now - self._cached[0] > CACHE_TTL_S:
                self._cached = now, await asyncio.to_thread(self._render)
            return Response(self._cached[1], headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    async def check(self, request: HTTPConnection) -> None:
        """Return if this request is admitted. Raises: ApiError, RedisError."""
        headers = request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        sender = self._authenticator.proxies.sender(request)
        match scheme.lower():
            case "bearer" if self._authenticator.has_token:
                await self._authenticator.token(token.strip(), sender, METRICS_PATH)
            case "basic" if self._authenticator.has_passwords:
                await self._authenticator.operator(*name_and_password(headers["authorization"]), sender, METRICS_PATH)
            case "":
                is_forwarded = any(name in headers for name in FORWARDED)
                if self._authenticator.has_token or is_forwarded or not _is_local(request):
                    raise ApiError(*NOT_SIGNED_IN)
            case _:
                raise ApiError(*NOT_SIGNED_IN)


def _is_local(request: HTTPConnection) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
