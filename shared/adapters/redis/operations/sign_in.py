"""What the sign-in stores in Redis: sessions, the secret of their tokens, and how often somebody guessed wrong."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta

import redis

from shared.adapters.redis.client import load_script, milliseconds, text
from shared.adapters.redis.keys import Keys

MAX_FAILED_LOGINS = 10
MAX_FAILED_LOGINS_OF_SENDER = 30
MAX_FAILED_LOGINS_OF_ACCOUNT = 100
FAILED_LOGINS_TTL = timedelta(minutes=10)
KNOWN_SENDER_TTL = timedelta(days=30)


def session_secret(client: redis.Redis, keys: Keys) -> str:
    """Return the secret that all web processes make form tokens and digests with; the first one makes it."""
    client.set(keys.session_secret, secrets.token_urlsafe(32), nx=True)
    stored = client.get(keys.session_secret)
    assert stored is not None, "Redis forgot what it was given a moment ago"
    return text(stored)


class SessionStore:
    """The sessions of everybody who signed in by password, by the digests of their ids."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def save(self, session_id: str, fields: Mapping[str, str], lifetime: timedelta) -> None:
        """Store a session, which ends by itself."""
        key = self._key(session_id)
        pipeline = self._redis.pipeline()
        pipeline.hset(key, items=[each for field in fields.items() for each in field])
        pipeline.pexpire(key, lifetime)
        pipeline.execute()

    def find(self, session_id: str) -> dict[str, str]:
        """Return the session's fields, none of one that ended or never was."""
        return {text(name): text(value) for name, value in self._redis.hgetall(self._key(session_id)).items()}

    def end(self, session_id: str) -> None:
        """End a session; safe to repeat."""
        self._redis.delete(self._key(session_id))

    def _key(self, session_id: str) -> str:
        # Who reads Redis finds no cookie there.
        return self._keys.session(_digest(session_id))


class LoginThrottle:
    """Counts attempts to sign in before they are checked, over all processes together.

    They are counted by account and sender, by account, and by sender; a right password clears the first alone.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._count = load_script(client, "operations/count_failed_login")
        self._forgive = load_script(client, "operations/forget_failed_login")

    def count(self, account: str, sender: str) -> timedelta | None:
        """Count an attempt, which may be checked then; else return how long the sender has to wait."""
        limits = (MAX_FAILED_LOGINS, MAX_FAILED_LOGINS_OF_ACCOUNT, MAX_FAILED_LOGINS_OF_SENDER)
        lifetime = milliseconds(FAILED_LOGINS_TTL)
        wait = int(self._count(keys=self._names(account, sender), args=[*limits, lifetime], client=self._redis))
        return timedelta(milliseconds=wait) if wait else None

    def forgive(self, account: str, sender: str) -> None:
        """Take an attempt back that was right."""
        lifetime = milliseconds(KNOWN_SENDER_TTL)
        self._forgive(keys=self._names(account, sender), args=[lifetime], client=self._redis)

    def _names(self, account: str, sender: str) -> list[str]:
        both, known = _digest(f"{account} {sender}"), _digest(f"known {account} {sender}")
        counted = (both, _digest(f"account {account}"), _digest(f"sender {sender}"))
        return [*(self._keys.guesses(each) for each in counted), self._keys.known_sender(known)]


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:32]
