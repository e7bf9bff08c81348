"""What differs between two states of the data sets, row by row, for a person to look at."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, SisRow, in_order


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row before and after."""

    before: SisRow
    after: SisRow

    def columns(self, key: DataSetKey) -> tuple[str, ...]:
        """Return the names of the columns that differ."""
        pairs = zip(HEADERS[key.entity], self.before.values, self.after.values, strict=True)
        return tuple(column for column, old, new in pairs if old != new)


@dataclass(frozen=True, slots=True)
class DataSetDifference:
    """The rows of one data set that came, went or changed, sorted. Where a row came from and counts is no change."""

    key: DataSetKey
    added: tuple[SisRow, ...] = ()
    removed: tuple[SisRow, ...] = ()
    changed: tuple[ChangedRow, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def differences(before: Iterable[DataSet], after: Iterable[DataSet]) -> tuple[DataSetDifference, ...]:
    """Return the differences of all data sets of `after`, in Canvas's order, without those that are equal.

    A data set that `after` does not name is left alone, so that it makes no difference.
    """
    old = {data_set.key: data_set for data_set in before}
    found = (difference(old.get(data_set.key), data_set) for data_set in after)
    return tuple(sorted((d for d in found if d), key=lambda d: d.key.place))


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
        changed=tuple(ChangedRow(was, now) for was, now in common if was.values != now.values),
    )


def applied(before: DataSet | None, change: DataSetDifference) -> DataSet:
    """Return the data set once the difference is applied."""
    entity = change.key.entity
    rows = {row.key(entity): row for row in (before.rows if before else ())}
    for row in change.removed:
        del rows[row.key(entity)]
    for row in (*change.added, *(c.after for c in change.changed)):
        rows[row.key(entity)] = row
    return DataSet(change.key, in_order(rows.values()))
