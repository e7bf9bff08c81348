"""What receivers remember in Redis beside the streams: webhooks already stored, and that rosters changed."""

import hashlib
from datetime import timedelta

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import clock_ms
from shared.errors import ServiceUnavailable

RETRY_AFTER = timedelta(seconds=5)

# A webhook's timestamp is accepted for five minutes to either side of now: after ten, it is refused by its age.
WEBHOOK_TTL = timedelta(minutes=10)


class WebhookIds:
    """The ids of webhooks that were stored while a repetition of theirs would still be accepted."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def contain(self, webhook_id: str) -> bool:
        """Say whether the webhook was stored. Raises: ServiceUnavailable."""
        try:
            return bool(await self._redis.exists(self._key(webhook_id)))
        except (RedisError, OSError) as error:
            raise _unavailable("EXISTS", error) from error

    async def add(self, webhook_id: str) -> None:
        """Remember that the webhook was stored. Raises: ServiceUnavailable."""
        try:
            await self._redis.set(self._key(webhook_id), 1, ex=WEBHOOK_TTL)
        except (RedisError, OSError) as error:
            raise _unavailable("SET", error) from error

    def _key(self, webhook_id: str) -> str:
        # The id is the sender's text: its digest keeps the key short and free of whatever is in it.
        return self._keys.webhook_seen(hashlib.sha256(webhook_id.encode()).hexdigest())


class RosterChangeFlag:
    """That PowerSchool said its rosters changed; a hint however often it is given."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def add(self) -> None:
        """Remember that rosters changed just now. Raises: ServiceUnavailable."""
        try:
            await self._redis.set(self._keys.roster_changed_at, clock_ms(await self._redis.time()))
        except (RedisError, OSError) as error:
            raise _unavailable("SET", error) from error


def _unavailable(command: str, error: Exception) -> ServiceUnavailable:
    return ServiceUnavailable(f"{command}: {type(error).__name__}", cause="redis_unavailable", delay=RETRY_AFTER)
