"""When Canvas will end the token that passback uses, as Canvas said last."""

import hashlib
from datetime import datetime, timedelta

import redis

from shared.adapters.redis.cache import JsonCache
from shared.adapters.redis.keys import Keys

KIND = "canvas-token"
# Longer than the time between two searches of Canvas for courses, at which it is read.
STORED_FOR = timedelta(days=3)


class TokenEnd:
    """The end of one token. It is stored under a digest of the token, so that it does not count for the next one."""

    def __init__(self, client: redis.Redis, keys: Keys, token: str) -> None:
        self._cache = JsonCache(client, keys)
        # A token is long and random: its digest gives nothing away.
        self._of = hashlib.sha256(token.encode()).hexdigest()[:16]

    def record(self, ends_at: datetime | None) -> None:
        """Store when the token ends; None where it does not end, or nobody knows."""
        self._cache.put(KIND, self._of, ends_at.isoformat() if ends_at else None, STORED_FOR)

    def read(self) -> datetime | None:
        """Return when the token ends, None if that is not known."""
        stored = self._cache.get(KIND, self._of)
        return datetime.fromisoformat(stored) if isinstance(stored, str) else None
