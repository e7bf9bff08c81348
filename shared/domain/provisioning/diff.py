"""Compares two states of the data sets, row by row."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, SisRow, in_order


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that differs: `before` is None where it is new, `after` where it is gone."""

    before: SisRow | None
    after: SisRow | None

    @property
    def kind(self) -> str:
        """Return `added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "changed" if self.after is not None else "removed"

    @property
    def source(self) -> str:
        """Return the PowerSchool record that the row comes from; empty where none is stored."""
        row = self.after or self.before
        return row.source if row else ""


@dataclass(frozen=True, slots=True)
class DataSetDifference:
    """The rows of one data set that were added, removed or changed, sorted. Source and school are not compared."""

    key: DataSetKey
    added: tuple[SisRow, ...] = ()
    removed: tuple[SisRow, ...] = ()
    changed: tuple[tuple[SisRow, SisRow], ...] = ()
    """Pairs of the row before and after."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def differences(before: Iterable[DataSet], after: Iterable[DataSet]) -> tuple[DataSetDifference, ...]:
    """Return the differences of all data sets of `after`, in Canvas's order, without those that are equal.

    A data set that `after` does not name is left alone, so that it makes no difference.
    """
    old = {data_set.key: data_set for data_set in before}
    found = (difference(old.get(data_set.key), data_set) for data_set in after)
    return tuple(sorted((d for d in found if d), key=lambda d: d.key.sort_key))


def difference(before: DataSet | None, after: DataSet) -> DataSetDifference:
    """Return what differs within one data set; all is new where there was none."""
    key = after.key
    old = {row.key(key.entity): row for row in (before.rows if before else ())}
    new = {row.key(key.entity): row for row in after.rows}
    common = ((old[identity], new[identity]) for identity in sorted(old.keys() & new.keys()))
    return DataSetDifference(
        key,
        added=in_order(new[id_] for id_ in new.keys() - old.keys()),
        removed=in_order(old[id_] for id_ in old.keys() - new.keys()),
        changed=tuple((was, now) for was, now in common if was.values != now.values),
    )


def row_changes(before: DataSet | None, after: DataSet) -> list[ChangedRow]:
    """Return the rows that differ: new ones first, then changed ones, then those that are gone."""
    found = difference(before, after)
    return [
        *(ChangedRow(None, row) for row in found.added),
        *(ChangedRow(was, now) for was, now in found.changed),
        *(ChangedRow(row, None) for row in found.removed),
    ]
