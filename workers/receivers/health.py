"""`GET /livez` and `GET /readyz`: whether the process runs, and whether it can store what it is sent."""

from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError
from starlette.types import Receive, Scope

from workers.receivers.replies import Reply, json_reply

ALIVE = json_reply(200, {"status": "alive"})
READY = json_reply(200, {"status": "ready"})
NOT_READY = json_reply(503, {"status": "redis_unavailable"}, [(b"retry-after", b"5")])


async def livez(_scope: Scope, _receive: Receive) -> Reply:
    """Return 200: the process answers."""
    return ALIVE


class Readiness:
    """Says whether Redis answers."""

    def __init__(self, ping: Callable[[], Awaitable[object]]) -> None:
        self._ping = ping

    async def __call__(self, _scope: Scope, _receive: Receive) -> Reply:
        """Return 200 while Redis answers, else 503."""
        try:
            await self._ping()
        except (RedisError, OSError):
            return NOT_READY
        return READY
