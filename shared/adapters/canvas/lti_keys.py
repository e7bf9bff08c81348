"""The public keys that Canvas signs launches with: fetched when needed, cached for all web processes in Redis."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
from jwt import PyJWK

from shared.adapters.http.exchange import BodyTooLarge, deadline, read_body
from shared.adapters.redis.operations.lti import LtiStore
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.errors import ServiceUnavailable
from shared.events.signatures import keys_by_id

FETCH_TIMEOUT_S = 5.0
MAX_AGE = timedelta(hours=1)
MIN_FETCH_INTERVAL = timedelta(minutes=1)
MIN_RETRY_INTERVAL = timedelta(seconds=5)
MAX_BYTES = 64_000


class LaunchKeys:
    """The keys of one Canvas. Those that cannot be fetched again stay in use for a day."""

    def __init__(self, http: Callable[[], httpx.Client], url: str, store: LtiStore, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()

    def key(self, key_id: str) -> PyJWK | None:
        """Return the key of this id, None if Canvas lists none such. Raises: ServiceUnavailable, RedisError."""
        keys, is_fresh, _ = self._cached()
        if key_id in keys and is_fresh:
            return keys[key_id]
        # Launches that need the same fetch wait for it.
        with self._lock:
            return self._key(key_id)

    def _key(self, key_id: str) -> PyJWK | None:
        keys, is_fresh, is_recent = self._cached()
        if key_id in keys and is_fresh:
            return keys[key_id]
        if self._store.may_fetch(self._url, MIN_FETCH_INTERVAL):
            fetched = self._fetch()
            if fetched is not None:
                return fetched.get(key_id)
        if key_id in keys:
            return keys[key_id]
        if is_recent:
            return None
        raise ServiceUnavailable("GET jwks: no key set", cause=Cause.JWKS_UNAVAILABLE, delay=MIN_RETRY_INTERVAL)

    def _cached(self) -> tuple[dict[str, PyJWK], bool, bool]:
        """Return the cached keys; whether they need no fetch; whether they are as new as a fetch could be."""
        stored = self._store.key_set(self._url)
        if stored is None:
            return {}, False, False
        key_set, at = stored
        age = self._clock.now() - at
        return keys_by_id(json.loads(key_set)), age < MAX_AGE, age < MIN_FETCH_INTERVAL

    def _fetch(self) -> dict[str, PyJWK] | None:
        """Return the keys that Canvas lists now, None if it does not answer with any."""
        now = self._clock.now()
        try:
            # Fetches are seldom: no connection is kept for the next one.
            with self._http() as http, deadline(FETCH_TIMEOUT_S), http.stream("GET", self._url) as response:
                key_set = json.loads(read_body(response.raise_for_status(), MAX_BYTES))
        except (httpx.HTTPError, ValueError, RecursionError, BodyTooLarge):
            # Not swallowed: `_key` raises `ServiceUnavailable` for a key that is not cached.
            key_set = None
        keys = keys_by_id(key_set) if isinstance(key_set, dict) else {}
        if not keys:
            self._store.allow_fetch_after(self._url, MIN_RETRY_INTERVAL)
            return None
        self._save(key_set, now)
        return keys

    def _save(self, key_set: object, at: datetime) -> None:
        self._store.save_key_set(self._url, json.dumps(key_set), at)
