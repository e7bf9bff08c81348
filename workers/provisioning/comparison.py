"""Compares a plan with what Canvas was given last: as a whole, by school, and row by row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.domain.provisioning.diff import ChangedRow, row_changes
from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.sis_id_changes import SisIdChange, change_imports, with_new_ids
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER
from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, Entity
from shared.domain.provisioning.run import DataSetChange, ImportProgress, Run, digest_of, plan_digest_of
from shared.domain.provisioning.school_plans import changed_rows_of, plan_without
from workers.provisioning.imports.upload_planner import PlannedImport, correction_change


@dataclass(frozen=True, slots=True)
class SchoolPlan:
    """What a doubtful school's rows would become: the reasons to look first, and the rows that would change.

    `rows` holds the changed rows alone, before and after, by their digests.
    """

    school_number: int
    holds: tuple[Hold, ...]
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

    planned: ImportPlan
    prepared: tuple[PlannedImport, ...]
    holds: tuple[Hold, ...]
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


@dataclass(frozen=True, slots=True)
class ChangedDataSet:
    """What a run changes in a data set, row by row. `is_known` is False once the rows' time is over."""

    change: DataSetChange
    rows: Sequence[ChangedRow]
    is_known: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of a row."""
        return HEADERS[self.change.key.entity]


def changed_rows(runs: ProvisionRuns, run: Run) -> Iterator[ChangedDataSet]:
    """Yield the rows that a run changes or would change, a data set after the other. They hold names."""
    return (_changed(runs, change) for change in run.changes)


def _changed(runs: ProvisionRuns, change: DataSetChange) -> ChangedDataSet:
    before = runs.rows(change.before) if change.before else None
    after = runs.rows(change.after)
    if after is None or (change.before and before is None):
        return ChangedDataSet(change, (), is_known=False)
    return ChangedDataSet(change, row_changes(before, after))


def compared_rows(runs: ProvisionRuns, compared: Comparison) -> list[ChangedDataSet]:
    """Return the rows that a plan would change, whose rows are not kept yet: also those that wait. They hold names."""
    found = [ChangedDataSet(correction_change(rows), row_changes(None, rows)) for rows in compared.corrections]
    for part in compared.prepared:
        for change in part.changes:
            digest = change.before
            before = (compared.renumbered.get(digest) or runs.rows(digest)) if digest else None
            found.append(ChangedDataSet(change, row_changes(before, part.rows[change.after])))
    for school in compared.schools:
        for change in school.changes:
            before = school.rows[change.before] if change.before else None
            found.append(ChangedDataSet(change, row_changes(before, school.rows[change.after])))
    return found


def schools_apart(applied: Iterable[DataSet], planned: Iterable[DataSet], holds: Iterable[Hold]) -> frozenset[int]:
    """Return the schools whose doubts hold them alone: none where a doubt is about all, or no school is left."""
    numbers = {hold.school_number for hold in holds}
    if not numbers or None in numbers:
        return frozenset()
    doubtful = frozenset(number for number in numbers if number is not None)
    schools = {row.school_number for data_set in (*applied, *planned) for row in data_set.rows}
    return doubtful if schools - doubtful - {DISTRICT_SCHOOL_NUMBER} else frozenset()


def school_plan(
    school: int,
    applied: Sequence[DataSet],
    planned: ImportPlan,
    holds: Iterable[Hold],
    corrected: Sequence[ImportProgress],
) -> SchoolPlan:
    """Return what changes of a school's rows alone. Its digest stands for exactly those changes.

    `corrected` are the corrections that were made for the school already.
    """
    ids = {change.old: change.new for change in planned.id_changes}
    before_all = [with_new_ids(each, ids) for each in applied]
    found = changed_rows_of(before_all, plan_without(before_all, planned.data_sets, lambda number: number != school))
    changes = []
    rows: dict[str, DataSet] = {}
    for each in found:
        before, after = digest_of(each.before), digest_of(each.after)
        rows |= {before: each.before, after: each.after}
        changes.append(DataSetChange(each.after.key, before, after, each.added, each.changed, each.removed))
    id_changes = [change for change in planned.id_changes if change.school_number == school]
    renumbering = change_imports(id_changes)
    rows |= {digest_of(each): each for each in renumbering}
    digests = ((change.key, f"{change.before}-{change.after}") for change in changes)
    digest = plan_digest_of((*digests, *id_imports(id_changes, corrected)))
    own = tuple(hold for hold in holds if hold.school_number in (None, school))
    return SchoolPlan(school, own, digest, (*map(correction_change, renumbering), *changes), rows)


def id_imports(
    id_changes: Sequence[SisIdChange], corrected: Iterable[ImportProgress]
) -> Iterator[tuple[DataSetKey, str]]:
    """Yield what stands for the SIS ids that a plan changes: those that were changed for it already are part of it."""
    for upload in corrected:
        for part in upload.parts:
            if part.key.entity is Entity.SIS_ID_CHANGES:
                yield part.key, part.digest
    for each in change_imports(id_changes):
        yield each.key, digest_of(each)
