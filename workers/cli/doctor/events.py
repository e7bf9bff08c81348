"""Checks of Live Events: whether they can be verified, and whether they arrive."""

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx

from shared.adapters.canvas.jwks import FETCH_TIMEOUT_S, MAX_BYTES
from shared.adapters.http.exchange import BodyTooLarge, deadline, http_client, read_body
from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.config import Settings
from shared.events.signatures import keys_by_id
from shared.queues import Stream
from workers.cli.doctor.result import Check, CheckFailed, CheckResult, ok, run_check
from workers.container import Container
from workers.school_hours import SchoolHours

SILENT_AFTER = timedelta(minutes=30)
QUIET_AFTER = timedelta(days=4)
UNREAD_AFTER = timedelta(seconds=60)
STREAM_FIX = "Check the data stream in Canvas (Admin, Data Services): its state, address and events."


def keys_checks(settings: Settings) -> Iterator[Check]:
    """Yield whether the keys that verify Live Events can be read, if signatures are required."""
    if not settings.live_events_allow_unsigned:
        fix = "Let the web process reach PASSBACK_LIVE_EVENTS_JWKS_URL: without it every event is rejected."
        yield run_check("live events: keys", lambda: _keys(settings.live_events_jwks_url), fix)


def _keys(url: str) -> str:
    try:
        with (
            deadline(FETCH_TIMEOUT_S),
            http_client("", FETCH_TIMEOUT_S) as client,
            client.stream("GET", url) as response,
        ):
            listed = json.loads(read_body(response.raise_for_status(), MAX_BYTES))
        count = len(keys_by_id(listed)) if isinstance(listed, dict) else 0
    except httpx.HTTPStatusError as error:
        raise CheckFailed(CheckResult.FAIL, f"GET jwks: {error.response.status_code}") from None
    except (httpx.HTTPError, ValueError, RecursionError, BodyTooLarge) as error:
        raise CheckFailed(CheckResult.FAIL, f"GET jwks: {type(error).__name__}") from None
    if not count:
        raise CheckFailed(CheckResult.FAIL, "GET jwks: no usable key")
    return f"{count} keys"


def freshness_checks(service: Container) -> Iterator[Check]:
    """Yield whether events arrive, and whether workers read them."""
    yield _last_event(service)
    yield _unread(service)


def _last_event(service: Container) -> Check:
    name, last = "live events: last", service.changes.last_event_at()
    if last is None:
        return Check(name, CheckResult.WARN, "none was ever received", STREAM_FIX)
    age = QueueStats(service.redis, service.keys).now() - last
    found = f"{_describe(age)} ago"
    if SchoolHours(service).now() and age > SILENT_AFTER:
        return Check(name, CheckResult.WARN, f"{found}, in school hours", STREAM_FIX)
    if age > QUIET_AFTER:
        return Check(name, CheckResult.WARN, found, STREAM_FIX)
    return ok(name, found)


def _unread(service: Container) -> Check:
    name, gauges = "live events: read", QueueStats(service.redis, service.keys)
    oldest = [gauges.stream(stream).oldest_unfolded_at for stream in Stream]
    age = max((gauges.now() - at for at in oldest if at is not None), default=timedelta(0))
    if age > UNREAD_AFTER:
        fix = "Start a worker: `passback worker`."
        return Check(name, CheckResult.FAIL, f"the oldest has been waiting for {_describe(age)}", fix)
    return ok(name, "none is waiting")


def _describe(age: timedelta) -> str:
    minutes = round(age.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
