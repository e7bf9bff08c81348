"""What the passback plugin gives in PowerSchool: named queries, and the columns that passback's calls need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.causes import Cause

STATE_QUERY = "org.passback.sync.gradebook.state"
PROVISIONING_PREFIX = "org.passback.sync.provisioning."
# Optional: a district installs them to let `passback totals` read PowerSchool's own grades.
TERM_GRADES_QUERY = "org.passback.sync.totals.term_grades"
FORMULAS_QUERY = "org.passback.sync.totals.formulas"

# Why PowerSchool does not run a query. 404: it has none of this name. 403: the plugin was not granted a field that the
# query returns. 400: the installed query does not declare the arguments of this version, which are all that is sent.
QUERY_FAULTS = {404: Cause.QUERY_MISSING, 403: Cause.QUERY_NOT_GRANTED, 400: Cause.QUERY_OUTDATED}


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


_AUDIT = "whocreated whencreated whomodified whenmodified"

# `plugin.xml` requests them all, and `doctor` probes them.
# PowerSchool refuses a whole write for one column without a grant, also for columns that it fills itself.
GRANTS: Mapping[str, tuple[str, ...]] = {
    table: tuple(columns.split())
    for table, columns in {
        "assignment": f"assignmentid createdbyplugin {_AUDIT}",
        "assignmentsection": f"""
            assignmentsectionid assignmentid sectionsdcid name duedate description scoretype scoreentrypoints weight
            totalpointvalue iscountedinfinalgrade isscorespublish {_AUDIT}
        """,
        "assignmentcategoryassoc": f"assignmentcategoryassocid assignmentsectionid teachercategoryid {_AUDIT}",
        "assignmentscore": f"""
            assignmentscoreid assignmentsectionid studentsdcid scorepoints actualscoreentered actualscorekind ismissing
            isexempt islate iscollected isabsent isincomplete {_AUDIT}
        """,
        "teachercategory": "teachercategoryid name isactive",
    }.items()
}
