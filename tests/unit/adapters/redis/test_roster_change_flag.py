"""A hint that rosters changed, when it comes at the worst moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import redis

from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.rosters.reader import SECTIONS, QuerySectionRow, SectionRosters
from shared.adapters.redis.cache import JsonCache
from shared.adapters.redis.keys import Keys
from shared.clock import SystemClock
from shared.domain.provisioning.policy import SisIdTemplate

TODAY = datetime(2031, 10, 6, tzinfo=UTC).date()


@dataclass
class Source:
    """Rosters that are read; `meanwhile` happens during the first reading."""

    meanwhile: Callable[[], None]
    readings: list[int] = field(default_factory=list)

    def rows(self, listed: QueryList[Any], args: Mapping[str, Sequence[int]]) -> list[QuerySectionRow]:
        """Return a row for each section, and no students."""
        if listed is not SECTIONS:
            return []
        if not self.readings:
            self.meanwhile()
        self.readings += args["section_dcids"]
        term = {"year_id": 41, "first_day": TODAY, "last_day": TODAY + timedelta(days=90)}
        return [QuerySectionRow(section_dcid=dcid, school_number=100, **term) for dcid in args["section_dcids"]]


def test_a_roster_read_while_rosters_change_is_read_again(redis_client: redis.Redis, keys: Keys) -> None:
    """A hint that comes while PowerSchool is being read may be about what was read already."""
    hints = [""]
    source = Source(meanwhile=lambda: hints.append("@1"))
    cache = JsonCache(redis_client, keys)
    ids, students = SisIdTemplate("{section_dcid}"), SisIdTemplate("{student_number}")
    roster = SectionRosters(source, cache, ids, students, SystemClock(), lambda: ZoneInfo("UTC"), lambda: hints[-1])
    for _ in range(3):
        roster.sections(["6100"])
    assert source.readings == [6100, 6100]
