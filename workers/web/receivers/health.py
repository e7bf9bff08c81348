"""`GET /livez` and `GET /readyz`: whether the process runs, and whether it can store what it is sent."""

from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError
from starlette.types import Receive, Scope

from shared.errors import ServiceUnavailable
from workers.web.receivers.responses import Reply, json_reply

ALIVE = json_reply(200, {"status": "alive"})
READY = json_reply(200, {"status": "ready"})
NOT_READY = json_reply(503, {"status": "redis_unavailable"}, [(b"retry-after", b"5")])


async def livez(_scope: Scope, _receive: Receive) -> Reply:
    """Return 200: the process answers."""
    return ALIVE


class Readiness:
    """Says whether an event that came now could be stored."""

    def __init__(self, store: Callable[[], Awaitable[object]]) -> None:
        self._store = store

    async def __call__(self, _scope: Scope, _receive: Receive) -> Reply:
        """Return 200 while Redis stores what it is given, else 503: also a full Redis, or one that is read-only."""
        try:
            await self._store()
        except (RedisError, OSError, ServiceUnavailable):
            return NOT_READY
        return READY
