"""Changes whose course could not be told, in Redis. `fold` adds them."""

from datetime import datetime
from typing import cast

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import epoch_ms, time_at


class UnknownChanges:
    """Stores changes whose course is unknown. Reconciliation visits every course because of them.

    Each counts once, with the time of its newest message.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.unknown

    def count(self) -> int:
        """Return how many are open."""
        return self._redis.zcard(self._key)

    def oldest_at(self) -> datetime | None:
        """Return when the oldest open one was heard, None if there is none."""
        first = cast("list[tuple[bytes, float]]", self._redis.zrange(self._key, 0, 0, withscores=True))
        return time_at(first[0][1]) if first else None

    def discard_before(self, moment: datetime) -> int:
        """Forget those heard before `moment`, since every course was visited after it. Returns how many."""
        return self._redis.zremrangebyscore(self._key, "-inf", f"({epoch_ms(moment)}")
