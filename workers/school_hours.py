"""Says whether school is on: outside school hours, no events are no problem."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from redis.exceptions import RedisError

from shared.adapters.redis.cache import JsonCache
from shared.clock import cron_matches
from workers.container import Container


class SchoolHours:
    """The setting `PASSBACK_SCHOOL_HOURS`, in the district's time zone."""

    def __init__(self, service: Container) -> None:
        self._hours = service.settings.school_hours
        self._clock = service.clock
        self._zone = service.settings.district_time_zone
        self._cache = JsonCache(service.redis, service.keys)

    @property
    def zone(self) -> ZoneInfo | None:
        """The district's time zone: as set, else as workers have read it from PowerSchool; None while it is unknown."""
        self._zone = self._zone or self._cached_zone()
        return self._zone

    def now(self) -> bool | None:
        """Say whether school is on; None while the zone is unknown. With no hours set, school is never on."""
        return self._at(self._clock.now())

    def have_lasted(self, duration: timedelta) -> bool:
        """Say whether school is on, and was so long ago as well; no while the zone is unknown."""
        now = self._clock.now()
        return bool(self._at(now) and self._at(now - duration))

    def _at(self, time: datetime) -> bool | None:
        if not self._hours:
            return False
        return None if self.zone is None else cron_matches(self._hours, time, self.zone)

    def _cached_zone(self) -> ZoneInfo | None:
        """Return the zone that workers have read from PowerSchool: the web process reads nothing but Redis."""
        try:
            cached = self._cache.get("metadata", "district")
            return ZoneInfo(str(cached["district_timezone"])) if isinstance(cached, dict) else None
        except (RedisError, ZoneInfoNotFoundError, KeyError, ValueError):
            return None
