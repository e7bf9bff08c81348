"""Checks that Redis is durable. A worker that could lose work does not start."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as TimedOut

from shared.config import PREFIX, ConfigurationError, Settings
from shared.log_events import LogEvent

log = structlog.get_logger()

RETRY_INTERVAL_S = 2.0
TRAITS = ("maxmemory-policy", "appendonly")
"""The settings of Redis that decide whether it may lose work."""


@dataclass(frozen=True, slots=True)
class RedisSettingCheck:
    """A setting of Redis that decides whether it may lose work.

    `value` is None where the server hides it. `danger` and `fix` are texts; without danger the former is empty.
    """

    name: str
    value: str | None
    danger: str
    fix: str


def durability(redis: Redis, settings: Settings) -> list[RedisSettingCheck]:
    """Return the checks of the settings that make Redis durable. Raises redis-py's errors if it does not answer."""
    redis.ping()
    policy, append_only = (_config_value(redis, name) for name in TRAITS)
    evicts = policy not in ("noeviction", None)
    eviction = RedisSettingCheck(
        TRAITS[0], policy, "Redis may drop changes when its memory is full" if evicts else "",
        "Set maxmemory-policy noeviction in redis.conf.",
    )  # fmt: skip
    is_volatile = append_only == "no" and not settings.allow_volatile_redis
    persistence = RedisSettingCheck(
        TRAITS[1], append_only, "a restart of Redis loses changes and links" if is_volatile else "",
        f"Set appendonly yes in redis.conf, or {PREFIX}ALLOW_VOLATILE_REDIS=yes where losing work does not matter.",
    )  # fmt: skip
    return [eviction, persistence]


def wait_for_durable_redis(
    redis: Redis,
    settings: Settings,
    sleep: Callable[[float], None] = time.sleep,
    *,
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """Return once Redis answers, is durable, and `prepare` succeeded. Retry while it does not answer.

    Raises `ConfigurationError` if Redis can lose work by its settings, or refuses the credentials. For a server that
    hides its settings, as managed ones do, only log a warning.
    """
    while True:
        try:
            checks = durability(redis, settings)
            prepare()
        except (ConnectionFailed, TimedOut) as error:
            if is_access_denied(error):
                raise ConfigurationError(
                    f"Redis refuses the user or password of {PREFIX}REDIS_URL, or forbids it PING: correct the URL, "
                    "percent-encoding special characters, or the user's ACL"
                ) from None
            # Exiting would only make a supervisor start this process again and again.
            log.warning(LogEvent.REDIS_CONNECT_RETRY, error=type(error).__name__)
            sleep(RETRY_INTERVAL_S)
        else:
            _raise_if_dangerous(checks)
            return


def is_access_denied(error: BaseException | None) -> bool:
    """Say whether Redis refuses the credentials, whatever exception wraps that."""
    while error is not None:
        if isinstance(error, AuthenticationError | NoPermissionError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _raise_if_dangerous(checks: list[RedisSettingCheck]) -> None:
    dangers = [f"Redis has {c.name} {c.value}: {c.danger}. {c.fix}" for c in checks if c.danger]
    if dangers:
        raise ConfigurationError("\n".join(dangers))
    hidden = [check.name for check in checks if check.value is None]
    if hidden:
        log.warning(LogEvent.REDIS_CONFIG_UNREADABLE, settings=hidden)


def _config_value(redis: Redis, name: str) -> str | None:
    """Return a setting of Redis, None where the server hides it."""
    try:
        values = redis.config_get(name)
    except (ConnectionFailed, TimedOut):
        raise
    except RedisError:
        return None
    value = values.get(name)
    return None if value is None else str(value)
