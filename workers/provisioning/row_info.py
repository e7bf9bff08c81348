"""The row that Canvas speaks of."""

import csv

from shared.domain.sis_import import HEADERS, DataSet, DataSetKey, RowError, SisRow


def row_of(key: DataSetKey, data_set: DataSet | None, error: RowError) -> SisRow | None:
    """Return the row that Canvas speaks of. It repeats it as a line of the file; numbers count in a file of its own."""
    if data_set is None or not error.row_info:
        return None
    values = next(csv.reader([error.row_info]), [])
    if len(values) != len(HEADERS[key.entity]):
        return None
    named = SisRow(tuple(values)).key(key.entity)
    return next((row for row in data_set.rows if row.key(key.entity) == named), None)
