"""Numbers that only grow, counted in Redis because every process counts and any of them is asked."""

from collections.abc import Mapping
from typing import cast

import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import text


class Counters:
    """Counters that all processes increment together: a hash per name."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def add(self, name: str, label: str, amount: int = 1) -> None:
        """Count `amount` more of `label` under `name`."""
        self._redis.hincrby(self._keys.counter(name), label, amount)

    def read(self, name: str) -> Mapping[str, int]:
        """Return what was counted under `name`, by label."""
        counted = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.counter(name)))
        return {text(label): int(number) for label, number in counted.items()}
