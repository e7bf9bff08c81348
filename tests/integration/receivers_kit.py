"""Receivers to send to without a network: real endpoints, generated keys, and a writer in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt import PyJWK
from jwt.algorithms import RSAAlgorithm
from starlette.types import ASGIApp

from shared.config import Settings
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable
from shared.events import keys_by_id
from tests.manual_clock import ManualClock
from workers.web.receivers.assembly import MAX_EVENT_BYTES, create_app

UUID = "root-uuid-of-the-test-district"
ISSUER = "https://live-events.canvas.instructure.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY_SET = {"keys": [{**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "current", "alg": "RS256"}]}


def unavailable(cause: str = "redis_unavailable") -> ServiceUnavailable:
    return ServiceUnavailable("it is down", cause=cause, delay=timedelta(seconds=5))


class StoredChanges:
    """A writer that stores changes in memory; `broken` makes it fail."""

    def __init__(self, check: Callable[[], Awaitable[object]]) -> None:
        self.check = check
        self.changes: list[Change] = []
        self.broken = False

    async def add(self, change: Change) -> None:
        if self.broken:
            raise unavailable()
        self.changes.append(change)


class FixedKeys:
    """A fixed key set; `broken` makes it unavailable."""

    def __init__(self) -> None:
        self.broken = False

    async def key(self, key_id: str) -> PyJWK | None:
        if self.broken:
            raise unavailable("jwks_unavailable")
        return keys_by_id(KEY_SET).get(key_id)


class StoredIds:
    """Webhook ids in memory."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    async def contain(self, webhook_id: str) -> bool:
        return webhook_id in self.ids

    async def add(self, webhook_id: str) -> None:
        self.ids.add(webhook_id)


class CountedNotifications:
    """Counts notifications; `broken` makes it fail."""

    def __init__(self) -> None:
        self.count = 0
        self.broken = False

    async def add(self) -> None:
        if self.broken:
            raise unavailable()
        self.count += 1


class Receivers:
    """The application and everything it was made of."""

    def __init__(
        self,
        ping: Callable[[], Awaitable[object]] | None = None,
        fallback: ASGIApp | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        **changed_settings: object,
    ) -> None:
        self.writer = StoredChanges(ping or _nothing)
        self.keys = FixedKeys()
        self.webhook_ids = StoredIds()
        self.notifications = CountedNotifications()
        self.clock = ManualClock(datetime(2026, 2, 3, 4, 5, tzinfo=UTC))
        self.app: ASGIApp = create_app(
            settings(**changed_settings),
            self.writer,
            self.keys,
            webhook_ids=self.webhook_ids,
            mark_rosters_changed=self.notifications.add,
            clock=self.clock,
            fallback=fallback,
            max_event_bytes=max_event_bytes,
        )

    async def post(
        self, path: str, content: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        async with client(self.app) as http:
            return await http.post(path, content=content, headers=headers)


async def _nothing() -> None: ...


def settings(**changed: object) -> Settings:
    given = {"canvas_root_account_uuid": UUID, "live_events_allow_unsigned": False, **changed}
    return Settings(**given)  # type: ignore[arg-type]


@asynccontextmanager
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://receiver.example") as http:
        yield http


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[None]:
    """Start and stop the application as a server does."""
    to_app: asyncio.Queue[dict[str, object]] = asyncio.Queue()
    from_app: asyncio.Queue[object] = asyncio.Queue()
    living = asyncio.create_task(app({"type": "lifespan"}, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert await from_app.get() == {"type": "lifespan.startup.complete"}
    yield
    await to_app.put({"type": "lifespan.shutdown"})
    assert await from_app.get() == {"type": "lifespan.shutdown.complete"}
    await living


def event(name: str = "grade_change", **metadata: object) -> dict[str, object]:
    return {
        "metadata": {
            "event_name": name,
            "event_time": "2026-02-03T04:05:06.789Z",
            "context_type": "Course",
            "context_id": "70000000000000061",
            "root_account_uuid": UUID,
            **metadata,
        },
        "body": {"assignment_id": "70000000000000041", "score": 9.5, "student_sis_id": "100017"},
    }


def plain(**changes: object) -> bytes:
    return json.dumps(event(**changes)).encode()  # type: ignore[arg-type]


def signed(claims: dict[str, object] | None = None, kid: str = "current", **changes: object) -> bytes:
    made = {**event(**changes), "iss": ISSUER, "iat": 1_770_000_000, **(claims or {})}  # type: ignore[arg-type]
    return jwt.encode(made, KEY, "RS256", {"kid": kid}).encode()
