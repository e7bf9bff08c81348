"""Reads the rows that a run or a plan changes, one by one. They hold names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.domain.provisioning.diff import ChangedRow, row_changes
from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet
from shared.domain.provisioning.run import DataSetChange, Run
from workers.provisioning.comparison import Comparison
from workers.provisioning.imports.upload_planner import correction_change


@dataclass(frozen=True, slots=True)
class ChangedDataSet:
    """What a run changes in a data set, row by row. `is_known` is False once the rows have expired."""

    change: DataSetChange
    rows: Sequence[ChangedRow]
    is_known: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of a row."""
        return HEADERS[self.change.key.entity]


def changed_rows(runs: ProvisionRuns, run: Run) -> Iterator[ChangedDataSet]:
    """Yield the rows that a run changes or would change, one data set after the other."""
    for change in run.changes:
        before = runs.rows(change.before) if change.before else None
        after = runs.rows(change.after)
        if after is None or (change.before and before is None):
            yield ChangedDataSet(change, (), is_known=False)
        else:
            yield ChangedDataSet(change, row_changes(before, after))


def compared_rows(runs: ProvisionRuns, compared: Comparison) -> Iterator[ChangedDataSet]:
    """Yield the rows that a plan whose rows are not stored yet would change, also those that are held."""
    for rows in compared.corrections:
        yield ChangedDataSet(correction_change(rows), row_changes(None, rows))
    for planned in compared.imports:
        for change in planned.changes:
            before = _rows_before(runs, change, compared.renumbered)
            yield ChangedDataSet(change, row_changes(before, planned.rows[change.after]))
    for school in compared.schools:
        for change in school.changes:
            before = _rows_before(runs, change, school.rows)
            yield ChangedDataSet(change, row_changes(before, school.rows[change.after]))


def _rows_before(runs: ProvisionRuns, change: DataSetChange, rows: Mapping[str, DataSet]) -> DataSet | None:
    return (rows.get(change.before) or runs.rows(change.before)) if change.before else None
