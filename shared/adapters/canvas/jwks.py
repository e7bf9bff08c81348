"""The public keys that Canvas signs Live Events with, fetched when needed and remembered."""

import asyncio
from datetime import datetime, timedelta

import httpx
from jwt import PyJWK

from shared.clock import Clock
from shared.errors import SystemUnwell
from shared.events.signatures import keys_by_id

FETCH_TIMEOUT_S = 5.0
BETWEEN_FETCHES = timedelta(seconds=30)
BETWEEN_FAILED_FETCHES = timedelta(seconds=5)
MAX_AGE = timedelta(hours=12)


class JwksKeys:
    """The `SigningKeys` behind a JWKS address.

    Canvas rotates monthly and lists previous, current and next key. An unknown id causes one fetch that all askers
    share, and the next one only after a pause, so that forged ids cause no traffic. Keys that cannot be fetched
    again stay in use.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, clock: Clock) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._next_fetch_at: datetime | None = None
        self._last_fetch_failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> PyJWK | None:
        """Return the key of this id, None if Canvas lists none such.

        Raises: SystemUnwell, while the list cannot be had and the id is not among the keys remembered.
        """
        key = self._keys.get(key_id)
        if key is not None:
            self._refresh_if_old()
            return key
        if self._may_fetch():
            # Shielded: the fetch is shared, and one asker that hangs up must not end it for the others.
            await asyncio.shield(self._fetch_once())
        key = self._keys.get(key_id)
        if key is None and self._last_fetch_failed:
            raise SystemUnwell("GET jwks: no key set", cause="jwks_unavailable", delay=BETWEEN_FAILED_FETCHES)
        return key

    async def close(self) -> None:
        """End a fetch under way. The HTTP client stays its owner's to close."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _refresh_if_old(self) -> None:
        """Start a fetch in the background once the keys are old, so that withdrawn keys go out of use."""
        if self._fetched_at is not None and self._clock.now() - self._fetched_at > MAX_AGE and self._may_fetch():
            self._fetch_once()

    def _may_fetch(self) -> bool:
        under_way = self._fetching is not None
        return under_way or self._next_fetch_at is None or self._clock.now() >= self._next_fetch_at

    def _fetch_once(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                keys = await self._listed_keys()
        except (httpx.HTTPError, TimeoutError, ValueError):
            # Not swallowed: whoever asks for a key that is not remembered gets `SystemUnwell`.
            keys = {}
        finally:
            self._fetching = None
        now = self._clock.now()
        self._last_fetch_failed = not keys
        self._next_fetch_at = now + (BETWEEN_FETCHES if keys else BETWEEN_FAILED_FETCHES)
        if keys:
            self._keys, self._fetched_at = keys, now

    async def _listed_keys(self) -> dict[str, PyJWK]:
        response = await self._http.get(self._url)
        response.raise_for_status()
        key_set = response.json()
        return keys_by_id(key_set) if isinstance(key_set, dict) else {}
