"""What was read from PowerSchool and stays good for a while, shared by all workers."""

from datetime import timedelta

import redis

from shared.adapters.http import exact_json
from shared.adapters.http.exact_json import Json
from shared.adapters.redis.keys import Keys


class JsonCache:
    """JSON values in Redis, each with a lifetime."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def get(self, what: str, of: str) -> Json:
        """Return what was put, None if it is not there (any more)."""
        text = self._redis.get(self._keys.cached(what, of))
        return None if text is None else exact_json.loads(text)

    def put(self, what: str, of: str, value: Json, max_age: timedelta) -> None:
        """Keep the value for `max_age`; not at all where that is zero."""
        if max_age > timedelta(0):
            self._redis.set(self._keys.cached(what, of), exact_json.dumps(value), px=max_age)
