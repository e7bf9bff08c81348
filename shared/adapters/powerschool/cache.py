"""What was read from PowerSchool and stays good for a while, shared by all workers."""

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
    """JSON values in Redis, each with a lifetime."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def get(self, what: str, of: str) -> Json:
        """Return what was put, None if it is not there (any more)."""
        text = self._redis.get(self._keys.cached(what, of))
        return None if text is None else decimal_json.loads(text)

    def get_all(self, what: str, of: Collection[str]) -> dict[str, Json]:
        """Return those of the values that are there, by what they are of."""
        if not of:
            return {}
        texts = cast("list[bytes | None]", self._redis.mget([self._keys.cached(what, one) for one in of]))
        return {one: decimal_json.loads(text) for one, text in zip(of, texts, strict=True) if text is not None}

    def put(self, what: str, of: str, value: Json, max_age: timedelta) -> None:
        """Keep the value for `max_age`; not at all where that is zero."""
        if max_age > timedelta(0):
            self._redis.set(self._keys.cached(what, of), decimal_json.dumps(value), px=max_age)

    def put_all(self, what: str, values: Iterable[tuple[str, Json]], max_age: timedelta) -> None:
        """Keep many values, each with what it is of, in one exchange with Redis for every few hundred.

        The values are taken one after the other, also where nothing is kept.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for number, (of, value) in enumerate(values, 1):
                if max_age <= timedelta(0):
                    continue
                pipeline.set(self._keys.cached(what, of), decimal_json.dumps(value), px=max_age)
                if number % PIPELINED == 0:
                    pipeline.execute()
            pipeline.execute()
