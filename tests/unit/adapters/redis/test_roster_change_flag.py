"""A hint that rosters changed, when it comes at the worst moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import redis

from shared.adapters.powerschool import PowerSchool
from shared.adapters.powerschool.cache import JsonCache
from shared.adapters.powerschool.rosters.reader import SectionAddress, SectionRosterReader
from shared.adapters.powerschool.rosters.sis_ids import section_template
from shared.adapters.redis.keys import Keys
from shared.domain.passback.powerschool import RosteredSection, Term

TODAY = datetime(2031, 10, 6, tzinfo=UTC).date()
TERM = Term(TODAY, TODAY + timedelta(days=90), 41)


@dataclass
class Source:
    """Rosters that are read; `meanwhile` happens during the first reading."""

    meanwhile: Callable[[], None]
    readings: list[str] = field(default_factory=list)

    def read(self, addresses: Sequence[SectionAddress], today: date) -> list[RosteredSection]:
        """Return an empty section for each address."""
        if not self.readings:
            self.meanwhile()
        self.readings += [address.sis_id for address in addresses]
        return [RosteredSection(a.sis_id, a.dcid, 100, None, TERM, {}) for a in addresses]


def test_a_roster_read_while_rosters_change_is_read_again(
    ps: PowerSchool, redis_client: redis.Redis, keys: Keys
) -> None:
    """A hint that comes while PowerSchool is being read may be about what was read already."""
    hints = [""]
    source = Source(meanwhile=lambda: hints.append("@1"))
    cache, template = JsonCache(redis_client, keys), section_template("{section_dcid}")
    roster = SectionRosterReader(source, ps.queries, cache, template, lambda: TODAY, last_change=lambda: hints[-1])
    for _ in range(3):
        roster.sections(["6100"])
    assert source.readings == ["6100", "6100"]
