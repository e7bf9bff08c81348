"""A plan beside what Canvas was given last."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.provisioning.rows.sis_rows import DataSet
from shared.domain.provisioning.run import DataSetChange, StoredHold
from workers.provisioning.imports.upload_planner import PlannedImport, correction_change
from workers.provisioning.planning import PlanResult


@dataclass(frozen=True, slots=True)
class SchoolPlan:
    """What a doubtful school's rows would become: the reasons to look first, and the rows that would change.

    `rows` holds the changed rows alone, before and after, by their digests.
    """

    school_number: int
    holds: tuple[StoredHold, ...]
    plan_digest: str
    changes: tuple[DataSetChange, ...]
    rows: Mapping[str, DataSet]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was planned, the imports it takes, and why a person should look first.

    With `schools` the imports leave the rows of those schools as they are, and `holds` are about those schools alone;
    without, `holds` are about the whole plan. `corrections` come before the imports, as imports of their own.
    `renumbered` are rows that were applied, by digest, by the SIS ids that people will have.
    """

    planned: PlanResult
    prepared: tuple[PlannedImport, ...]
    holds: tuple[StoredHold, ...]
    plan_digest: str
    schools: tuple[SchoolPlan, ...] = ()
    corrections: tuple[DataSet, ...] = ()
    renumbered: Mapping[str, DataSet] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[DataSetChange, ...]:
        """What the corrections and the imports change, by data set."""
        corrections = (correction_change(rows) for rows in self.corrections)
        return (*corrections, *(change for part in self.prepared for change in part.changes))

    @property
    def is_held(self) -> bool:
        """Say whether the plan as a whole waits for a person."""
        return bool(self.holds) and not self.schools
