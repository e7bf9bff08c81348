"""The public keys that Canvas signs Live Events with, fetched when needed and cached."""

import asyncio
import json
from datetime import datetime, timedelta

import httpx
from jwt import PyJWK

from shared.adapters.http.exchange import ENCODINGS, BodyTooLarge, read_body_async
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.errors import ServiceUnavailable
from shared.events.signatures import keys_by_id

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
    """The `JwksKeys` behind a JWKS address.

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
