"""The queue that signs Live Events and posts them to a receiver, one per request, as reliably as its settings say.

Source: canvas-lms doc/api/data_services: success is any 2xx within 15 s, else up to three retries with backoff, then
the event is gone; events are not sequenced and may repeat. "Data service setup": RS256, a set of previous, current and
next key, rotated every month; the middle key signs. The issuer is what public receivers saw.
"""

import asyncio
import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from pydantic import Field

from shared.clock import Clock
from shared.sandbox.canvas.live_events.envelope import LiveEvent
from shared.sandbox.faults import Strict

ISSUER: Final = "https://live-events.canvas.instructure.com"
TIMEOUT: Final = timedelta(seconds=15)
LOGGED_DELIVERIES: Final = 100_000
IN_FLIGHT: Final = 8
REORDER_WAIT_S: Final = 0.05


class EventSettings(Strict):
    """Where events go, and what happens to them on the way. Rates are between 0 and 1.

    `reorder` is how many events may overtake each other; `delay_s` holds every event back. `token_in_url` makes
    `metadata.url` carry an access token.
    """

    target: str | None = None
    signed: bool = False
    drop: float = Field(default=0, ge=0, le=1)
    duplicate: float = Field(default=0, ge=0, le=1)
    reorder: int = Field(default=0, ge=0)
    delay_s: float = Field(default=0, ge=0)
    retry_waits_s: list[float] = Field(default_factory=lambda: [0.2, 0.5, 1.0], max_length=3)
    token_in_url: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Delivery:
    """How the delivery of one event ended. `tries` 0: dropped on purpose. `status` None: no answer came."""

    at: datetime
    event_name: str
    course_id: int
    status: int | None
    tries: int


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its name."""

    kid: str
    private_key: rsa.RSAPrivateKey = field(repr=False)

    @cached_property
    def public_jwk(self) -> dict[str, Any]:
        """The public half, as a set publishes it."""
        jwk: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.private_key.public_key()))
        return jwk | {"kid": self.kid, "alg": "RS256", "use": "sig"}


@dataclass
class KeyRing:
    """Previous, current and next key; made on first use, since that takes time."""

    clock: Clock
    _made: int = 0
    _keys: list[SigningKey] = field(default_factory=list)

    def jwks(self) -> dict[str, Any]:
        """Return the public key set."""
        return {"keys": [key.public_jwk for key in self._three()]}

    def rotate(self) -> dict[str, Any]:
        """Retire the previous key, sign with the next one from now on, and return the new set."""
        self._keys = [*self._three()[1:], self._new()]
        return self.jwks()

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._three()[1]

    def sign(self, claims: dict[str, Any]) -> str:
        """Return the claims as a compact JWT."""
        return jwt.encode(claims, self.current.private_key, algorithm="RS256", headers={"kid": self.current.kid})

    def _three(self) -> list[SigningKey]:
        while len(self._keys) < 3:
            self._keys.append(self._new())
        return self._keys

    def _new(self) -> SigningKey:
        self._made += 1
        return SigningKey(f"sandbox-key-{self._made}", rsa.generate_private_key(public_exponent=65537, key_size=2048))


@dataclass
class DeliveryQueue:
    """Takes events from any thread and delivers them while its task runs, on one event loop in its life."""

    clock: Clock
    keys: KeyRing
    transport: httpx.AsyncBaseTransport | None = None
    settings: EventSettings = field(default_factory=EventSettings)
    log: deque[Delivery] = field(default_factory=lambda: deque(maxlen=LOGGED_DELIVERIES))

    def __post_init__(self) -> None:
        self._waiting: deque[LiveEvent] = deque()
        self._in_flight = 0
        self._wake, self._settled = asyncio.Event(), asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rng = random.Random(self.settings.seed)

    def configure(self, settings: EventSettings) -> None:
        """Use these settings from the next event on, and restart the random generator."""
        self.settings = settings
        self._rng = random.Random(settings.seed)

    def put(self, event: LiveEvent) -> None:
        """Queue an event; without a target nobody subscribed, and it is dropped."""
        if self.settings.target is None:
            return
        self._waiting.append(event)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    @property
    def outstanding(self) -> int:
        """How many events are waiting or under way."""
        return len(self._waiting) + self._in_flight

    async def drained(self) -> None:
        """Return once nothing is waiting or under way; the queue must be running."""
        while self.outstanding:
            self._settled.clear()
            await self._settled.wait()

    async def run(self) -> None:
        """Deliver until cancelled. What is waiting then stays for the next run."""
        self._loop = asyncio.get_running_loop()
        slots = asyncio.Semaphore(IN_FLIGHT)
        try:
            # Proxies of the environment have no business between two processes of one machine.
            async with (
                httpx.AsyncClient(timeout=TIMEOUT.total_seconds(), transport=self.transport, trust_env=False) as client,
                asyncio.TaskGroup() as deliveries,
            ):
                while True:
                    for event in await self._next_events():
                        await slots.acquire()
                        deliveries.create_task(self._deliver(client, event, slots))
        finally:
            self._loop = None

    async def _next_events(self) -> list[LiveEvent]:
        """Wait for events and return some of them: shuffled, repeated and dropped as the settings say."""
        self._wake.clear()
        if not self._waiting:
            await self._wake.wait()
        if self.settings.reorder > 1 and len(self._waiting) < self.settings.reorder:
            await asyncio.sleep(REORDER_WAIT_S)
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), max(1, self.settings.reorder)))]
        events = [event for taken in batch for event in self._copies(taken)]
        self._rng.shuffle(events)
        self._in_flight += len(events)
        self._settled.set()
        return events

    def _copies(self, event: LiveEvent) -> Iterator[LiveEvent]:
        if self._rng.random() < self.settings.drop:
            self._log(event, None, 0)
            return
        yield event
        if self._rng.random() < self.settings.duplicate:
            yield event

    async def _deliver(self, client: httpx.AsyncClient, event: LiveEvent, slots: asyncio.Semaphore) -> None:
        try:
            await asyncio.sleep(self.settings.delay_s)
            status, tries = await self._try_to_deliver(client, event)
            self._log(event, status, tries)
        finally:
            self._in_flight -= 1
            self._settled.set()
            slots.release()

    async def _try_to_deliver(self, client: httpx.AsyncClient, event: LiveEvent) -> tuple[int | None, int]:
        status, tries = await self._post(client, event), 1
        for wait in self.settings.retry_waits_s:
            if status is not None and 200 <= status < 300:
                break
            await asyncio.sleep(wait)
            status, tries = await self._post(client, event), tries + 1
        return status, tries

    async def _post(self, client: httpx.AsyncClient, event: LiveEvent) -> int | None:
        """Return the status of one try; a retry is signed anew."""
        content, kind = json.dumps(event.payload), "application/json"
        if self.settings.signed:
            # The claims are the event itself.
            claims = {"iss": ISSUER, "iat": int(self.clock.now().timestamp())} | event.payload
            content, kind = self.keys.sign(claims), "application/jwt"
        try:
            response = await client.post(self.settings.target or "", content=content, headers={"Content-Type": kind})
        except httpx.TransportError:
            return None
        return response.status_code

    def _log(self, event: LiveEvent, status: int | None, tries: int) -> None:
        self.log.append(Delivery(self.clock.now(), event.name, event.course_id, status, tries))
