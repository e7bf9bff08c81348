# ruff: noqa: ARG002  # the signatures are those of what is replaced
"""Clients of Canvas and PowerSchool that share nothing with other processes: for `doctor`.

Its requests must change nothing for the workers, and must not be answered from what workers have stored. So token, pace
and cached values are this process's own; a failure pauses nobody.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta

from shared.adapters.canvas import paged_api, provisioning_token
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.canvas.sis_import import CanvasSisImports
from shared.adapters.http.client import RemoteApi
from shared.adapters.http.wire import Json
from shared.adapters.powerschool import (
    PowerSchool,
    district_reader,
    remote_api,
    section_rosters,
)
from shared.adapters.powerschool.client import PowerSchoolApi, SharedToken, request_token
from shared.adapters.powerschool.gradebook.client import Gradebook
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.redis.cache import JsonCache, UnavailableQueries
from shared.adapters.redis.remote_limits.remote_limiter import MAX_PAUSE_WITHIN_SYNC, Permit, RemoteLimiter
from shared.clock import Clock
from shared.config import Settings
from shared.domain.causes import Cause
from shared.domain.plugin import UnavailableQuery

# A request that was throttled is sent again so often, and waits so long where the system does not say how long.
MAX_THROTTLED = 5
THROTTLED_WAIT = timedelta(seconds=1)


def private_canvas(settings: Settings, clock: Clock) -> CanvasClient:
    """Return a client that reads Canvas as workers do. Raises `ConfigurationError` without URL or token."""
    api = paged_api(settings, settings.canvas_token, PrivateLimiter(clock), clock, probe=None)
    return CanvasClient(api, PrivateCache(), settings.canvas_account)


def private_sis_imports(settings: Settings, clock: Clock) -> CanvasSisImports:
    """Return SIS Import with the provisioning token. Raises `ConfigurationError` without URL or token."""
    api = paged_api(settings, provisioning_token(settings), PrivateLimiter(clock), clock, probe=None)
    return CanvasSisImports(api, settings.canvas_account)


def private_powerschool(
    settings: Settings, clock: Clock, interval: timedelta, stored_ids: Callable[[], Mapping[int, str]] = dict
) -> PowerSchool:
    """Return a client with a token of its own, which keeps the interval between its requests.

    `stored_ids` are the SIS ids of students that Canvas has and the template does not make.
    Raises `ConfigurationError` without URL or credentials.
    """
    remote = remote_api(settings, PrivateLimiter(clock, interval), clock, probe=None)
    secret = settings.powerschool_client_secret.get_secret_value()
    token, cache = PrivateToken(remote, settings.powerschool_client_id, secret), PrivateCache()
    api = PowerSchoolApi(remote, token, cache, settings.district_time_zone)
    queries = PowerQueries(api.query, NoUnavailableQueries(), clock)
    roster = section_rosters(settings, clock, api, queries, cache, stored_ids=stored_ids)
    return PowerSchool(Gradebook(api, queries, cache), roster, api, district_reader(settings, queries))


class PrivateLimiter(RemoteLimiter):
    """Keeps an interval between the requests of this process, and waits where it is throttled. Not thread-safe."""

    def __init__(self, clock: Clock, interval: timedelta = timedelta(0)) -> None:
        self._clock = clock
        self._interval = interval
        self._next = clock.now()
        self._throttled = 0

    def acquire(self, again: Permit | None = None) -> Permit:
        """Return a permit when its turn has come."""
        self._clock.sleep(self._next - self._clock.now())
        self._next = self._clock.now() + self._interval
        return again or Permit("", has_failures=False)

    def release(self, permit: Permit, *, succeeded: bool, sent: bool = True, advised: timedelta | None = None) -> None:
        """Count throttled requests anew after a success."""
        self._throttled = 0 if succeeded else self._throttled

    def record_throttled(self, permit: Permit, cause: str, retry_after: timedelta | None = None) -> timedelta | None:
        """Let the request wait, and be sent again; return the wait where it is too long or was too often."""
        self._throttled += 1
        wait = retry_after or THROTTLED_WAIT
        if wait > MAX_PAUSE_WITHIN_SYNC or self._throttled > MAX_THROTTLED:
            return wait
        self._next = self._clock.now() + wait
        return None

    def record_failure(
        self, cause: str, retry_after: timedelta | None = None, *, for_everybody: bool
    ) -> timedelta | None:
        """Pause nothing: the failure is this request's."""
        return None


class PrivateToken(SharedToken):
    """A token that is fetched with the configured credentials, and used by this process alone."""

    def __init__(self, api: RemoteApi, client_id: str, client_secret: str) -> None:
        self._api = api
        self._credentials = client_id, client_secret
        self._token: str | None = None

    def current(self) -> str:
        """Return the token. Raises: AccessDenied."""
        if self._token is None:
            self._token = request_token(self._api, *self._credentials).access_token
        return self._token

    def drop(self, token: str) -> None:
        """Fetch another one the next time."""
        self._token = None


class PrivateCache(JsonCache):
    """Values of this process, for as long as it runs."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], Json] = {}

    def get(self, kind: str, of: str) -> Json:
        """Return the value, None if there is none."""
        return self._values.get((kind, of))

    def get_all(self, kind: str, of: Collection[str]) -> dict[str, Json]:
        """Return those of the values that there are, by id."""
        return {one: value for one in of if (value := self.get(kind, one)) is not None}

    def put_all(self, kind: str, values: Iterable[tuple[str, Json]], max_age: timedelta) -> None:
        """Cache the values."""
        self._values.update({(kind, of): value for of, value in values})


class NoUnavailableQueries(UnavailableQueries):
    """Knows of no query that does not run, so that each is asked for."""

    def __init__(self) -> None:
        """Store nothing."""

    def find(self, name: str) -> UnavailableQuery | None:
        """Return none."""
        return None

    def add(self, name: str, fault: Cause) -> bool:
        """Store nothing; it is no news, so that it is not logged either."""
        return False
