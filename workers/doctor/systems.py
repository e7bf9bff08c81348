"""What the checks of Canvas and PowerSchool share: clients of their own, and what earlier checks have read."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice

from shared.adapters.canvas.client import CanvasClient
from shared.adapters.powerschool import PowerSchool
from shared.adapters.private_clients import private_canvas, private_powerschool
from shared.adapters.redis.cache import stored_student_ids
from shared.clock import SystemClock
from shared.domain.passback.canvas import Course
from shared.domain.passback.powerschool import RosteredSection
from workers.container import Container
from workers.status import rates_of

# So many assignments are read to find courses.
MAX_ASSIGNMENTS = 500
# Enough courses that a few training courses among them do not decide, and the scores of fewer.
SAMPLE, SCORES_SAMPLE = 10, 3


class Systems:
    """Clients that change nothing for workers: no shared token, pace, pause or cache. `has_redis` says if it may help.

    `courses` is the sample of courses, `students` the SIS ids of students of some of them by course id, `sections` the
    sample's sections in PowerSchool by SIS id, `missing_grants` the `table.column` that a query was refused for.
    """

    def __init__(self, service: Container, has_redis: Callable[[], bool]) -> None:
        self.service = service
        self.settings = service.settings
        self.clock = SystemClock()
        self.has_redis = has_redis
        self.dates: dict[str, datetime | None] = {}
        self.courses: list[Course] = []
        self.students: dict[str, set[str]] = {}
        self.sections: Mapping[str, RosteredSection] = {}
        self.missing_grants: set[str] = set()

    @cached_property
    def canvas(self) -> CanvasClient:
        """The Canvas client."""
        return private_canvas(self.settings, self.clock)

    @cached_property
    def powerschool(self) -> PowerSchool:
        """The PowerSchool client, as fast as the workers together: PowerSchool's limit is for all of them."""
        interval = timedelta(milliseconds=self.settings.powerschool_min_interval_ms)
        if self.has_redis():
            rates = {rate.system: rate.interval for rate in rates_of(self.service)}
            interval = max(interval, rates["powerschool"])
        return private_powerschool(self.settings, self.clock, interval, self._stored_ids)

    def close(self) -> None:
        """Close the connections that were opened."""
        for name in ("canvas", "powerschool"):
            if name in self.__dict__:
                getattr(self, name).close()

    def sample_ids(self) -> list[str]:
        """Return connected courses; if there are none, some courses with SIS sync in Canvas."""
        now = self.clock.now()
        connected = []
        if self.has_redis():
            connected = self.service.records.least_recently_visited(now + timedelta(days=1), SAMPLE)
        return connected or list(dict.fromkeys(islice(self.canvas.courses_to_sync(now), MAX_ASSIGNMENTS)))[:SAMPLE]

    def section_sis_ids(self) -> list[str]:
        """Return the SIS ids of the sample's sections."""
        return sorted({s.sis_section_id for course in self.courses for s in course.sections if s.sis_section_id})

    def _stored_ids(self) -> Mapping[int, str]:
        return stored_student_ids(self.service.redis, self.service.keys) if self.has_redis() else {}
