"""The Redis of the settings: connection, errors, Lua scripts, and what Redis answers as values."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, cast

import redis
import structlog
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.client import Pipeline
from redis.commands.core import Script
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as TimedOut
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.adapters.redis.keys import SET_ASIDE
from shared.adapters.redis.urls import connection_options, sentinel_addresses, sentinel_options, url_options
from shared.config import Settings
from shared.domain.causes import Cause
from shared.errors import ServiceUnavailable
from shared.log_events import LogEvent

log = structlog.get_logger()

Argument = bytes | str | int | float

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MS = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // _MILLISECOND


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to sync a course, or to run provisioning (without `course_id`), of one worker at a time.

    `token` grows with every lease ever given: the fencing token.
    """

    course_id: str
    token: int


def text(reply: bytes | str) -> str:
    """Return a key, member or value that is text. Bytes that are no UTF-8 are escaped, never an error."""
    return reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else reply


def time_at(milliseconds: float | bytes | str) -> datetime:
    """Return the time, in UTC, of a number of milliseconds since the epoch; the nearest one that a calendar has."""
    if isinstance(milliseconds, float):
        milliseconds = min(max(milliseconds, 0.0), _LAST_MS)
    return EPOCH + min(max(int(milliseconds), 0), _LAST_MS) * _MILLISECOND


def clock_ms(reply: tuple[int, int]) -> int:
    """Return what `TIME` answers, seconds and microseconds, as whole milliseconds since the epoch."""
    seconds, microseconds = reply
    return seconds * 1000 + microseconds // 1000


def server_time(client: redis.Redis) -> datetime | None:
    """Return Redis's time, in UTC; None where it does not answer."""
    try:
        return time_at(clock_ms(client.time()))
    except RedisError:
        return None


def times_at(times: bytes | str) -> tuple[datetime, ...]:
    """Return the times of a comma-separated list of milliseconds since the epoch."""
    return tuple(time_at(time) for time in text(times).split(",") if time.isdigit())


def epoch_ms(at: datetime) -> int:
    """Return the whole milliseconds from the epoch to `at`, which is aware."""
    return (at - EPOCH) // _MILLISECOND


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return round(duration / _MILLISECOND)


def load_script(client: redis.Redis, *names: str) -> Script:
    """Return the script made of the named files, one after the other.

    `sync_queue/renew` is `sync_queue/lua/renew.lua` beside this module; a name without a room is in `lua/`, for stores
    of several rooms.
    """
    return client.register_script(script_text(*names))


def script_text(*names: str) -> str:
    """Return the named files, one after the other."""
    return "\n".join(_file(name).read_text(encoding="utf-8") for name in names)


def _file(name: str) -> Traversable:
    room, _, script = name.rpartition("/")
    return resources.files(__package__) / room / "lua" / f"{script}.lua"


def set_aside_wrong_types(client: redis.Redis, expected: Mapping[str, str]) -> bool:
    """Rename each key that has another type than `expected`; say whether there was one.

    A script fails as a whole on such a key. What was in a sorted set of courses is found again by reconciliation.
    """
    renamed = False
    for key, wanted in expected.items():
        found = text(client.type(key))
        if found not in (wanted, "none"):
            client.rename(key, f"{key}{SET_ASIDE}")
            log.error(LogEvent.KEY_SET_ASIDE, key=key, expected=wanted, found=found)
            renamed = True
    return renamed


def with_right_types(client: redis.Redis, expected: Mapping[str, str], run: Callable[[], object]) -> object:
    """Return what the script answers. If a key has another type than `expected`, it is set aside and it runs again."""
    try:
        return run()
    except ResponseError as error:
        if "WRONGTYPE" not in str(error) or not set_aside_wrong_types(client, expected):
            raise
    return run()


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
