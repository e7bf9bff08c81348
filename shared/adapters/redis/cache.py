"""Values read from Canvas and PowerSchool, cached in Redis for all workers."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import cast

import redis

from shared.adapters.http import decimal_json
from shared.adapters.http.decimal_json import Json
from shared.adapters.redis.keys import Keys

# A section is a few kilobytes: this many at once stay far below what a Redis buffers for a client.
PIPELINED = 200


class JsonCache:
    """JSON values by kind and id, each with a lifetime."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def get(self, kind: str, of: str) -> Json:
        """Return the value, None if there is none (any more)."""
        text = self._redis.get(self._keys.cached(kind, of))
        return None if text is None else decimal_json.loads(text)

    def get_all(self, kind: str, of: Collection[str]) -> dict[str, Json]:
        """Return those of the values that there are, by id."""
        if not of:
            return {}
        texts = cast("list[bytes | None]", self._redis.mget([self._keys.cached(kind, one) for one in of]))
        return {one: decimal_json.loads(text) for one, text in zip(of, texts, strict=True) if text is not None}

    def put(self, kind: str, of: str, value: Json, max_age: timedelta) -> None:
        """Cache the value for `max_age`; not at all where that is zero."""
        self.put_all(kind, [(of, value)], max_age)

    def put_all(self, kind: str, values: Iterable[tuple[str, Json]], max_age: timedelta) -> None:
        """Cache many values by id, in one exchange with Redis for every few hundred.

        The values are taken one after the other, also where nothing is cached.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for number, (of, value) in enumerate(values, 1):
                if max_age <= timedelta(0):
                    continue
                pipeline.set(self._keys.cached(kind, of), decimal_json.dumps(value), px=max_age)
                if number % PIPELINED == 0:
                    pipeline.execute()
            pipeline.execute()
