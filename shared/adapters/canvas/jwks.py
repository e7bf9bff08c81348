"""The public keys that Canvas signs with: Live Events in memory, launches in Redis for all web processes.

And the Canvas from which launches come: its issuer, and where it authorizes them and publishes its keys.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from jwt import PyJWK

from shared.adapters.http.exchange import ENCODINGS, BodyTooLarge, deadline, read_body, read_body_async
from shared.adapters.redis.operations.lti import LtiStore
from shared.clock import Clock
from shared.config import Settings, origin
from shared.domain.causes import Cause
from shared.errors import ServiceUnavailable
from shared.events import keys_by_id

FETCH_TIMEOUT_S = 5.0
# Unknown key ids cause at most this many fetches at once, and then one per interval. Each fetch returns every new key,
# so that a sender who invents ids delays a rotated key by one interval at most.
FETCH_BURST = 5
MIN_FETCH_INTERVAL = timedelta(seconds=30)
MIN_RETRY_INTERVAL = timedelta(seconds=5)
MAX_AGE = timedelta(hours=12)
# Canvas lists three keys, each of less than 1,000 bytes.
MAX_BYTES = 64_000


class JwksKeys:
    """The keys of Live Events that a JWKS address lists.

    Canvas rotates monthly and lists previous, current and next key. An unknown id causes one fetch that all callers
    share. Fetches have a budget (a burst, then one per interval), so that forged ids cause little traffic. While the
    budget is spent, an unknown id and a new one look alike. Keys that cannot be fetched again stay in use.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._budget_full_at: datetime | None = None
        self._failed_until: datetime | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> PyJWK | None:
        """Return the key of this id, None if Canvas lists none such now.

        Raises: ServiceUnavailable, with the time to wait, while that cannot be looked up.
        """
        key = self._keys.get(key_id)
        if key is not None:
            self._refresh_if_old()
            return key
        wait = self._wait_for_fetch()
        if wait > timedelta(0):
            raise ServiceUnavailable("GET jwks: fetched too often", cause=Cause.JWKS_UNAVAILABLE, delay=wait)
        # Shielded: the fetch is shared, and one caller that hangs up must not end it for the others.
        await asyncio.shield(self._fetch_once())
        key = self._keys.get(key_id)
        if key is None and self._failed_until is not None:
            raise ServiceUnavailable("GET jwks: no key set", cause=Cause.JWKS_UNAVAILABLE, delay=MIN_RETRY_INTERVAL)
        return key

    async def close(self) -> None:
        """Cancel a fetch under way. The HTTP client is closed by its owner."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _refresh_if_old(self) -> None:
        """Start a fetch in the background once the keys are old, so that withdrawn keys go out of use."""
        is_old = self._fetched_at is not None and self._clock.now() - self._fetched_at > MAX_AGE
        if is_old and self._wait_for_fetch() <= timedelta(0):
            self._fetch_once()

    def _wait_for_fetch(self) -> timedelta:
        """Return how long the next fetch has to wait; zero or less where one is under way or allowed."""
        now = self._clock.now()
        if self._fetching is not None:
            return timedelta(0)
        if self._failed_until is not None:
            return self._failed_until - now
        if self._budget_full_at is None:
            return timedelta(0)
        # A fetch moves the time at which the budget is full again by one interval.
        return self._budget_full_at - now - (FETCH_BURST - 1) * MIN_FETCH_INTERVAL

    def _fetch_once(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                keys = await self._listed_keys()
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError, BodyTooLarge):
            # Not swallowed: `key` raises `ServiceUnavailable` for a key that is not cached.
            keys = {}
        finally:
            self._fetching = None
        now = self._clock.now()
        if not keys:
            self._failed_until = now + MIN_RETRY_INTERVAL
            return
        self._failed_until = None
        self._budget_full_at = max(now, self._budget_full_at or now) + MIN_FETCH_INTERVAL
        self._keys, self._fetched_at = keys, now

    async def _listed_keys(self) -> dict[str, PyJWK]:
        """Return the keys. Raises what `_fetch` handles."""
        async with self._http.stream("GET", self._url, headers={"Accept-Encoding": ENCODINGS}) as response:
            key_set = json.loads(await read_body_async(response.raise_for_status(), MAX_BYTES))
        return keys_by_id(key_set) if isinstance(key_set, dict) else {}


LAUNCH_KEYS_MAX_AGE = timedelta(hours=1)
LAUNCH_KEYS_INTERVAL = timedelta(minutes=1)


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
        if self._store.may_fetch(self._url, LAUNCH_KEYS_INTERVAL):
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
        return keys_by_id(json.loads(key_set)), age < LAUNCH_KEYS_MAX_AGE, age < LAUNCH_KEYS_INTERVAL

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
        self._store.save_key_set(self._url, json.dumps(key_set), now)
        return keys


INSTRUCTURE_HOSTS = {
    "https://canvas.instructure.com": "https://sso.canvaslms.com",
    "https://canvas.beta.instructure.com": "https://sso.beta.canvaslms.com",
    "https://canvas.test.instructure.com": "https://sso.test.canvaslms.com",
}


@dataclass(frozen=True, slots=True)
class Platform:
    """A Canvas, as launches name it. Source: Canvas, "LTI launch overview"."""

    issuer: str
    host: str

    @property
    def authorization_url(self) -> str:
        """Return where the browser gets its launch."""
        return f"{self.host}/api/lti/authorize_redirect"

    @property
    def keys_url(self) -> str:
        """Return where the keys are that verify launches."""
        return f"{self.host}/api/lti/security/jwks"

    @property
    def storage_origin(self) -> str:
        """Return the only origin that may answer a message about stored data: the authorization endpoint's."""
        return origin(self.host)


def platform_of(settings: Settings) -> Platform:
    """Return the Canvas of these settings: every district of Instructure's cloud has the same."""
    host = settings.lti_platform_url or INSTRUCTURE_HOSTS.get(settings.lti_issuer) or settings.canvas_url
    return Platform(settings.lti_issuer, host)
