"""Connects asyncio's half of the receivers to the Redis of the settings."""

from collections.abc import Awaitable, Callable
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from shared.adapters.redis.urls import connection_options, sentinel_addresses, sentinel_options, url_options
from shared.config import Settings


def connect_async(settings: Settings) -> tuple[Redis, Callable[[], Awaitable[None]]]:
    """Return a client that gives up soon, and what closes it with every connection that it came to need.

    A command is repeated once, over a new connection, since Redis may have restarted.
    """
    options = {**connection_options(settings), "retry": Retry(NoBackoff(), 1)}
    if not settings.redis_sentinels:
        client = Redis.from_url(settings.redis_url, **options)
        return client, client.aclose
    sentinel = Sentinel(sentinel_addresses(settings), sentinel_kwargs=sentinel_options(settings))  # type: ignore[no-untyped-call]
    found = sentinel.master_for(settings.redis_sentinel_master, **{**options, **url_options(settings)})
    master = cast("Redis", found)

    async def close() -> None:
        for each in (master, *sentinel.sentinels):
            await each.aclose()

    return master, close
