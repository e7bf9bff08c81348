"""A record that stays the same under another SIS id: what Canvas is told, and what was applied, by its new ids.

PowerSchool's DCIDs never change; numbers do, by corrections and merges. Source: Canvas "SIS Import Format",
change_sis_id.csv; canvas-lms lib/sis/change_sis_id_importer.rb.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.domain.provisioning.imports.last_import import value, with_value
from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, Entity, SisRow, in_order

USER = "user"
PENDING = "renumbering-"
"""Begins the SIS id that a person has between two imports, while others still have the one to come."""

_ID_COLUMNS = {Entity.USERS: "user_id", Entity.ENROLLMENTS: "user_id"}


@dataclass(frozen=True, slots=True, order=True)
class SisIdChange:
    """A person's SIS id, as Canvas has it and as it shall be. `source` is the PowerSchool record."""

    source: str
    old: str
    new: str
    school_number: int = 0


def change_imports(changes: Iterable[SisIdChange]) -> tuple[DataSet, ...]:
    """Return change_sis_id.csv: once, or twice where ids go from one of these persons to another.

    Canvas takes rows one by one, in parallel parts, and refuses a new id that somebody still has. So whoever gets
    another's id gets one of their own first. Either import may be repeated as long as the next has not begun: its old
    ids are gone then, and nobody has got one of them again.
    """
    changes = sorted(changes)
    held = {change.old for change in changes}
    first = [(c, c.old, f"{PENDING}{c.old}" if c.new in held else c.new) for c in changes]
    second = [(c, between, c.new) for c, _, between in first if between != c.new]
    return tuple(_import(str(number), rows) for number, rows in enumerate((first, second), 1) if rows)


def _import(number: str, rows: Iterable[tuple[SisIdChange, str, str]]) -> DataSet:
    found = (SisRow((old, new, USER), change.school_number, change.source) for change, old, new in rows)
    return DataSet(DataSetKey(Entity.SIS_ID_CHANGES, number), in_order(found))


def original_id(sis_id: str) -> str:
    """Return the id that the person had before the first of two imports, where the second did not follow."""
    return sis_id.removeprefix(PENDING)


def new_ids(changed: DataSet) -> dict[str, str]:
    """Return new SIS ids by old ones, of the rows of change_sis_id.csv."""
    entity = Entity.SIS_ID_CHANGES
    return {value(entity, row, "old_id"): value(entity, row, "new_id") for row in changed.rows}


def with_new_ids(data_set: DataSet, ids: Mapping[str, str]) -> DataSet:
    """Return the data set as Canvas holds it once these ids have changed. May be repeated."""
    entity = data_set.key.entity
    column = _ID_COLUMNS.get(entity)
    if column is None:
        return data_set
    at = HEADERS[entity].index(column)
    if not any(row.values[at] in ids for row in data_set.rows):
        return data_set
    return DataSet(
        data_set.key,
        in_order(
            with_value(entity, row, column, ids[row.values[at]]) if row.values[at] in ids else row
            for row in data_set.rows
        ),
    )
