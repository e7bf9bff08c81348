"""Checks of Live Events: whether they can be verified, and whether they arrive."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.config import PREFIX, Settings
from shared.queues import Stream
from workers.container import Container
from workers.doctor.network import count_keys, endpoint_of
from workers.doctor.redis import NEEDS
from workers.doctor.result import Check, CheckResult, Step, ok
from workers.school_hours import SchoolHours

SILENT_AFTER = timedelta(minutes=30)
QUIET_AFTER = timedelta(days=4)
UNREAD_AFTER = timedelta(seconds=60)
KEYS_FIX = "Correct PASSBACK_LIVE_EVENTS_JWKS_URL: without these keys every event is rejected."
STREAM_FIX = "Check the data stream in Canvas (Admin, Data Services): its state, address and events."


def steps(service: Container) -> Iterator[Step]:
    """Yield whether events can be verified, whether they arrive, and whether workers read them."""
    if not service.settings.live_events_allow_unsigned:
        yield Step("live events: keys", partial(_keys, service.settings), KEYS_FIX, ("settings: CA bundle",))
    yield Step("live events: last", partial(_last_event, service), needs=NEEDS)
    yield Step("live events: read", partial(_unread, service), needs=NEEDS)


def _keys(settings: Settings) -> str:
    """Read the keys that verify Live Events: without them every event is rejected."""
    url = settings.live_events_jwks_url
    return f"{count_keys(url, endpoint_of(url, f'{PREFIX}LIVE_EVENTS_JWKS_URL'), settings.ca_bundle)} keys"


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
