"""The row that Canvas speaks of."""

import csv

from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, Entity, RowError, SisRow


def row_of(key: DataSetKey, data_set: DataSet | None, error: RowError) -> SisRow | None:
    """Return the row that Canvas speaks of. It repeats it as a line of the file; numbers count in a file of its own."""
    named = row_key_of(key.entity, error)
    if data_set is None or named is None:
        return None
    return next((row for row in data_set.rows if row.key(key.entity) == named), None)


def row_key_of(entity: Entity, error: RowError) -> tuple[str, ...] | None:
    """Return what identifies the row that Canvas speaks of, None where it does not repeat it as a line of the file."""
    values = next(csv.reader([error.row_info]), []) if error.row_info else []
    return SisRow(tuple(values)).key(entity) if len(values) == len(HEADERS[entity]) else None
