"""Provisioning's view of PowerSchool: the port `RosterFeed`, which has no way to write."""

from collections.abc import Callable
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.adapters.powerschool.provisioning.data_version import changes_since
from shared.adapters.powerschool.provisioning.queries import QueriedFeed
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool
from shared.domain.provisioning.roster import Roster
from shared.ports.provisioning import DataVersion, RosterFeed


class RosterIndex(Protocol):
    """Where passback keeps the sections it knows."""

    def moment(self) -> str:
        """Return what a reading that begins now belongs to."""
        ...

    def store_roster(self, roster: Roster, moment: str) -> int:
        """Keep the sections of a roster; return how many."""
        ...


class PowerSchoolRosterFeed:
    """A `RosterFeed`, by the plugin's queries. Thread-safe."""

    def __init__(self, api: ReadOnlyPowerSchool, queried: QueriedFeed) -> None:
        self._api = api
        self._queried = queried

    def read(self) -> Roster:
        """Return all rosters of the school years under way or near. Raises: IncompleteRead; QueryUnavailable."""
        return self._queried.read()

    def changes_since(self, version: str | None) -> DataVersion | None:
        """Return the newest data version; None where this PowerSchool does not tell."""
        return changes_since(self._api, version)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()


class IndexingFeed:
    """A `RosterFeed` whose every reading also refreshes what passback remembers of sections and students."""

    def __init__(
        self, feed: RosterFeed, index: RosterIndex, close: Callable[[], None], time_zone: Callable[[], ZoneInfo]
    ) -> None:
        self._feed = feed
        self._index = index
        self._close = close
        self._time_zone = time_zone

    def read(self) -> Roster:
        """Return all rosters, remembered."""
        # Taken before PowerSchool is read: what is read while rosters change counts as read before they did.
        moment = self._index.moment()
        roster = self._feed.read()
        self._index.store_roster(roster, moment)
        return roster

    def time_zone(self) -> ZoneInfo:
        """Return the zone PowerSchool runs in, for when the setting is unset."""
        return self._time_zone()

    def changes_since(self, version: str | None) -> DataVersion | None:
        """Return the newest data version."""
        return self._feed.changes_since(version)

    def close(self) -> None:
        """Close the connections."""
        self._close()
