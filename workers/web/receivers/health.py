"""`GET /livez` and `GET /readyz`: whether the process runs, and whether it can store an event."""

from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.errors import ServiceUnavailable


async def livez(_request: Request) -> Response:
    """Return 200."""
    return JSONResponse({"status": "alive"})


def readyz(store: Callable[[], Awaitable[object]]) -> Route:
    """Return the route of `/readyz`: 200 while `store` can write, else 503 (Redis away, full or read-only)."""

    async def ready(_request: Request) -> Response:
        try:
            await store()
        except (RedisError, OSError, ServiceUnavailable):
            return JSONResponse({"status": "redis_unavailable"}, 503, {"Retry-After": "5"})
        return JSONResponse({"status": "ready"})

    return Route("/readyz", ready)
