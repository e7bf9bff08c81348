"""The exact rows that a run changes, from what is kept of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.domain.provisioning.diff import ChangedRow, row_changes
from shared.domain.provisioning.rows.sis_rows import HEADERS
from shared.domain.provisioning.run import DataSetChange, Run
from workers.provisioning.imports.upload_planner import correction_change
from workers.provisioning.reports.comparison import Comparison


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
