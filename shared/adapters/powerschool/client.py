"""Sends requests to PowerSchool as the passback plugin, with an access token that all workers share."""

import math
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Unpack
from zoneinfo import ZoneInfo

import redis
import structlog
from pydantic import AliasPath, Field, TypeAdapter
from redis.lock import Lock

from shared.adapters.http.client import MAX_BYTES_SMALL, Params, RemoteApi, RequestOptions
from shared.adapters.http.exchange import RequestContext, current_context, use_context
from shared.adapters.http.response import ApiResponse, Decoder
from shared.adapters.http.wire import Json, Wire
from shared.adapters.powerschool.errors import TokenRefused
from shared.adapters.redis.cache import JsonCache
from shared.adapters.redis.client import load_script, text
from shared.adapters.redis.keys import Keys
from shared.domain.causes import Cause
from shared.errors import AccessDenied, RequestRejected, ServiceUnavailable, UnexpectedResponse
from shared.log_events import LogEvent

log = structlog.get_logger()

# Answered from memory, with any valid token and without one. Source: PowerSchool v1 API, `/ws/v1/metadata`.
METADATA = "/ws/v1/metadata"
METADATA_MAX_AGE = timedelta(hours=1)
_FIELD = re.compile(r"[a-z_]+\.[a-z_]+")

TOKEN_MARGIN = timedelta(minutes=1)
MIN_TOKEN_TTL = timedelta(seconds=1)
TOKEN_PAUSE = timedelta(seconds=30)
MAX_TOKEN_WAIT = timedelta(seconds=30)
FETCH_DELAY = timedelta(seconds=1)
# PowerSchool's tokens last for ten days at most in any installation that is known.
MAX_TOKEN_TTL_S = 30 * 24 * 3600
LOCK_POLL_S = 1.0
# RFC 6750, "b64token": what may follow `Bearer` in a header.
_USABLE = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}", re.ASCII)


class TokenWire(Wire):
    """`POST /oauth/access_token`: `expires_in` in seconds, a string or a number."""

    access_token: str
    expires_in: Decimal


class ServerMetadata(Wire):
    """The used part of `GET /ws/v1/metadata`."""

    plugin_id: int = Field(validation_alias=AliasPath("metadata", "plugin_id"))
    district_timezone: ZoneInfo = Field(validation_alias=AliasPath("metadata", "district_timezone"))


_TOKEN = TypeAdapter(TokenWire)
_METADATA = TypeAdapter(ServerMetadata)


class SharedToken:
    """Fetched by one worker, once per lifetime, and stored in Redis for all.

    PowerSchool answers 429 to those who fetch tokens too often.
    """

    def __init__(
        self,
        api: RemoteApi,
        client: redis.Redis,
        keys: Keys,
        client_id: str,
        client_secret: str,
        *,
        max_fetch: timedelta,
    ) -> None:
        self._api = api
        self._redis = client
        self._keys = keys
        self._credentials = client_id, client_secret
        self._lock_s = max_fetch.total_seconds() + 5
        self._compare_and_delete = load_script(client, "compare_and_delete")

    def current(self) -> str:
        """Return a valid token, fetching one if there is none.

        Raises: AccessDenied if the client id or secret is wrong; ServiceUnavailable if another worker's fetch hangs.
        """
        token = self._stored()
        if token is not None:
            return token
        # The lock ends by itself, so that a worker killed while it fetches does not block the others for good.
        lock = self._redis.lock(self._keys.powerschool_token_lock, timeout=self._lock_s, raise_on_release_error=False)
        self._acquire(lock)
        try:
            return self._stored() or self._fetch()
        finally:
            lock.release()

    def drop(self, token: str) -> None:
        """Delete this token, which PowerSchool refused; a newer one stays."""
        self._compare_and_delete(keys=[self._keys.powerschool_token], args=[token])

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
        message = "fetching a PowerSchool token takes too long"
        raise ServiceUnavailable(message, cause=Cause.POWERSCHOOL_TIMEOUT, delay=FETCH_DELAY)

    def _stored(self) -> str | None:
        token = self._redis.get(self._keys.powerschool_token)
        return None if token is None else text(token)

    def _fetch(self) -> str:
        """Return a new token, and store it. Raises: AccessDenied."""
        token = request_token(self._api, *self._credentials)
        ttl = _ttl(token.expires_in)
        self._redis.set(self._keys.powerschool_token, token.access_token, px=ttl)
        log.info(LogEvent.TOKEN_FETCHED, lifetime_s=round(ttl.total_seconds()))
        return token.access_token


def request_token(api: RemoteApi, client_id: str, client_secret: str) -> TokenWire:
    """Return a new token. Raises: AccessDenied whatever the refusal: asking again soon makes it worse."""
    # Every request waits for the token, also those of work that began first.
    context = current_context()
    first = replace(context, began_ms=0) if context else RequestContext(0, lambda: MAX_TOKEN_WAIT)
    form = {"grant_type": "client_credentials"}
    headers = {
        "Authorization": f"Basic {b64encode(f'{client_id}:{client_secret}'.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
    }
    try:
        with use_context(first):
            response = api.send("POST", "/oauth/access_token", form=form, headers=headers, max_bytes=MAX_BYTES_SMALL)
        token = response.parse(_TOKEN)
        if _USABLE.fullmatch(token.access_token) is None:
            raise response.unexpected("no usable access_token")
    except (RequestRejected, UnexpectedResponse) as error:
        api.pause(Cause.TOKEN_REFUSED, TOKEN_PAUSE)
        status, said = (error.status, error.error_text) if isinstance(error, RequestRejected) else (200, "")
        raise AccessDenied(error.message, cause=Cause.TOKEN_REFUSED, status=status, error_text=said) from error
    return token


def _ttl(expires_in_s: Decimal) -> timedelta:
    """Return how long to use a token: until a minute before its end, or half of a life shorter than two minutes."""
    life = timedelta(seconds=float(max(Decimal(0), min(expires_in_s, Decimal(MAX_TOKEN_TTL_S)))))
    return max(life - TOKEN_MARGIN, life / 2, MIN_TOKEN_TTL)


class PowerSchoolApi:
    """Sends requests with the shared token, and once more with a new one where PowerSchool refuses it.

    `remote` is PowerSchool as a system that answers or does not; `time_zone` is the district's as set, None where
    PowerSchool's own counts.
    """

    def __init__(self, remote: RemoteApi, token: SharedToken, cache: JsonCache, time_zone: ZoneInfo | None) -> None:
        self.remote = remote
        self._token = token
        self._cache = cache
        self._time_zone = time_zone

    def send(
        self, method: str, template: str, ids: Mapping[str, object] | None = None, **options: Unpack[RequestOptions]
    ) -> ApiResponse:
        """Return a successful response. Raises the errors of `shared.errors`, `AccessDenied` for wrong credentials."""
        is_retry = False
        while True:
            token = self._token.current()
            try:
                return self._send_as(token, method, template, ids, **options)
            except AccessDenied as error:
                if is_retry or not isinstance(error, TokenRefused):
                    raise self._narrowed(error, template, token) from None
            self._token.drop(token)
            is_retry = True

    def _send_as(
        self,
        token: str,
        method: str,
        template: str,
        ids: Mapping[str, object] | None = None,
        **options: Unpack[RequestOptions],
    ) -> ApiResponse:
        options["headers"] = {"Authorization": f"Bearer {token}"}
        return self.remote.send(method, template, ids, **options)

    def _narrowed(self, error: AccessDenied, template: str, token: str) -> AccessDenied:
        """Return the refusal as one of the credentials, or of this request alone.

        The credentials are refused only if a call that any valid token may make is refused as well. Where PowerSchool
        names a field without access, that is a call that reads one row of this field.
        """
        field = next((row.field for row in error.rows if _FIELD.fullmatch(row.field)), None)
        try:
            if error.cause == Cause.GRANT_MISSING and field is not None:
                table, _, column = field.partition(".")
                params = [("projection", column), ("pagesize", "1")]
                self._send_as(token, "GET", "/ws/schema/table/{table}", {"table": table}, params=params)
            elif error.status == 401 and template != METADATA:
                self._send_as(token, "GET", METADATA)
            else:
                return error
        except RequestRejected:
            return error
        status, said = error.status, error.error_text
        return AccessDenied(error.message, cause=Cause.POWERSCHOOL_403, status=status, error_text=said, rows=error.rows)

    def query(self, path: str, params: Params, body: Json, decoder: Decoder | None = None) -> ApiResponse:
        """Return the response of a PowerQuery: a read by POST."""
        return self.send("POST", path, params=params, body=body, decoder=decoder)

    def metadata(self) -> ServerMetadata:
        """Return the metadata, at most an hour old. Source: PowerSchool v1 API, `/ws/v1/metadata`."""
        cached = self._cache.get("metadata", "district")
        if cached is not None:
            return _METADATA.validate_python({"metadata": cached})
        metadata = self.send("GET", METADATA).parse(_METADATA)
        self._cache.put("metadata", "district", metadata.model_dump(mode="json"), METADATA_MAX_AGE)
        return metadata

    def time_zone(self) -> ZoneInfo:
        """Return the district's time zone."""
        return self._time_zone or self.metadata().district_timezone

    def close(self) -> None:
        """Close the connections."""
        self.remote.close()
