"""Connects to the Redis of the settings, and gives its failures a place in our tree of errors."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as TimedOut
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.adapters.redis.urls import connection_options, sentinel_addresses, sentinel_options, url_options
from shared.config import Settings
from shared.domain.causes import Cause
from shared.errors import ServiceUnavailable

RETRY_AFTER = timedelta(seconds=5)
HEALTH_CHECK_EVERY_S = 30
RETRIES = 2

# Full memory, a full disk, a primary that became a replica or lost its own: inside a script, these words are all that
# tells them from a defect. Source: Redis's error codes, `server.c`.
_CANNOT_WRITE = ("MISCONF", "OOM ", "READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "CLUSTERDOWN")


class RedisUnavailable(ServiceUnavailable, ConnectionFailed):
    """Redis does not answer, or cannot write: wait, spend no attempt. Also one of redis-py's own connection errors."""

    def __init__(self, command: str, error: Exception) -> None:
        super().__init__(f"{command}: {type(error).__name__}", cause=Cause.REDIS_UNAVAILABLE, delay=RETRY_AFTER)


class RedisPipeline(Pipeline):
    """redis-py's pipeline, raising `RedisUnavailable` where Redis is unavailable."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run the commands that were collected."""
        with _unavailable("PIPELINE"):
            return super().execute(raise_on_error)


class RedisClient(redis.Redis):
    """redis-py's client, raising `RedisUnavailable` where Redis is unavailable."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run one command."""
        with _unavailable(str(args[0])):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return a pipeline of this client's."""
        return RedisPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


@contextmanager
def _unavailable(command: str) -> Iterator[None]:
    """Raise `RedisUnavailable` for what says that Redis is away or cannot write. `WatchError` and refusals pass."""
    try:
        yield
    except RedisUnavailable:
        raise
    except (ConnectionFailed, TimedOut, OutOfMemoryError, ReadOnlyError) as error:
        raise RedisUnavailable(command, error) from error
    except ResponseError as error:
        if any(message in str(error) for message in _CANNOT_WRITE):
            raise RedisUnavailable(command, error) from error
        raise


def connect(settings: Settings) -> redis.Redis:
    """Return a client of the settings' Redis, which Sentinels may have to be asked for; connects at its first command.

    A command on a dropped connection is sent again: everything passback asks of Redis may be repeated. One that was
    not answered in time is not, for a Redis that hangs would only be waited for longer.
    """
    options = {
        **connection_options(settings),
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": HEALTH_CHECK_EVERY_S,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES, supported_errors=(ConnectionFailed,)),
    }
    if not settings.redis_sentinels:
        return RedisClient.from_url(settings.redis_url, **options)
    sentinel = Sentinel(sentinel_addresses(settings), sentinel_kwargs=sentinel_options(settings))  # type: ignore[no-untyped-call]
    everything = {**options, **url_options(settings)}
    found = sentinel.master_for(settings.redis_sentinel_master, RedisClient, **everything)  # type: ignore[no-untyped-call]
    return cast("redis.Redis", found)


def connect_async(settings: Settings) -> tuple[AsyncRedis, Callable[[], Awaitable[None]]]:
    """Return a client that gives up soon, and what closes it with every connection that it came to need.

    A command is repeated once, over a new connection, since Redis may have restarted.
    """
    options = {**connection_options(settings), "retry": AsyncRetry(NoBackoff(), 1)}
    if not settings.redis_sentinels:
        client = AsyncRedis.from_url(settings.redis_url, **options)
        return client, client.aclose
    sentinel = AsyncSentinel(sentinel_addresses(settings), sentinel_kwargs=sentinel_options(settings))  # type: ignore[no-untyped-call]
    found = sentinel.master_for(settings.redis_sentinel_master, **{**options, **url_options(settings)})
    master = cast("AsyncRedis", found)

    async def close() -> None:
        for each in (master, *sentinel.sentinels):
            await each.aclose()

    return master, close
