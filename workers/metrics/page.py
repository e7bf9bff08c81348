"""`GET /metrics`: who may read it, and how often Redis is asked for it."""

import asyncio
import secrets
from collections.abc import Callable
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from workers.credentials import Judge, name_and_password
from workers.metrics.exposition import CONTENT_TYPE
from workers.receivers.replies import Reply, json_reply, plain_reply

# Who asks again within this time gets the same page, so that asking often costs Redis nothing.
FRESH_FOR_S = 1.0
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
NOT_SIGNED_IN = json_reply(
    401,
    {"error": {"code": "not_signed_in", "message": "Send the metrics token, or sign in."}},
    [(b"www-authenticate", b'Bearer realm="passback", Basic realm="passback", charset="UTF-8"')],
)


class MetricsAccess:
    """Who may read the numbers: with a token configured, whoever has it; else who asks from this machine.

    The operator may in any case. A proxy on this machine makes everybody seem to ask from here: what it forwards is
    told by its headers. Behind one that adds none, a token is needed.
    """

    def __init__(self, token: str, judge: Judge | None) -> None:
        self._token = token
        self._judge = judge

    def allows(self, scope: Scope) -> bool:
        """Say whether this request may be answered."""
        headers = Headers(scope=scope)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        match scheme.lower():
            case "bearer":
                return bool(self._token) and secrets.compare_digest(given.strip().encode(), self._token.encode())
            case "basic":
                return self._judge is not None and self._judge(*name_and_password(headers["authorization"]))
        return not self._token and _is_local(scope) and not any(name in headers for name in FORWARDED)


class MetricsPage:
    """Renders the page in a thread, for one caller at a time."""

    def __init__(self, render: Callable[[], bytes], access: MetricsAccess) -> None:
        self._render = render
        self._access = access
        self._lock = asyncio.Lock()
        self._page: tuple[float, Reply] | None = None

    async def __call__(self, scope: Scope, _receive: Receive) -> Reply:
        """Return the page, or 401."""
        if not self._access.allows(scope):
            return NOT_SIGNED_IN
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._page is None or now - self._page[0] > FRESH_FOR_S:
                self._page = now, plain_reply(await asyncio.to_thread(self._render), CONTENT_TYPE)
            return self._page[1]


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False
