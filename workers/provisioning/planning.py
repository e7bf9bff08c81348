"""Rosters as data sets, doubts about them, and Canvas's words about a row in plain ones."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo

from shared.clock import Clock
from shared.config import Settings
from shared.domain.provisioning.hold_reasons import HoldFinding
from shared.domain.provisioning.imports.row_errors import explain_row_error, row_of
from shared.domain.provisioning.imports.sis_id_changes import SisIdChange, with_new_ids
from shared.domain.provisioning.plan import plan_roster
from shared.domain.provisioning.problems import RosterProblem
from shared.domain.provisioning.roster import Roster
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, RowError
from shared.domain.provisioning.rows.users import NOTHING_KNOWN, CanvasUsers
from shared.domain.provisioning.run import ImportMessage, StoredHold
from shared.domain.provisioning.safety import roster_facts, safety_findings
from shared.domain.provisioning.school_sizes import LiveHistory
from workers.provisioning.from_settings import limits, provisioning_policy

# A run is looked at by people: it names so many problems, and counts the rest.
NAMED_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What Canvas should hold, and why a person should look first.

    `findings` counts what could not go to Canvas as it is, by code; `problems` are the first of them. The rest is as in
    a `ImportPlan`.
    """

    data_sets: tuple[DataSet, ...]
    holds: tuple[StoredHold, ...] = ()
    findings: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[RosterProblem, ...] = ()
    id_changes: tuple[SisIdChange, ...] = ()
    kept_ids: Mapping[str, str] = field(default_factory=dict)


class PlanBuilder:
    """Turns rosters into data sets by the settings, and explains Canvas's row messages.

    `zone` returns the district's time zone, which may be read from PowerSchool.
    """

    def __init__(self, settings: Settings, zone: Callable[[], tzinfo], clock: Clock) -> None:
        self._settings = settings
        self._zone = zone
        self._clock = clock

    def plan(
        self,
        roster: Roster,
        applied: Sequence[DataSet],
        history: LiveHistory | None = None,
        canvas: CanvasUsers = NOTHING_KNOWN,
    ) -> PlanResult:
        """Return what Canvas should hold, compared with what it was given last, and a day and a week ago."""
        zone, today = self._zone(), self.today()
        plan = plan_roster(roster, provisioning_policy(self._settings, zone), today, applied, canvas)
        renumbered = {change.old: change.new for change in plan.id_changes}
        before = [with_new_ids(each, renumbered) for each in applied]
        facts, bounds = roster_facts(roster, today, zone), limits(self._settings)
        holds = safety_findings(before, plan.data_sets, facts, bounds, history, frozenset(renumbered.values()))
        findings = Counter(problem.code.value for problem in plan.problems)
        return PlanResult(
            plan.data_sets,
            tuple(map(_hold, holds)),
            findings,
            plan.problems[:NAMED_PROBLEMS],
            plan.id_changes,
            plan.kept_ids,
        )

    def explained(self, key: DataSetKey, data_set: DataSet | None, import_id: int, error: RowError) -> ImportMessage:
        """Return what Canvas said about a row in plain words, with the PowerSchool record to mend."""
        told = explain_row_error(error.message, row_of(key, data_set, error))
        return ImportMessage(key, import_id, error, told.sentence, told.remedy, told.source)

    def today(self) -> date:
        """Return the district's calendar date."""
        return self._clock.now().astimezone(self._zone()).date()


def _hold(hold: HoldFinding) -> StoredHold:
    return StoredHold(hold.reason.value, hold.sentence, hold.remedy, hold.entity, hold.school_number)
