"""Whether Redis keeps what it is given: a worker that could lose work does not start."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as TimedOut

from shared.config import PREFIX, ConfigurationError, Settings
from shared.log_events import LogEvent

log = structlog.get_logger()

TRY_AGAIN_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Trait:
    """A setting of Redis that decides whether it may lose work. `value` is None where the server does not show it."""

    name: str
    value: str | None
    danger: str
    fix: str

    @property
    def is_dangerous(self) -> bool:
        """Say whether Redis, set like this, may lose work."""
        return bool(self.danger)


def durability(redis: Redis, settings: Settings) -> list[Trait]:
    """Return what Redis says about keeping data. Raises redis-py's errors if it does not answer."""
    redis.ping()
    return list(_traits(redis, settings))


def _traits(redis: Redis, settings: Settings) -> Iterator[Trait]:
    policy = _shown(redis, "maxmemory-policy")
    evicts = policy not in ("noeviction", None)
    yield Trait(
        "maxmemory-policy", policy, "Redis may drop changes when its memory is full" if evicts else "",
        "Set maxmemory-policy noeviction in redis.conf.",
    )  # fmt: skip
    durable = _shown(redis, "appendonly")
    forgets = durable == "no" and not settings.allow_volatile_redis
    yield Trait(
        "appendonly", durable, "a restart of Redis loses changes and links" if forgets else "",
        f"Set appendonly yes in redis.conf, or {PREFIX}ALLOW_VOLATILE_REDIS=yes where losing work does not matter.",
    )  # fmt: skip


def await_durable_redis(redis: Redis, settings: Settings, pause: Callable[[float], None] = time.sleep) -> None:
    """Return once Redis answers and keeps what it is given; tries on while it does not answer.

    Raises `ConfigurationError` if Redis is set up so that it can lose work, or refuses the credentials. A server that
    hides its settings, as managed ones do, is trusted with a warning.
    """
    while True:
        try:
            traits = durability(redis, settings)
        except (ConnectionFailed, TimedOut) as error:
            if _refuses_us(error):
                raise ConfigurationError(
                    f"Redis refuses the user or password of {PREFIX}REDIS_URL, or forbids it PING: correct the URL, "
                    "percent-encoding special characters, or the user's ACL"
                ) from None
            # Ending here would only make a supervisor start this process again and again.
            log.warning(LogEvent.REDIS_CONNECT_RETRY, error=type(error).__name__)
            pause(TRY_AGAIN_AFTER_S)
        else:
            _refuse(traits)
            return


def _refuses_us(error: BaseException | None) -> bool:
    """Say whether it is the credentials that Redis does not take, whatever wraps that answer."""
    while error is not None:
        if isinstance(error, AuthenticationError | NoPermissionError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refuse(traits: list[Trait]) -> None:
    dangers = [f"Redis has {t.name} {t.value}: {t.danger}. {t.fix}" for t in traits if t.is_dangerous]
    if dangers:
        raise ConfigurationError("\n".join(dangers))
    hidden = [trait.name for trait in traits if trait.value is None]
    if hidden:
        log.warning(LogEvent.REDIS_CONFIG_UNREADABLE, settings=hidden)


def _shown(redis: Redis, name: str) -> str | None:
    """Return a setting of Redis, None where the server does not show it."""
    try:
        answer = redis.config_get(name)
    except (ConnectionFailed, TimedOut):
        raise
    except RedisError:
        return None
    value = answer.get(name)
    return None if value is None else str(value)
