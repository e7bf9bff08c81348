"""Reading and writing PowerSchool."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import httpx
import redis

from shared.adapters.http.client import RESPONSE_TIMEOUT_S, RemoteApi, max_exchange
from shared.adapters.http.exchange import http_client
from shared.adapters.powerschool.client import METADATA, PowerSchoolApi, SharedToken
from shared.adapters.powerschool.errors import read_refusal
from shared.adapters.powerschool.gradebook.client import Gradebook
from shared.adapters.powerschool.powerqueries import PowerQueries, Send
from shared.adapters.powerschool.provisioning.reader import PowerSchoolRosterFeed
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool, reject_writes
from shared.adapters.powerschool.rosters.district import DistrictReader
from shared.adapters.powerschool.rosters.reader import SectionRosters
from shared.adapters.redis.cache import JsonCache, UnavailableQueries, last_roster_change, stored_student_ids
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.clock import Clock
from shared.config import POWERSCHOOL_SETTINGS, Settings
from shared.domain.provisioning.policy import SisIdTemplate
from shared.ports.passback import Count, ignore_count

SYSTEM = "powerschool"


@dataclass(frozen=True, slots=True)
class PowerSchool:
    """The ports `gradebook` and `roster`, the lists of the district, and what `doctor` uses beside them."""

    gradebook: Gradebook
    roster: SectionRosters
    api: PowerSchoolApi
    district: DistrictReader

    def close(self) -> None:
        """Close the connections."""
        self.api.close()


def powerschool(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count = ignore_count,
    *,
    transport: httpx.BaseTransport | None = None,
) -> PowerSchool:
    """Return everything that talks to PowerSchool, shared by all threads of a process.

    Raises `ConfigurationError` without URL or credentials.
    """
    api, cache = _api(settings, redis_client, keys, clock, count, transport)
    queries, rosters = _readers(settings, redis_client, keys, clock, api, cache, api.query)
    return PowerSchool(Gradebook(api, queries, cache), rosters, api, district_reader(settings, queries))


def roster_feed(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count = ignore_count,
    *,
    transport: httpx.BaseTransport | None = None,
) -> PowerSchoolRosterFeed:
    """Return provisioning's `RosterFeed`, which shares token and rate with everything that `powerschool` makes.

    It has an HTTP client of its own, which sends nothing but reads. Raises `ConfigurationError` as `powerschool` does.
    """
    api, cache = _api(settings, redis_client, keys, clock, count, transport, [reject_writes])
    reader = ReadOnlyPowerSchool(api)
    queries, rosters = _readers(settings, redis_client, keys, clock, api, cache, reader.query)
    return PowerSchoolRosterFeed(reader, queries, rosters, api.time_zone)


def district_reader(settings: Settings, queries: PowerQueries) -> DistrictReader:
    """Return the reader of the district's lists, by the templates and the selection of the settings."""
    selection = settings.selection("school"), settings.selection("course"), settings.selection("section")
    templates = SisIdTemplate(settings.section_sis_id), SisIdTemplate(settings.staff_sis_id)
    return DistrictReader(queries, *templates, selection)


def section_rosters(
    settings: Settings,
    clock: Clock,
    api: PowerSchoolApi,
    queries: PowerQueries,
    cache: JsonCache,
    *,
    stored_ids: Callable[[], Mapping[int, str]],
    last_change: Callable[[], str] = lambda: "",
) -> SectionRosters:
    """Return the reader of sections and students, by the templates of the settings."""
    templates = SisIdTemplate(settings.section_sis_id), SisIdTemplate(settings.student_sis_id)
    return SectionRosters(queries, cache, *templates, clock, api.time_zone, last_change, stored_ids)


def _readers(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    api: PowerSchoolApi,
    cache: JsonCache,
    query: Send,
) -> tuple[PowerQueries, SectionRosters]:
    queries = PowerQueries(query, UnavailableQueries(redis_client, keys, clock), clock)
    changes, ids = partial(last_roster_change, redis_client, keys), partial(stored_student_ids, redis_client, keys)
    return queries, section_rosters(settings, clock, api, queries, cache, last_change=changes, stored_ids=ids)


def _api(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count,
    transport: httpx.BaseTransport | None,
    before_sending: Sequence[Callable[[httpx.Request], None]] = (),
) -> tuple[PowerSchoolApi, JsonCache]:
    interval = timedelta(milliseconds=settings.powerschool_min_interval_ms)
    limiter = RemoteLimiter(redis_client, keys, SYSTEM, clock, interval)
    remote = remote_api(settings, limiter, clock, count, transport=transport, before_sending=before_sending)
    secret = settings.powerschool_client_secret.get_secret_value()
    max_fetch = max_exchange(RESPONSE_TIMEOUT_S)
    token = SharedToken(remote, redis_client, keys, settings.powerschool_client_id, secret, max_fetch=max_fetch)
    cache = JsonCache(redis_client, keys)
    return PowerSchoolApi(remote, token, cache, settings.district_time_zone), cache


def remote_api(
    settings: Settings,
    limiter: RemoteLimiter,
    clock: Clock,
    count: Count = ignore_count,
    *,
    probe: str | None = METADATA,
    transport: httpx.BaseTransport | None = None,
    before_sending: Sequence[Callable[[httpx.Request], None]] = (),
) -> RemoteApi:
    """Return PowerSchool's API without a token. Raises `ConfigurationError` without URL or credentials."""
    settings.require(*POWERSCHOOL_SETTINGS)
    http = http_client(
        settings.powerschool_url,
        RESPONSE_TIMEOUT_S,
        headers={"Accept": "application/json"},
        ca_bundle=settings.ca_bundle,
        transport=transport,
        before_sending=before_sending,
    )
    return RemoteApi(SYSTEM, http, limiter, clock, read_refusal=read_refusal, count=count, probe=probe)
