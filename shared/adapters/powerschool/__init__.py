"""Reading and writing PowerSchool."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import httpx
import redis

from shared.adapters.http.client import RESPONSE_TIMEOUT_S, RemoteApi, max_exchange
from shared.adapters.http.exchange import http_client
from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.cache import JsonCache
from shared.adapters.powerschool.client import PowerSchool
from shared.adapters.powerschool.errors import read_refusal
from shared.adapters.powerschool.gradebook.client import Gradebook
from shared.adapters.powerschool.gradebook.reader import AssignmentReader
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.powerqueries import PowerQueries, QueryLimiter
from shared.adapters.powerschool.provisioning.queries import QueriedFeed
from shared.adapters.powerschool.provisioning.reader import IndexingFeed, PowerSchoolRosterFeed
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool, refuse_writes
from shared.adapters.powerschool.rosters.cache import SectionCache
from shared.adapters.powerschool.rosters.cache_writer import RosterIndexer
from shared.adapters.powerschool.rosters.queries import QueriedRoster
from shared.adapters.powerschool.rosters.reader import SectionRosterReader
from shared.adapters.powerschool.rosters.sis_ids import section_template, student_template
from shared.adapters.powerschool.token import SharedToken
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.provisioning.student_sis_ids import stored_student_ids
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.adapters.redis.remote_limits.unavailable_queries import UnavailableQueries
from shared.adapters.redis.values import text
from shared.clock import Clock
from shared.config import POWERSCHOOL_SETTINGS, Settings
from shared.ports.passback import Count, ignore_count

SYSTEM = "powerschool"
# Answered without a token, and from memory. Source: PowerSchool v1 API, `/ws/v1/metadata`.
PROBE = "/ws/v1/metadata"

__all__ = ["IndexingFeed", "PowerSchool", "powerschool", "roster_feed"]


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

    Raises `ConfigurationError` without URL or credentials, and for a SIS id template that cannot work.
    """
    settings.require(*POWERSCHOOL_SETTINGS)
    sections, students = section_template(settings.section_sis_id), student_template(settings.student_sis_id)
    api = _api(settings, redis_client, keys, clock, count, transport)
    cache = JsonCache(redis_client, keys)
    queries = PowerQueries(api.query, QueryLimiter(UnavailableQueries(redis_client, keys, clock), clock))
    metadata = MetadataReader(api, cache)
    roster = SectionRosterReader(
        QueriedRoster(queries, students),
        queries,
        cache,
        sections,
        today=lambda: _today(settings, metadata, clock),
        last_change=lambda: _last_change(redis_client, keys),
        kept_ids=lambda: stored_student_ids(redis_client, keys),
    )
    gradebook = Gradebook(api, AssignmentReader(queries), metadata, cache)
    return PowerSchool(gradebook, roster, metadata, api, queries)


def roster_feed(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count = ignore_count,
    *,
    transport: httpx.BaseTransport | None = None,
) -> IndexingFeed:
    """Return provisioning's `RosterFeed`, in step with the token and the pace of everything that `powerschool` makes.

    It has an HTTP client of its own, which sends nothing but reads. Raises `ConfigurationError` as `powerschool` does.
    """
    settings.require(*POWERSCHOOL_SETTINGS)
    api = _api(settings, redis_client, keys, clock, count, transport, [refuse_writes])
    cache, reader = JsonCache(redis_client, keys), ReadOnlyPowerSchool(api)
    metadata = MetadataReader(api, cache)
    indexer = RosterIndexer(
        SectionCache(cache),
        section_template(settings.section_sis_id),
        student_template(settings.student_sis_id),
        today=lambda: _today(settings, metadata, clock),
        last_change=lambda: _last_change(redis_client, keys),
    )
    queries = PowerQueries(reader.query, QueryLimiter(UnavailableQueries(redis_client, keys, clock), clock))
    feed = PowerSchoolRosterFeed(reader, QueriedFeed(queries))
    return IndexingFeed(feed, indexer, feed.close, metadata.time_zone)


def _today(settings: Settings, metadata: MetadataReader, clock: Clock) -> date:
    """Return the district's calendar date."""
    return clock.now().astimezone(settings.district_time_zone or metadata.time_zone()).date()


def _last_change(redis_client: redis.Redis, keys: Keys) -> str:
    changed = redis_client.get(keys.rosters_changed)
    return "" if changed is None else f"@{text(changed)}"


def _api(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    count: Count,
    transport: httpx.BaseTransport | None,
    before_sending: Sequence[Callable[[httpx.Request], None]] = (),
) -> PowerSchoolApi:
    http = http_client(
        settings.powerschool_url,
        RESPONSE_TIMEOUT_S,
        headers={"Accept": "application/json"},
        ca_bundle=settings.ca_bundle,
        transport=transport,
        before_sending=before_sending,
    )
    interval = timedelta(milliseconds=settings.powerschool_min_interval_ms)
    gate = RemoteLimiter(redis_client, keys, SYSTEM, clock, interval)
    json_api = RemoteApi(
        SYSTEM,
        http,
        gate,
        clock,
        read_refusal=read_refusal,
        count=count,
        probe=PROBE,
    )
    token = SharedToken(
        json_api,
        redis_client,
        keys,
        settings.powerschool_client_id,
        settings.powerschool_client_secret.get_secret_value(),
        longest_fetch=max_exchange(RESPONSE_TIMEOUT_S),
    )
    return PowerSchoolApi(json_api, token)
