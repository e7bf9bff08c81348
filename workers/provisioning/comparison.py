"""Compares a plan with what Canvas was given last: as a whole, and by school."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.clock import Clock
from shared.domain.provisioning.hold_reasons import Hold, HoldReason, hold_for
from shared.domain.provisioning.imports.corrections import (
    CanvasUsers,
    SisIdChange,
    change_imports,
    corrections_before,
    with_new_ids,
)
from shared.domain.provisioning.imports.sis_imports import DataSetChange, ImportProgress
from shared.domain.provisioning.imports.uploads import LastApplied, PlannedImport
from shared.domain.provisioning.live_rows import LiveHistory
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, differences, in_order, value
from shared.domain.provisioning.rows.terms import ended_terms
from shared.domain.provisioning.run import Run, RunCause, RunKind, digest_of, plan_digest_of
from shared.domain.provisioning.school_plans import plan_without
from shared.ports.provisioning import RosterFeed, SisImports
from workers.provisioning.corrections import last_applied
from workers.provisioning.planning import PlanBuilder
from workers.provisioning.upload_planner import UploadPlanner, correction_change

# A run is looked at by people: it names so many problems, and counts the rest.
MAX_PROBLEMS = 200

Applied = Mapping[DataSetKey, LastApplied]
Replan = Callable[[frozenset[str]], ImportPlan]
"""Plans the same rosters again, with the SIS ids of these records left as they are."""


@dataclass(frozen=True, slots=True)
class SchoolPlan:
    """What a doubtful school's rows would become: the reasons to hold them, and the rows that would change.

    `rows` holds the changed rows alone, before and after, by their digests.
    """

    school_number: int
    holds: tuple[Hold, ...]
    plan_digest: str
    changes: tuple[DataSetChange, ...]
    rows: Mapping[str, DataSet]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was planned, the imports it takes, and the reasons to hold it.

    With `schools` the imports leave the rows of those schools as they are, and `holds` are about those schools alone;
    without, `holds` are about the whole plan. `corrections` come before the imports, as imports of their own.
    `renumbered` are rows that were applied, by digest, by the SIS ids that people will have.
    """

    plan: ImportPlan
    imports: tuple[PlannedImport, ...]
    holds: tuple[Hold, ...]
    plan_digest: str
    schools: tuple[SchoolPlan, ...] = ()
    corrections: tuple[DataSet, ...] = ()
    renumbered: Mapping[str, DataSet] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[DataSetChange, ...]:
        """What the corrections and the imports change, by data set."""
        corrections = (correction_change(rows) for rows in self.corrections)
        return (*corrections, *(change for planned in self.imports for change in planned.changes))

    @property
    def is_held(self) -> bool:
        """Say whether the plan as a whole waits for a person."""
        return bool(self.holds) and not self.schools


class PlanComparer:
    """Reads and plans rosters, and compares the plan with what Canvas was given last. Stores nothing."""

    def __init__(
        self,
        feed: RosterFeed,
        planner: PlanBuilder,
        runs: ProvisionRuns,
        imports: SisImports,
        uploads: UploadPlanner,
        clock: Clock,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._feed = feed
        self._planner = planner
        self._runs = runs
        self._imports = imports
        self._uploads = uploads
        self._clock = clock
        self._zone = zone

    def dry_run(self) -> Comparison:
        """Return what a run would do that a person asks for now."""
        return self.compare(Run("", RunKind.ROSTER, RunCause.PERSON, self._clock.now()))

    def compare(self, run: Run, target: Sequence[DataSet] | None = None) -> Comparison:
        """Read and plan, or take `target` as the plan, and compare it with what was applied.

        The result is about everything, about all but the doubtful schools, or about the run's school alone.
        """
        last = {state.key: last_applied(self._runs, state) for state in self._runs.data_set_states()}
        applied = [rows for each in last.values() if (rows := each.candidates) is not None]
        known = CanvasUsers(run.refused_ids, frozenset(run.refused_logins), self._runs.former_logins())
        replan = self._planned(applied, known) if target is None else _always(ImportPlan(tuple(target)))
        plan = replan(frozenset())
        digests = {each.key: digest_of(each) for each in plan.data_sets}
        holds: tuple[Hold, ...] = ()
        if run.kind is not RunKind.ROLLBACK:
            accounts = _missing_accounts(self._imports, applied, plan.data_sets)
            holds = (*plan.holds, *accounts, *_hold_reasons(last, digests, run.cause))
        only = run.school_number
        if only is not None:
            # A hold of the whole district is one of the school.
            school = _school_plan(only, applied, plan, holds, run.corrections)
            compared = self._imports_of(run, plan, replan, last, applied, known, lambda number: number != only)
            return replace(compared, holds=school.holds, plan_digest=school.plan_digest)
        plan_digest = plan_digest_of((*digests.items(), *_id_imports(plan.id_changes, run.corrections)))
        held_schools: frozenset[int] = frozenset()
        if run.approved_plan != plan_digest:
            held_schools = _schools_apart(applied, plan.data_sets, holds)
        schools = tuple(_school_plan(school, applied, plan, holds, ()) for school in held_schools)
        is_held = held_schools.__contains__ if held_schools else None
        compared = self._imports_of(run, plan, replan, last, applied, known, is_held)
        return replace(compared, holds=holds, plan_digest=plan_digest, schools=schools)

    def _planned(self, applied: Sequence[DataSet], known: CanvasUsers) -> Replan:
        roster = self._feed.read()
        history = LiveHistory(self._clock.now(), tuple(self._runs.live_history()))
        return lambda waiting: self._planner.plan(roster, applied, history, replace(known, waiting=waiting))

    def _imports_of(
        self,
        run: Run,
        plan: ImportPlan,
        replan: Replan,
        last: Applied,
        applied: Sequence[DataSet],
        known: CanvasUsers,
        is_held: Callable[[int], bool] | None,
    ) -> Comparison:
        """Return what the plan takes where the rows of every school that `is_held` are left as they are."""
        waiting = frozenset(each.source for each in plan.id_changes if is_held and is_held(each.school_number))
        plan = replan(waiting) if waiting else plan
        ids = {change.old: change.new for change in plan.id_changes}
        if ids:
            last = {key: each.with_new_ids(ids) for key, each in last.items()}
        before = [with_new_ids(each, ids) for each in applied]
        data_sets = plan_without(before, plan.data_sets, is_held) if is_held else plan.data_sets
        corrections = corrections_before(data_sets, applied, plan.id_changes, known)
        renumbered = {digest_of(each.rows): each.rows for each in last.values() if ids and each.rows}
        over = ended_terms(data_sets, self._uploads.today(), self._zone())
        ordered = sorted(data_sets, key=lambda each: each.key.sort_key)
        imports = self._uploads.plan_uploads(ordered, last, over, renew=run.cause is RunCause.SCHEDULE)
        return Comparison(plan, imports, (), "", corrections=corrections, renumbered=renumbered)


def _always(plan: ImportPlan) -> Replan:
    return lambda _: plan


def _hold_reasons(last: Applied, digests: Mapping[DataSetKey, str], cause: RunCause) -> tuple[Hold, ...]:
    """Return the holds that do not depend on the rows. A person who requests the first run has approved it."""
    if not any(each.digest for each in last.values()):
        return () if cause is RunCause.PERSON else (hold_for(HoldReason.FIRST_RUN),)
    expired = (key for key, each in last.items() if key in digests and each.digest and each.rows is None)
    if any(last[key].digest != digests[key] for key in expired):
        return (hold_for(HoldReason.ROWS_EXPIRED),)
    return ()


def _missing_accounts(imports: SisImports, applied: Iterable[DataSet], planned: Sequence[DataSet]) -> list[Hold]:
    """Return a reason to hold each school of which new or changed courses name an account that Canvas has not.

    Canvas takes no course of an account that it has not. It is asked once for each account; nothing where no course
    changes.
    """
    courses = [data_set for data_set in planned if data_set.key.entity is Entity.COURSES]
    named: dict[str, dict[int, int]] = {}
    for changes in differences(applied, courses).values():
        for row in (change.after for change in changes if change.after):
            schools = named.setdefault(value(Entity.COURSES, row, "account_id"), {})
            schools[row.school_number] = schools.get(row.school_number, 0) + 1
    named.pop("", None)
    missing = imports.missing_accounts(named) if named else ()
    return [
        hold_for(HoldReason.ACCOUNT_MISSING, Entity.COURSES, school, detail=f"account {account}, {count} courses")
        for account in sorted(missing)
        for school, count in sorted(named[account].items())
    ]


def _schools_apart(applied: Iterable[DataSet], planned: Iterable[DataSet], holds: Iterable[Hold]) -> frozenset[int]:
    """Return the schools that are held alone: none where a hold is about the whole district, or no school is left."""
    numbers = {hold.school_number for hold in holds}
    if not numbers or None in numbers:
        return frozenset()
    held_schools = frozenset(number for number in numbers if number is not None)
    schools = {row.school_number for data_set in (*applied, *planned) for row in data_set.rows}
    return held_schools if schools - held_schools - {DISTRICT_SCHOOL_NUMBER} else frozenset()


def _school_plan(
    school: int,
    applied: Sequence[DataSet],
    plan: ImportPlan,
    holds: Iterable[Hold],
    corrected: Sequence[ImportProgress],
) -> SchoolPlan:
    """Return what changes of a school's rows alone. Its digest stands for exactly those changes.

    `corrected` are the corrections that were made for the school already.
    """
    ids = {change.old: change.new for change in plan.id_changes}
    all_before = [with_new_ids(each, ids) for each in applied]
    changes = []
    rows: dict[str, DataSet] = {}
    all_after = plan_without(all_before, plan.data_sets, lambda number: number != school)
    for key, changed in differences(all_before, all_after).items():
        before = DataSet(key, in_order(row.before for row in changed if row.before))
        after = DataSet(key, in_order(row.after for row in changed if row.after))
        digests = (digest_of(before), digest_of(after))
        rows |= dict(zip(digests, (before, after), strict=True))
        changes.append(DataSetChange.of(key, *digests, changed))
    id_changes = [change for change in plan.id_changes if change.school_number == school]
    renumbering = change_imports(id_changes)
    rows |= {digest_of(each): each for each in renumbering}
    content = ((change.key, f"{change.before}-{change.after}") for change in changes)
    digest = plan_digest_of((*content, *_id_imports(id_changes, corrected)))
    reasons = tuple(hold for hold in holds if hold.school_number in (None, school))
    return SchoolPlan(school, reasons, digest, (*map(correction_change, renumbering), *changes), rows)


def _id_imports(
    id_changes: Sequence[SisIdChange], corrected: Iterable[ImportProgress]
) -> Iterator[tuple[DataSetKey, str]]:
    """Yield what stands for the SIS ids that a plan changes: those that were changed for it already are part of it."""
    for upload in corrected:
        for part in upload.parts:
            if part.key.entity is Entity.SIS_ID_CHANGES:
                yield part.key, part.digest
    for each in change_imports(id_changes):
        yield each.key, digest_of(each)
