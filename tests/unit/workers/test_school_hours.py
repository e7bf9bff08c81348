"""When silence means something."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import fakeredis
import pytest

from shared.adapters.redis.cache import JsonCache
from shared.config import load
from tests.manual_clock import ManualClock
from workers.container import Container
from workers.school_hours import SchoolHours

# Wednesday, 8:00 and 7:59 in Chicago, Saturday noon there.
EIGHT, BEFORE, SATURDAY = (
    datetime(2031, 10, d, h, m, tzinfo=UTC) for d, h, m in ((8, 13, 0), (8, 12, 59), (11, 17, 0))
)


def service(at: datetime, **settings: str) -> Container:
    loaded = load({f"PASSBACK_{name}": value for name, value in settings.items()}, Path("no.env"))
    return Container(loaded, redis=fakeredis.FakeRedis(server=fakeredis.FakeServer()), clock=ManualClock(at))


@pytest.mark.parametrize(("at", "on"), [(EIGHT, True), (BEFORE, False), (SATURDAY, False)])
def test_hours_are_those_of_the_districts_clocks(at: datetime, on: bool) -> None:
    """By default from eight to four on weekdays."""
    assert SchoolHours(service(at, DISTRICT_TIME_ZONE="America/Chicago")).now() is on


def test_the_zone_may_come_from_powerschool() -> None:
    """Unset, it is the one that workers have read, and remembered from then on; before, nothing is claimed."""
    one = service(EIGHT)
    hours = SchoolHours(one)
    assert hours.now() is None
    cache = JsonCache(one.redis, one.keys)
    cache.put("metadata", "district", {"district_timezone": "America/Chicago"}, one.clock.now() - BEFORE)
    assert hours.now() is True
    one.redis.flushall()
    assert hours.now() is True


def test_without_hours_silence_never_means_anything() -> None:
    """An empty setting switches the alert off."""
    assert SchoolHours(service(EIGHT, SCHOOL_HOURS="")).now() is False


@pytest.mark.parametrize(("at", "minutes", "lasted"), [(EIGHT, 0, True), (EIGHT, 30, False), (BEFORE, 30, False)])
def test_school_that_has_just_begun_has_not_lasted(at: datetime, minutes: int, lasted: bool) -> None:
    """The night before the first lesson is no silence."""
    hours = SchoolHours(service(at, DISTRICT_TIME_ZONE="America/Chicago"))
    assert hours.have_lasted(timedelta(minutes=minutes)) is lasted
