"""The named queries of the passback plugin, and what to do where PowerSchool does not run one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

STATE_QUERY = "org.passback.sync.gradebook.state"
PROVISIONING_PREFIX = "org.passback.sync.provisioning."


class QueryFault(StrEnum):
    """Why PowerSchool does not run a query. The values are causes of waits."""

    MISSING = "powerschool_query_missing"
    """404: there is no query of this name."""
    NOT_GRANTED = "powerschool_query_not_granted"
    """403: the plugin was not granted a field that the query returns."""
    OUTDATED = "powerschool_query_outdated"
    """400: the installed query does not declare the arguments of this version."""

    @property
    def meaning(self) -> str:
        """What is wrong, as the end of a sentence whose subject is the query."""
        return _MEANINGS[self]

    @property
    def remedy(self) -> str:
        """What an administrator does about it."""
        return _REMEDIES[self]


_MEANINGS = {
    QueryFault.MISSING: "is not installed",
    QueryFault.NOT_GRANTED: "returns a field that the plugin is not granted",
    QueryFault.OUTDATED: "is of another version of the plugin",
}
_REMEDIES = {
    QueryFault.MISSING: (
        "Install deploy/powerschool-plugin of this version in PowerSchool and enable it; if it is enabled, enable "
        "customization too (System Settings > Customization)."
    ),
    QueryFault.NOT_GRANTED: (
        "Install deploy/powerschool-plugin of this version and approve every field of its access request."
    ),
    QueryFault.OUTDATED: "Update deploy/powerschool-plugin in PowerSchool to the version that came with this passback.",
}


@dataclass(frozen=True, slots=True)
class UnavailableQuery:
    """A query that PowerSchool did not run. `since` is its first refusal in a row, `asked_at` the newest one."""

    name: str
    fault: QueryFault
    since: datetime
    asked_at: datetime

    @property
    def sentence(self) -> str:
        """What is wrong, in a sentence."""
        return f"The query {self.name} {self.fault.meaning}."
