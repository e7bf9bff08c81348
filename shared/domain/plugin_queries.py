"""The named queries of the passback plugin, and what to do where PowerSchool does not run one."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.causes import Cause

STATE_QUERY = "org.passback.sync.gradebook.state"
PROVISIONING_PREFIX = "org.passback.sync.provisioning."
# Optional: a district installs them to let `passback totals` read PowerSchool's own grades.
TERM_GRADES_QUERY = "org.passback.sync.totals.term_grades"
FORMULAS_QUERY = "org.passback.sync.totals.formulas"


# Why PowerSchool does not run a query. 404: it has none of this name. 403: the plugin was not granted a field that the
# query returns. 400: the installed query does not declare the arguments of this version.
QUERY_FAULTS = (Cause.QUERY_MISSING, Cause.QUERY_NOT_GRANTED, Cause.QUERY_OUTDATED)


@dataclass(frozen=True, slots=True)
class UnavailableQuery:
    """A query that PowerSchool did not run. `since` is its first refusal in a row, `asked_at` the newest one."""

    name: str
    fault: Cause
    since: datetime
    asked_at: datetime

    @property
    def sentence(self) -> str:
        """What is wrong, in a sentence."""
        return f"{self.name}: {self.fault.meaning}"
