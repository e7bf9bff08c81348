"""Everything that talks to PowerSchool, under one roof."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.gradebook.client import Gradebook
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.powerschool.rosters.reader import SectionRosterReader


@dataclass(frozen=True, slots=True)
class PowerSchool:
    """The ports `gradebook` and `roster`, and what provisioning and `doctor` use beside them."""

    gradebook: Gradebook
    roster: SectionRosterReader
    metadata: MetadataReader
    api: PowerSchoolApi
    queries: PowerQueries

    def district_time_zone(self) -> ZoneInfo:
        """Return the zone PowerSchool runs in, for when the setting is unset."""
        return self.metadata.time_zone()

    def close(self) -> None:
        """Close the connections."""
        self.api.close()
