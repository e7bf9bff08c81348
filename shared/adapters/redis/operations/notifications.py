"""What was told to whom, in Redis: one value, changed by whoever holds the lease."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec
import redis

from shared.adapters.redis.client import load_script, milliseconds
from shared.adapters.redis.keys import Keys
from shared.domain.causes import Cause
from shared.domain.notifications.state import NotificationState
from shared.errors import TransientError

# Longer than one delivery takes; each save renews it.
LEASE_DURATION = timedelta(minutes=2)
_DECODER = msgspec.json.Decoder(NotificationState)


class Notifications:
    """Stores the state of notifications. Of several processes that check at the same time, one may save."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.notifications
        self._lease = keys.notifications_lease
        self._save = load_script(client, "operations/save_notifications")
        self._release = load_script(client, "compare_and_delete")

    def read(self) -> NotificationState:
        """Return what is stored; nothing, where there is nothing or another version stored what this cannot read."""
        stored = self._redis.get(self._key)
        if stored is None:
            return NotificationState()
        try:
            return _DECODER.decode(stored)
        except msgspec.ValidationError:
            # What is open is told once more: better than never.
            return NotificationState()

    @contextmanager
    def lease(self) -> Iterator[str | None]:
        """Yield the token of the lease, None if another process has it. Its holder's death ends it in minutes."""
        token = secrets.token_hex(8)
        if not self._redis.set(self._lease, token, nx=True, px=milliseconds(LEASE_DURATION)):
            yield None
            return
        try:
            yield token
        finally:
            self._release(keys=[self._lease], args=[token])

    def save(self, state: NotificationState, token: str) -> None:
        """Store the state and renew the lease. Raises `TransientError` if the token has no lease any more."""
        stored = self._save(
            keys=[self._key, self._lease], args=[token, msgspec.json.encode(state), milliseconds(LEASE_DURATION)]
        )
        if not stored:
            raise TransientError("lease of notifications lost", cause=Cause.LEASE_LOST)
