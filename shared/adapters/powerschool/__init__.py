"""Reading and writing PowerSchool."""

from datetime import timedelta

import httpx
import redis

from shared.adapters.http.api import JsonApi, OnRequest, http_client
from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.assignments import AssignmentReader
from shared.adapters.powerschool.cache import JsonCache
from shared.adapters.powerschool.client import PowerSchool
from shared.adapters.powerschool.gradebook import Gradebook
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.queries import PowerQueries
from shared.adapters.powerschool.refusals import read_refusal
from shared.adapters.powerschool.roster import Roster
from shared.adapters.powerschool.roster_queries import QueriedRoster
from shared.adapters.powerschool.roster_v1 import V1Roster
from shared.adapters.powerschool.sis_ids import section_template, student_template
from shared.adapters.powerschool.token import SharedToken
from shared.adapters.redis.answers import text
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.system_health import SystemGate
from shared.clock import Clock
from shared.config import POWERSCHOOL_SETTINGS, Settings

SYSTEM = "powerschool"
# Answered without a token, and from memory. Source: PowerSchool v1 API, `/ws/v1/metadata`.
PROBE = "/ws/v1/metadata"

__all__ = ["PowerSchool", "powerschool"]


def powerschool(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    *,
    on_request: OnRequest | None = None,
    transport: httpx.BaseTransport | None = None,
) -> PowerSchool:
    """Return everything that talks to PowerSchool, shared by all threads of a process.

    Raises `ConfigurationError` without URL or credentials, and for a SIS id template that cannot work.
    """
    settings.require(*POWERSCHOOL_SETTINGS)
    sections, students = section_template(settings.section_sis_id), student_template(settings.student_sis_id)
    json_api = _json_api(settings, redis_client, keys, clock, on_request, transport)
    token = SharedToken(
        json_api,
        redis_client,
        keys,
        settings.powerschool_client_id,
        settings.powerschool_client_secret.get_secret_value(),
        longest_fetch=timedelta(seconds=settings.powerschool_timeout_s),
    )
    api = PowerSchoolApi(json_api, token)
    cache = JsonCache(redis_client, keys)
    queries = PowerQueries(api, clock)
    metadata = MetadataReader(api, cache)
    roster = Roster(
        QueriedRoster(queries, students),
        V1Roster(api, metadata, cache, students, timedelta(seconds=settings.roster_max_age_s)),
        queries,
        cache,
        sections,
        timedelta(seconds=settings.roster_max_age_s),
        today=lambda: clock.now().astimezone(settings.district_time_zone or metadata.time_zone()).date(),
        last_hint=lambda: _last_hint(redis_client, keys),
    )
    gradebook = Gradebook(
        api,
        AssignmentReader(api, queries, metadata),
        metadata,
        cache,
        timedelta(seconds=settings.category_max_age_s),
        settings.powerschool_plugin_name,
    )
    return PowerSchool(gradebook, roster, metadata, api, queries)


def _last_hint(redis_client: redis.Redis, keys: Keys) -> str:
    hint = redis_client.get(keys.roster_hint)
    return "" if hint is None else f"@{text(hint)}"


def _json_api(
    settings: Settings,
    redis_client: redis.Redis,
    keys: Keys,
    clock: Clock,
    on_request: OnRequest | None,
    transport: httpx.BaseTransport | None,
) -> JsonApi:
    http = http_client(
        settings.powerschool_url,
        settings.powerschool_timeout_s,
        headers={"Accept": "application/json"},
        ca_bundle=settings.powerschool_ca_bundle,
        transport=transport,
    )
    interval = timedelta(milliseconds=settings.powerschool_min_interval_ms)
    gate = SystemGate(redis_client, keys, SYSTEM, clock, interval)
    return JsonApi(SYSTEM, http, gate, clock, read_refusal=read_refusal, on_request=on_request, probe=PROBE)
