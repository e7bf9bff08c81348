"""What the sign-in keeps in Redis: the secret that signs sessions, and how often an address guessed wrong."""

import hashlib
import secrets
from datetime import timedelta

import redis

from shared.adapters.redis.answers import text
from shared.adapters.redis.keys import Keys

MOST_GUESSES = 10
GUESSES_REMEMBERED = timedelta(minutes=10)


def session_secret(client: redis.Redis, keys: Keys) -> str:
    """Return the secret that all web processes sign sessions with; the first one makes it."""
    client.set(keys.session_secret, secrets.token_urlsafe(32), nx=True)
    kept = client.get(keys.session_secret)
    assert kept is not None, "Redis forgot what it was given a moment ago"
    return text(kept)


class Guesses:
    """Counts wrong passwords by the address that they come from, over all web processes together."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def wait_for(self, address: str) -> timedelta | None:
        """Return how long the address has to wait before it may guess again, None if it may now."""
        key = self._key(address)
        if int(self._redis.get(key) or 0) < MOST_GUESSES:
            return None
        return timedelta(seconds=max(1, int(self._redis.ttl(key))))

    def note_wrong(self, address: str) -> None:
        """Count a wrong password; ten minutes after the last one they are forgotten."""
        key = self._key(address)
        pipeline = self._redis.pipeline()
        pipeline.incr(key)
        pipeline.expire(key, GUESSES_REMEMBERED)
        pipeline.execute()

    def forget(self, address: str) -> None:
        """Forget the guesses of somebody who knew the password."""
        self._redis.delete(self._key(address))

    def _key(self, address: str) -> str:
        return self._keys.guesses(hashlib.sha256(address.encode()).hexdigest()[:32])
