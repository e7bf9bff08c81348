"""The access token that all workers share: PowerSchool answers 429 to those who fetch tokens too often."""

import math
import re
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import redis
import structlog
from pydantic import BaseModel, TypeAdapter
from redis.lock import Lock

from shared.adapters.http.client import MAX_BYTES_SMALL, RemoteApi
from shared.adapters.http.exchange import RequestContext, current_context, use_context
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.adapters.redis.values import text
from shared.errors import AccessDenied, RequestRejected, ServiceUnavailable, UnexpectedResponse
from shared.log_events import LogEvent

log = structlog.get_logger()

RENEWED_BEFORE_ITS_END = timedelta(minutes=1)
MIN_LIFE = timedelta(seconds=1)
REFUSED_FOR = timedelta(seconds=30)
FETCHED_WITHIN = timedelta(seconds=30)
FETCH_DELAY = timedelta(seconds=1)
# The lives that a token may have: PowerSchool's is ten days at the most in any installation that is known.
MAX_LIFE_S = 30 * 24 * 3600
LOCK_POLL_S = 1.0
# RFC 6750, "b64token": what may follow `Bearer` in a header.
_USABLE = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}", re.ASCII)
TOKEN_REFUSED = "powerschool_token_refused"  # noqa: S105  # the name of a cause


class TokenWire(BaseModel):
    """`POST /oauth/access_token`: `expires_in` in seconds, a string or a number."""

    access_token: str
    expires_in: Decimal


_TOKEN = TypeAdapter(TokenWire)


class SharedToken:
    """Fetched by one worker, once per lifetime; kept in Redis for all."""

    def __init__(
        self,
        api: RemoteApi,
        client: redis.Redis,
        keys: Keys,
        client_id: str,
        client_secret: str,
        *,
        longest_fetch: timedelta,
    ) -> None:
        self._api = api
        self._redis = client
        self._keys = keys
        credentials = b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
        }
        self._lock_s = longest_fetch.total_seconds() + 5
        self._drop_if_equal = load_script(client, "compare_and_delete")

    def current(self) -> str:
        """Return a valid token, fetching one if there is none.

        Raises: AccessDenied if the client id or secret is wrong; ServiceUnavailable if another worker's fetch hangs.
        """
        token = self._remembered()
        if token is not None:
            return token
        # The lock ends by itself, so that a worker killed while it fetches does not keep the others waiting for good.
        lock = self._redis.lock(
            self._keys.powerschool_token_lock,
            timeout=self._lock_s,
            raise_on_release_error=False,
        )
        self._acquire(lock)
        try:
            return self._remembered() or self._fetched()
        finally:
            lock.release()

    def _acquire(self, lock: Lock) -> None:
        """Wait for the lock, as long as the work may that needs the token. Raises: ServiceUnavailable.

        Another worker's fetch often ends the wait before the lock does.
        """
        context = current_context()
        for _ in range(math.ceil(self._lock_s / LOCK_POLL_S) + 1):
            if lock.acquire(blocking_timeout=LOCK_POLL_S):
                return
            if context:
                context.check_wait()
        # Whoever fetches it waits for PowerSchool: no work that needs the token is to blame.
        message = "fetching a PowerSchool token takes too long"
        raise ServiceUnavailable(message, cause="powerschool_timeout", delay=FETCH_DELAY)

    def drop(self, token: str) -> None:
        """Forget this token, which PowerSchool refused; a newer one stays."""
        self._drop_if_equal(keys=[self._keys.powerschool_token], args=[token])

    def _remembered(self) -> str | None:
        token = self._redis.get(self._keys.powerschool_token)
        return None if token is None else text(token)

    def _fetched(self) -> str:
        found = self._asked()
        kept_for = _time_to_live(found.expires_in)
        self._redis.set(self._keys.powerschool_token, found.access_token, px=kept_for)
        log.info(LogEvent.TOKEN_FETCHED, lifetime_s=round(kept_for.total_seconds()))
        return found.access_token

    def _asked(self) -> TokenWire:
        """Return what PowerSchool gave. Raises: AccessDenied, also where that is no token: then nobody gets anything.

        Whatever the status: asking again soon makes it worse.
        """
        form, headers = {"grant_type": "client_credentials"}, self._headers
        # Everybody waits for it, those whose work began first included.
        first = (
            RequestContext(0, lambda: FETCHED_WITHIN)
            if (context := current_context()) is None
            else replace(context, began_ms=0)
        )
        try:
            with use_context(first):
                answer = self._api.send(
                    "POST", "/oauth/access_token", form=form, headers=headers, max_bytes=MAX_BYTES_SMALL
                )
            found = answer.parse(_TOKEN)
            if _USABLE.fullmatch(found.access_token) is None:
                raise answer.unexpected("no usable access_token")
        except (RequestRejected, UnexpectedResponse) as refused:
            self._api.pause(TOKEN_REFUSED, REFUSED_FOR)
            status, error_text = (
                (refused.status, refused.error_text) if isinstance(refused, RequestRejected) else (200, "")
            )
            raise AccessDenied(refused.message, cause=TOKEN_REFUSED, status=status, error_text=error_text) from refused
        return found


def _time_to_live(expires_in_s: Decimal) -> timedelta:
    """Return how long to use a token: until a minute before its end, or half of a life shorter than two minutes."""
    life = timedelta(seconds=float(max(Decimal(0), min(expires_in_s, Decimal(MAX_LIFE_S)))))
    return max(life - RENEWED_BEFORE_ITS_END, life / 2, MIN_LIFE)
